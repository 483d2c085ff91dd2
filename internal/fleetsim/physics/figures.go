// Package physics says what the work of an engine step costs on a group of GPUs. Its constants are measured kernels and published
// configurations (figures.yaml); it is the ground truth and shares nothing with the estimators.
package physics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Figures are the constants of GPUs, models and serving software; the file states units (in the keys) and sources.
type Figures struct {
	GPUs   map[string]GPU   `yaml:"gpus"`
	Models map[string]Model `yaml:"models"`
	Stacks map[string]Stack `yaml:"stacks"`
}

// GPU is one kind of GPU. Curves are points [x, y] with x rising.
type GPU struct {
	Source    string             `yaml:"source"`
	PeakFLOPS map[string]float64 `yaml:"peak_flops_per_second"`
	Bandwidth float64            `yaml:"memory_bandwidth_bytes_per_second"`
	Memory    float64            `yaml:"memory_bytes"`
	NVLink    float64            `yaml:"nvlink_bytes_per_second"` // one direction
	NIC       float64            `yaml:"nic_bytes_per_second"`    // one direction, share of one GPU

	TDP               float64 `yaml:"tdp_watts"`
	MinimumPowerLimit float64 `yaml:"minimum_power_limit_watts"`
	Idle              float64 `yaml:"idle_watts"`
	ActiveWatts       float64 `yaml:"active_watts"` // on top of idle during a step: full clocks
	TensorWatts       float64 `yaml:"tensor_watts"` // on top of that at the rate of the best GEMMs and full clock
	DRAMWatts         float64 `yaml:"dram_watts"`   // on top of that at full bandwidth
	BoostClock        float64 `yaml:"boost_clock_hz"`
	LowestClock       float64 `yaml:"lowest_clock_hz"`

	GEMM             map[string]GEMM         `yaml:"gemm"`
	DecodeAttention  map[string][][2]float64 `yaml:"decode_attention_seconds"`
	PrefillAttention [][2]float64            `yaml:"prefill_attention_flops_per_second"`
	AllReduce        map[int][][2]float64    `yaml:"all_reduce_seconds"`
}

// GEMM describes the matrix products of a layer in one precision.
type GEMM struct {
	StreamEfficiency float64      `yaml:"stream_efficiency"`
	Floor            float64      `yaml:"kernel_floor_seconds"`
	ActivationPasses float64      `yaml:"activation_passes"`
	Dispatch         [][2]float64 `yaml:"dispatch"`
	Efficiency       [][2]float64 `yaml:"efficiency"`
}

// Model is the shape of one model.
type Model struct {
	Source        string  `yaml:"source"`
	ServedName    string  `yaml:"served_name"`
	Parameters    float64 `yaml:"parameters"`
	Layers        int     `yaml:"layers"`
	Hidden        int     `yaml:"hidden"`
	FeedForward   int     `yaml:"feed_forward"`
	Heads         int     `yaml:"heads"`
	KVHeads       int     `yaml:"kv_heads"`
	HeadDimension int     `yaml:"head_dimension"`
	Vocabulary    int     `yaml:"vocabulary"`
	MaxTokens     int     `yaml:"max_model_tokens"`
	Experts       int     `yaml:"experts"`           // 0: dense; then feed_forward is the width of each expert
	Routed        int     `yaml:"experts_per_token"` // experts a token passes
}

// Stack is what the serving software adds to the kernels.
type Stack struct {
	Source           string   `yaml:"source"`
	KernelEfficiency float64  `yaml:"kernel_efficiency"`
	StepOverhead     float64  `yaml:"step_overhead_seconds"`
	ReduceSkew       float64  `yaml:"reduce_skew_seconds"` // an all-reduce waits for the last GPU: per doubling of their number
	ReduceSlowdown   float64  `yaml:"reduce_slowdown"`     // time of an all-reduce relative to today's kernels; 0 means 1
	GatherBytes      float64  `yaml:"gather_bytes"`        // what a message has above this, every GPU fetches whole from every other; 0: never
	Sequence         float64  `yaml:"sequence_overhead_seconds"`
	DecodeLaunch     float64  `yaml:"decode_launch_seconds_per_layer"`  // host launching kernels one by one, beside the device
	PrefillLaunch    float64  `yaml:"prefill_launch_seconds_per_layer"` // the same in steps with prefill
	GraphRows        int      `yaml:"graph_rows"`                       // longest step that runs as recorded graphs instead
	GraphPrefill     bool     `yaml:"graph_prefill"`                    // whether steps with prefill do
	FrontEnd         FrontEnd `yaml:"front_end"`
}

// FrontEnd is what lies between a client and the engine: HTTP, templates, tokeniser. It takes one request after the other.
type FrontEnd struct {
	Request float64 `yaml:"request_seconds"`
	Token   float64 `yaml:"prompt_token_seconds"`
}

// Delay is how long a request with a prompt of that length occupies the front end, s.
func (f FrontEnd) Delay(promptTokens int) float64 { return f.Request + f.Token*float64(promptTokens) }

// Pick looks a named row up and lists the known names when it is missing.
func Pick[V any](key, name string, rows map[string]V) (V, error) {
	row, ok := rows[name]
	if !ok {
		return row, fmt.Errorf("%s: unknown value %q; known: %s", key, name, strings.Join(slices.Sorted(maps.Keys(rows)), ", "))
	}
	return row, nil
}
