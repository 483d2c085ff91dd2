package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
)

// Config of the processor. All durations but MaxStale and SnapshotInterval are data time: they are measured on the points' timestamps.
type Config struct {
	// Window is the length of the windows on which estimates are made; all workers of a fleet share them.
	Window time.Duration `mapstructure:"window"`
	// AllowedLateness is how long a worker that lags behind the others of its fleet may hold a window open.
	AllowedLateness time.Duration `mapstructure:"allowed_lateness"`
	// Horizon is the time constant with which a fleet's workload fades.
	Horizon time.Duration `mapstructure:"horizon"`
	// EvaluateEvery is how often a fleet is scored and its topologies are rehearsed.
	EvaluateEvery time.Duration `mapstructure:"evaluate_every"`
	// MaxStale is how long a silent worker is remembered, on the clock of this machine.
	MaxStale time.Duration `mapstructure:"max_stale"`
	// Storage is the storage extension that keeps what was concluded over a restart of the collector; none when nil.
	Storage *component.ID `mapstructure:"storage"`
	// SnapshotInterval is how often it is written, on the clock of this machine. It is written at shutdown, too.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`
	// MaxWorkers, MaxFleets and MaxAgents bound what is tracked; what is beyond is passed through and not analysed.
	MaxWorkers int `mapstructure:"max_workers"`
	MaxFleets  int `mapstructure:"max_fleets"`
	MaxAgents  int `mapstructure:"max_agents"`
	// MaxNumBatchedTokens is the token budget of a step of workers that prefill, MaxNumSeqs the limit of requests in one; engines do not
	// export them.
	MaxNumBatchedTokens int `mapstructure:"max_num_batched_tokens"`
	MaxNumSeqs          int `mapstructure:"max_num_seqs"`
	// MinCoverage is the share of the expected workers below which nothing is said of a whole fleet.
	MinCoverage float64 `mapstructure:"min_coverage"`
	// ExpectedWorkers says how many workers fleets have; first match wins.
	ExpectedWorkers []ExpectedWorkers `mapstructure:"expected_workers"`
	// Transfer says what of transfers nobody tells.
	Transfer TransferConfig `mapstructure:"transfer"`
	// Objectives are the latency objectives by model and fleet.
	Objectives objectives.Config `mapstructure:"objectives"`

	_ struct{}
}

// ExpectedWorkers is the number of workers of the fleets that match.
type ExpectedWorkers struct {
	Fleet   string `mapstructure:"fleet"` // glob
	Workers int    `mapstructure:"workers"`

	_ struct{}
}

// TransferConfig is what of transfers nobody tells.
type TransferConfig struct {
	// LinkRate is the rate that one rank's link should have, bytes/s; 0: what nixl.link.limit says, or the best that was seen.
	LinkRate float64 `mapstructure:"link_rate"`
	// Pieces is in how many parts, one after the other, an engine sends a request's KV; 0 when unknown.
	Pieces int `mapstructure:"pieces"`
	// AssumedBandwidth (bytes/s of a rank) and AssumedTokenBytes (KV of a token on a rank) stand in for a fleet that has no transfers yet.
	AssumedBandwidth  float64 `mapstructure:"assumed_bandwidth"`
	AssumedTokenBytes float64 `mapstructure:"assumed_token_bytes"`

	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

const (
	minWindow = 100 * time.Millisecond
	maxWindow = 10 * time.Minute
)

// Validate names key, bound and value of every fault.
func (c *Config) Validate() error {
	errs := []error{
		bounds.Within("window", c.Window, minWindow, maxWindow),
		bounds.Within("allowed_lateness", c.AllowedLateness, 0, maxWindow),
		bounds.Within("horizon", c.Horizon, max(minWindow, c.Window), 24*time.Hour),
		bounds.Within("evaluate_every", c.EvaluateEvery, max(minWindow, c.Window), 24*time.Hour),
		bounds.Within("max_stale", c.MaxStale, max(time.Second, 3*c.Window), 24*time.Hour),
		bounds.Within("snapshot_interval", c.SnapshotInterval, 10*time.Second, 24*time.Hour),
		bounds.Within("max_workers", c.MaxWorkers, 1, 1_000_000),
		bounds.Within("max_fleets", c.MaxFleets, 1, 100_000),
		bounds.Within("max_agents", c.MaxAgents, 1, 1_000_000),
		bounds.Within("max_num_batched_tokens", c.MaxNumBatchedTokens, 1, 10_000_000),
		bounds.Within("max_num_seqs", c.MaxNumSeqs, 1, 1_000_000),
		bounds.Within("transfer.pieces", c.Transfer.Pieces, 0, 100_000),
		bounds.Within("min_coverage", c.MinCoverage, 0, 1),
	}
	for i, e := range c.ExpectedWorkers {
		errs = append(errs, bounds.AtLeast(fmt.Sprintf("expected_workers[%d].workers", i), e.Workers, 1))
	}
	rate := func(key string, got, low float64) {
		if !(got >= low && got < 1e15) {
			errs = append(errs, fmt.Errorf("transfer.%s must be at least %v and below 1e15 (got %v)", key, low, got))
		}
	}
	rate("link_rate", c.Transfer.LinkRate, 0)
	rate("assumed_bandwidth", c.Transfer.AssumedBandwidth, 1)
	rate("assumed_token_bytes", c.Transfer.AssumedTokenBytes, 0)
	errs = append(errs, c.Objectives.Check())
	return errors.Join(errs...)
}

// expected is how many workers the fleet should have, 0 when not configured.
func (c *Config) expected(fleet string) int {
	for _, e := range c.ExpectedWorkers {
		if objectives.Glob(e.Fleet, fleet) {
			return e.Workers
		}
	}
	return 0
}
