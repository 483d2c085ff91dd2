package llmenginenormalizerprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor"

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
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
	errs := []error{
		bounds.OneOf("preset", c.Preset, signal.Presets()...),
		bounds.Within("max_targets", c.MaxTargets, 1, 100_000),
		bounds.AtLeast("max_series", c.MaxSeries, 100),
		bounds.Within("max_stale", c.MaxStale, time.Second, 24*time.Hour),
	}
	for i, source := range c.Connected {
		errs = append(errs, bounds.OneOf(fmt.Sprintf("connected[%d]", i), source, signal.Sources()...))
	}
	return errors.Join(errs...)
}
