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
	GPUs      map[string]GPU       `yaml:"gpus"`
	AllReduce map[int][][2]float64 `yaml:"all_reduce_seconds"`
	Models    map[string]Model     `yaml:"models"`
	Stacks    map[string]Stack     `yaml:"stacks"`
}

// GPU is one kind of GPU.
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
	ActiveWatts       float64 `yaml:"active_watts"` // on top of idle while kernels run
	TensorWatts       float64 `yaml:"tensor_watts"` // on top of that at the rate of the best GEMMs and full clock
	DRAMWatts         float64 `yaml:"dram_watts"`   // on top of that at full bandwidth
	BaseClock         float64 `yaml:"base_clock_hz"`
	BoostClock        float64 `yaml:"boost_clock_hz"`
	LowestClock       float64 `yaml:"lowest_clock_hz"`
	TileRows          float64 `yaml:"tensor_tile_rows"` // rows the tensor pipes compute at least

	GEMMEfficiency   map[string][][2]float64 `yaml:"gemm_efficiency"`
	StreamEfficiency map[string][][2]float64 `yaml:"weight_stream_efficiency"`
	DecodeAttention  [][2]float64            `yaml:"decode_attention_seconds"`
	PrefillAttention [][2]float64            `yaml:"prefill_attention_flops_per_second"`
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
	Source           string  `yaml:"source"`
	KernelEfficiency float64 `yaml:"kernel_efficiency"`
	StepOverhead     float64 `yaml:"step_overhead_seconds"`
	TensorParallel   float64 `yaml:"tensor_parallel_overhead_seconds"`
	Sequence         float64 `yaml:"sequence_overhead_seconds"`
	HostLaunch       float64 `yaml:"host_launch_seconds"`
}

// Pick looks a named row up and lists the known names when it is missing.
func Pick[V any](key, name string, rows map[string]V) (V, error) {
	row, ok := rows[name]
	if !ok {
		return row, fmt.Errorf("%s: unknown value %q; known: %s", key, name, strings.Join(slices.Sorted(maps.Keys(rows)), ", "))
	}
	return row, nil
}
