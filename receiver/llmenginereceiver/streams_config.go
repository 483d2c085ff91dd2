package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"cmp"
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/bounds"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/zmqsub"
)

// Bounds and defaults of the streams.
const (
	maxRanks            = 1024
	defaultMemoryLimit  = 64 << 20
	leastStreamMemory   = 1 << 20 // of memory_limit
	maxMemoryLimit      = 4 << 30
	fleetShare          = 16 // one part in so many of memory_limit is for the merged view of a fleet
	defaultHorizon      = 10 * time.Minute
	defaultExactBlocks  = 1 << 20
	defaultSampleBlocks = 1 << 16
	minSampleBlocks     = 1 << 10
	maxReuseDistance    = 1 << 26
	kvRankSuffix        = "_dp" // of ipc endpoints, as in vllm/distributed/kv_events.py
	passRankSuffix      = "."
)

// StreamsConfig is what the receiver knows of the streams that engines publish beside their metrics page.
type StreamsConfig struct {
	Pages         PagesConfig         `mapstructure:"scrape"`
	KVEvents      KVEventsConfig      `mapstructure:"kv_events"`
	ForwardPasses ForwardPassesConfig `mapstructure:"forward_passes"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// PagesConfig switches the scraping of metrics pages.
type PagesConfig struct {
	Enabled bool `mapstructure:"enabled"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// KVEventsConfig holds for all streams of KV cache events. Its stream belongs to the endpoint at the top.
type KVEventsConfig struct {
	Stream           KVStreamConfig `mapstructure:",squash"`
	MemoryLimit      int            `mapstructure:"memory_limit"` // bytes, for all streams of the receiver, which with receiver_creator is one engine's
	Horizon          time.Duration  `mapstructure:"horizon"`
	ExactBlocks      int            `mapstructure:"exact_blocks"`
	SampledBlocks    int            `mapstructure:"sampled_blocks"`
	MaxReuseDistance int            `mapstructure:"max_reuse_distance"` // blocks
	ExpectedWorkers  int            `mapstructure:"expected_workers"`   // of a fleet; 0: those that are seen

	// prevent unkeyed literal initialization
	_ struct{}
}

// KVStreamConfig is one engine's stream of KV cache events. In YAML it may be a string, the endpoint.
type KVStreamConfig struct {
	Endpoint       string `mapstructure:"endpoint"`
	ReplayEndpoint string `mapstructure:"replay_endpoint"`
	Topic          string `mapstructure:"topic"`
	Ranks          int    `mapstructure:"ranks"` // data-parallel ranks; 0 is one
}

// ForwardPassesConfig holds for all streams of forward passes. Its stream belongs to the endpoint at the top.
type ForwardPassesConfig struct {
	Stream PassStreamConfig `mapstructure:",squash"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// PassStreamConfig is one engine's stream of forward passes. In YAML it may be a string, the endpoint.
type PassStreamConfig struct {
	Endpoint string `mapstructure:"endpoint"`
	Topic    string `mapstructure:"topic"`
	Ranks    int    `mapstructure:"ranks"`
}

// UnmarshalText reads a stream that is given as a string.
func (s *KVStreamConfig) UnmarshalText(text []byte) error {
	s.Endpoint = string(text)
	return nil
}

// UnmarshalText reads a stream that is given as a string.
func (s *PassStreamConfig) UnmarshalText(text []byte) error {
	s.Endpoint = string(text)
	return nil
}

func defaultStreams() StreamsConfig {
	return StreamsConfig{
		Pages: PagesConfig{Enabled: true},
		KVEvents: KVEventsConfig{
			MemoryLimit: defaultMemoryLimit, Horizon: defaultHorizon, ExactBlocks: defaultExactBlocks, SampledBlocks: defaultSampleBlocks,
			MaxReuseDistance: defaultExactBlocks,
		},
	}
}

// top returns the streams of the endpoint at the top, nil where there is none.
func (c *StreamsConfig) top() (kv *KVStreamConfig, passes *PassStreamConfig) {
	if c.KVEvents.Stream != (KVStreamConfig{}) {
		kv = &c.KVEvents.Stream
	}
	if c.ForwardPasses.Stream != (PassStreamConfig{}) {
		passes = &c.ForwardPasses.Stream
	}
	return kv, passes
}

// validate names the key, the bound and the value of each error. streams is the number of streams of KV events.
func (c *KVEventsConfig) validate(streams int) []error {
	return []error{
		bounds.Within("kv_events: memory_limit", c.MemoryLimit, max(1, streams)*leastStreamMemory, maxMemoryLimit),
		bounds.Within("kv_events: sampled_blocks", c.SampledBlocks, minSampleBlocks, maxReuseDistance),
		bounds.Within("kv_events: exact_blocks", c.ExactBlocks, minSampleBlocks, maxReuseDistance),
		bounds.Within("kv_events: max_reuse_distance", c.MaxReuseDistance, minSampleBlocks, maxReuseDistance),
		bounds.AtLeast("kv_events: horizon", c.Horizon, time.Second),
		bounds.AtLeast("kv_events: expected_workers", c.ExpectedWorkers, 0),
	}
}

// streamMemory is the memory limit of one of so many streams.
func (c *KVEventsConfig) streamMemory(streams int) int {
	return max((c.MemoryLimit-c.MemoryLimit/fleetShare)/max(1, streams), kvcache.MinMemory)
}

func checkRanks(ranks int) error {
	return bounds.Within("ranks", ranks, 0, maxRanks)
}

// streams returns where the streams of an endpoint are, for every rank.
func (e *EndpointConfig) streams() ([]zmqsub.Endpoint, error) {
	kv, err := e.KVEvents.endpoints()
	if err != nil {
		return nil, fmt.Errorf("kv_events: %w", err)
	}
	passes, err := e.ForwardPasses.endpoints()
	if err != nil {
		return nil, fmt.Errorf("forward_passes: %w", err)
	}
	return append(kv, passes...), nil
}

func (s *KVStreamConfig) endpoints() ([]zmqsub.Endpoint, error) {
	if s == nil {
		return nil, nil
	}
	found, err := endpointsOfRanks("endpoint", s.Endpoint, s.Ranks, kvRankSuffix)
	if err == nil && s.ReplayEndpoint != "" {
		_, err = endpointsOfRanks("replay_endpoint", s.ReplayEndpoint, s.Ranks, kvRankSuffix)
	}
	return found, err
}

func (s *PassStreamConfig) endpoints() ([]zmqsub.Endpoint, error) {
	if s == nil {
		return nil, nil
	}
	return endpointsOfRanks("endpoint", s.Endpoint, s.Ranks, passRankSuffix)
}

func endpointsOfRanks(key, endpoint string, ranks int, suffix string) ([]zmqsub.Endpoint, error) {
	if err := checkRanks(ranks); err != nil {
		return nil, err
	}
	found := make([]zmqsub.Endpoint, cmp.Or(ranks, 1))
	for rank := range found {
		var err error
		if found[rank], err = zmqsub.ParseEndpoint(endpoint, rank, suffix); err != nil {
			return nil, fmt.Errorf("%s %w", key, err)
		}
	}
	return found, nil
}

func (s *KVStreamConfig) ranks() int {
	if s == nil {
		return 0
	}
	return cmp.Or(s.Ranks, 1)
}

func (s *PassStreamConfig) ranks() int {
	if s == nil {
		return 0
	}
	return cmp.Or(s.Ranks, 1)
}
