package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/advice"
	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
)

// Config of the connector. All durations but MaxStale are data time: they are measured on the points' timestamps.
type Config struct {
	// Window is the length of the windows at the end of which the rules are asked.
	Window time.Duration `mapstructure:"window"`
	// AllowedLateness is how long a series that lags behind the others of its subject may hold a window open.
	AllowedLateness time.Duration `mapstructure:"allowed_lateness"`
	// TrailingTime is what a rule looks at.
	TrailingTime time.Duration `mapstructure:"trailing_time"`
	// RaiseAfter is for how many windows in a row a condition must hold before its advice is raised.
	RaiseAfter int `mapstructure:"raise_after"`
	// ClearAfter is for how many it must not before the advice is cleared.
	ClearAfter int `mapstructure:"clear_after"`
	// CoolDown is within which an advice that comes and goes has to hold twice as long each time, up to this, to be raised again.
	CoolDown time.Duration `mapstructure:"cool_down"`
	// VerifyAfter is how long after an advice was followed its effect is measured.
	VerifyAfter time.Duration `mapstructure:"verify_after"`
	// MaxStale is how long a silent subject is remembered, on the clock of this machine.
	MaxStale time.Duration `mapstructure:"max_stale"`
	// MaxSubjects bounds the workers, fleets and agents tracked; further ones are counted and not looked at.
	MaxSubjects int `mapstructure:"max_subjects"`
	// Disabled lists rules that are not asked.
	Disabled []string `mapstructure:"disabled"`
	// Storage is the extension that keeps standing advice, predictions and records over a restart.
	Storage *component.ID `mapstructure:"storage"`

	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

// Validate names key, bound and value of every fault.
func (c *Config) Validate() error {
	errs := []error{
		bounds.Within("window", c.Window, 100*time.Millisecond, 10*time.Minute),
		bounds.Within("allowed_lateness", c.AllowedLateness, 0, 10*time.Minute),
		bounds.Within("trailing_time", c.TrailingTime, c.Window, max(c.Window, min(time.Hour, 120*c.Window))),
		bounds.Within("raise_after", c.RaiseAfter, 1, 1000),
		bounds.Within("clear_after", c.ClearAfter, 1, 1000),
		bounds.Within("cool_down", c.CoolDown, 0, 24*time.Hour),
		bounds.Within("verify_after", c.VerifyAfter, c.TrailingTime, 24*time.Hour),
		bounds.Within("max_stale", c.MaxStale, max(time.Second, 3*c.Window), 24*time.Hour),
		bounds.Within("max_subjects", c.MaxSubjects, 1, 100_000),
	}
	known := ruleIDs()
	for i, id := range c.Disabled {
		if !slices.Contains(known, id) {
			errs = append(errs, fmt.Errorf("disabled[%d] must be one of %v (got %q)", i, known, id))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) advisor() *advice.Advisor {
	rules := slices.DeleteFunc(advice.Rules(), func(r advice.Rule) bool { return slices.Contains(c.Disabled, r.ID) })
	return advice.New(advice.Config{
		Window: c.Window, Lateness: c.AllowedLateness, Trailing: c.TrailingTime, RaiseAfter: c.RaiseAfter, ClearAfter: c.ClearAfter,
		CoolDown: c.CoolDown, Settle: c.VerifyAfter, MaxStale: c.MaxStale, MaxSubjects: c.MaxSubjects,
	}, rules)
}

func ruleIDs() []string {
	var ids []string
	for _, r := range advice.Rules() {
		ids = append(ids, r.ID)
	}
	return ids
}

func createDefaultConfig() component.Config {
	d := advice.DefaultConfig()
	return &Config{
		Window: d.Window, AllowedLateness: d.Lateness, TrailingTime: d.Trailing, RaiseAfter: d.RaiseAfter, ClearAfter: d.ClearAfter,
		CoolDown: d.CoolDown, VerifyAfter: d.Settle, MaxStale: d.MaxStale, MaxSubjects: d.MaxSubjects,
	}
}
