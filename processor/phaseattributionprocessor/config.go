package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
	"github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
)

// Config of the processor. All durations but MaxStale are data time: they are measured on the points' timestamps.
type Config struct {
	// Window is the length of the windows on which estimates are made. Scrapes further apart than that lengthen it.
	Window time.Duration `mapstructure:"window"`
	// AllowedLateness is how long a series that lags behind the others of its worker may hold a window open.
	AllowedLateness time.Duration `mapstructure:"allowed_lateness"`
	// LatencyWindow is the trailing time over which latency quantiles are taken.
	LatencyWindow time.Duration `mapstructure:"latency_window"`
	// MaxStale is how long a silent worker is remembered, on the clock of this machine.
	MaxStale time.Duration `mapstructure:"max_stale"`
	// MaxWorkers bounds the workers tracked; further ones are passed through and not analysed.
	MaxWorkers int `mapstructure:"max_workers"`
	// MaxNumBatchedTokens is the engines' token budget per step, which they do not export.
	MaxNumBatchedTokens int `mapstructure:"max_num_batched_tokens"`
	// MaxNumSeqs is the engines' limit of requests per step; 0 when unknown.
	MaxNumSeqs int `mapstructure:"max_num_seqs"`
	// Objectives are the latency objectives by model and fleet.
	Objectives objectives.Config `mapstructure:"objectives"`
	// GPUs says which GPUs workers run on, where llm.engine.gpu.info does not tell.
	GPUs []GPURule `mapstructure:"gpus"`
	// Prices of GPUs, for llm.phase.cost.
	Prices objectives.Prices `mapstructure:"prices"`

	// Facts of models and GPUs beside those that are built in, which they precede.
	Facts facts.Book `mapstructure:"facts"`
	// Deployments says what workers are, where engines and joined GPUs do not tell.
	Deployments []DeploymentRule `mapstructure:"deployments"`

	// Storage is the storage extension that keeps what was learnt over a restart of the collector; none when nil.
	Storage *component.ID `mapstructure:"storage"`
	// SnapshotInterval is how often it is written, on the clock of this machine. It is written at shutdown, too.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`

	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

const (
	minWindow = 100 * time.Millisecond
	maxWindow = 10 * time.Minute
	// maxLatencyWindows bounds a worker's memory: each window of the trailing time keeps four histograms.
	maxLatencyWindows = 720
)

// Validate names key, bound and value of every fault.
func (c *Config) Validate() error {
	errs := []error{
		bounds.Within("window", c.Window, minWindow, maxWindow),
		bounds.Within("allowed_lateness", c.AllowedLateness, 0, maxWindow),
		bounds.Within("latency_window", c.LatencyWindow, max(minWindow, c.Window), time.Hour),
		bounds.Within("snapshot_interval", c.SnapshotInterval, 10*time.Second, 24*time.Hour),
		bounds.Within("max_stale", c.MaxStale, max(time.Second, 3*c.Window), 24*time.Hour),
		bounds.Within("max_workers", c.MaxWorkers, 1, 1_000_000),
		bounds.AtLeast("max_num_batched_tokens", c.MaxNumBatchedTokens, 1),
		bounds.AtLeast("max_num_seqs", c.MaxNumSeqs, 0),
	}
	if c.Window >= minWindow && c.LatencyWindow/c.Window > maxLatencyWindows {
		errs = append(errs, fmt.Errorf("latency_window must be at most %d windows, which are %v (got %v)",
			maxLatencyWindows, maxLatencyWindows*c.Window, c.LatencyWindow))
	}
	errs = append(errs, c.Objectives.Check(), validateGPUs(c.GPUs), c.Prices.Check(), validateDeployments(c.Deployments))
	if err := c.Facts.Check(); err != nil {
		errs = append(errs, fmt.Errorf("facts: %w", err))
	}
	return errors.Join(errs...)
}
