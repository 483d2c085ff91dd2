package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
)

// Config of the processor. All durations but MaxStale are data time: they are measured on the points' timestamps.
type Config struct {
	// Window is the length of the windows on which estimates are made. Scrapes further apart than that lengthen it.
	Window time.Duration `mapstructure:"window"`
	// AllowedLateness is how long a series that lags behind the others of its worker may hold a window open.
	AllowedLateness time.Duration `mapstructure:"allowed_lateness"`
	// Horizon is the time constant with which the past fades in what needs a long look: reuse, and what another size would do.
	Horizon time.Duration `mapstructure:"horizon"`
	// MaxStale is how long a silent worker is remembered, on the clock of this machine.
	MaxStale time.Duration `mapstructure:"max_stale"`
	// Storage is the storage extension that keeps what was learnt over a restart of the collector; none when nil.
	Storage *component.ID `mapstructure:"storage"`
	// SnapshotInterval is how often it is written, on the clock of this machine. It is written at shutdown, too.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`
	// MaxWorkers bounds the workers tracked; further ones are passed through and not analysed.
	MaxWorkers int `mapstructure:"max_workers"`
	// Models says what engines do not: sizes of models in memory.
	Models []ModelRule `mapstructure:"models"`

	_ struct{}
}

// ModelRule has sizes of the models that Match fits; of several rules the first holds.
type ModelRule struct {
	Match objectives.Match `mapstructure:"match"`
	// KVBytesPerToken is what the keys and values of a token take, over all layers and all GPUs of a worker:
	// 2 x layers x KV heads x head size x bytes of the KV data type. 0 is unknown.
	KVBytesPerToken float64 `mapstructure:"kv_bytes_per_token"`
	// WeightBytes is what the weights take over all GPUs of a worker. 0 is unknown.
	WeightBytes float64 `mapstructure:"weight_bytes"`

	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

const (
	minWindow = 100 * time.Millisecond
	maxWindow = 10 * time.Minute
	// mostBytes bounds sizes of models: a value beyond it is a slip of the unit.
	mostBytes = 1e15
)

// Validate names key, bound and value of every fault.
func (c *Config) Validate() error {
	errs := []error{
		bounds.Within("window", c.Window, minWindow, maxWindow),
		bounds.Within("allowed_lateness", c.AllowedLateness, 0, maxWindow),
		bounds.Within("horizon", c.Horizon, max(time.Minute, c.Window), 24*time.Hour),
		bounds.Within("max_stale", c.MaxStale, max(time.Second, 3*c.Window), 24*time.Hour),
		bounds.Within("snapshot_interval", c.SnapshotInterval, 10*time.Second, 24*time.Hour),
		bounds.Within("max_workers", c.MaxWorkers, 1, 1_000_000),
	}
	for i, m := range c.Models {
		of := fmt.Sprintf("models[%d].", i)
		errs = append(errs, bounds.Within(of+"kv_bytes_per_token", m.KVBytesPerToken, 0, mostBytes), bounds.Within(of+"weight_bytes", m.WeightBytes, 0, mostBytes))
	}
	return errors.Join(errs...)
}

// model returns the first rule that fits, or one that knows nothing.
func (c *Config) model(model, fleet string) ModelRule {
	for _, m := range c.Models {
		if objectives.Glob(m.Match.Model, model) && objectives.Glob(m.Match.Fleet, fleet) {
			return m
		}
	}
	return ModelRule{}
}
