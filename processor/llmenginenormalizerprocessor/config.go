package llmenginenormalizerprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor"

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Config of the processor.
type Config struct {
	// Preset says how many metrics are made: minimal, default or full.
	Preset string `mapstructure:"preset"`
	// DropOriginal removes the engines' own families, of which the vocabulary's are made, from what is passed on.
	DropOriginal bool `mapstructure:"drop_original"`
	// Connected are inputs that are read elsewhere, so that llm.source.missing does not name them.
	Connected []string `mapstructure:"connected"`
	// MaxTargets bounds the targets remembered; further ones are passed through and not normalised.
	MaxTargets int `mapstructure:"max_targets"`
	// MaxSeries bounds the series remembered per target.
	MaxSeries int `mapstructure:"max_series"`
	// MaxStale is how long a silent target is remembered.
	MaxStale time.Duration `mapstructure:"max_stale"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

// Validate names key, bound and value of every fault.
func (c *Config) Validate() error {
	var errs []error
	if !slices.Contains(signal.Presets(), c.Preset) {
		errs = append(errs, fmt.Errorf("preset must be one of %s (got %q)", strings.Join(signal.Presets(), ", "), c.Preset))
	}
	for i, source := range c.Connected {
		if !slices.Contains(signal.Sources(), source) {
			errs = append(errs, fmt.Errorf("connected[%d] must be one of %s (got %q)", i, strings.Join(signal.Sources(), ", "), source))
		}
	}
	if c.MaxTargets < 1 || c.MaxTargets > 100_000 {
		errs = append(errs, fmt.Errorf("max_targets must be between 1 and 100000 (got %d)", c.MaxTargets))
	}
	if c.MaxSeries < 100 {
		errs = append(errs, fmt.Errorf("max_series must be at least 100 (got %d)", c.MaxSeries))
	}
	if c.MaxStale < time.Second || c.MaxStale > 24*time.Hour {
		errs = append(errs, fmt.Errorf("max_stale must be between 1s and 24h (got %s)", c.MaxStale))
	}
	return errors.Join(errs...)
}
