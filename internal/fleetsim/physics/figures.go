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
	Source           string                  `yaml:"source"`
	PeakFLOPS        map[string]float64      `yaml:"peak_flops_per_second"`
	Bandwidth        float64                 `yaml:"memory_bandwidth_bytes_per_second"`
	Memory           float64                 `yaml:"memory_bytes"`
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

// KVBytesPerToken is the size of one token's keys and values in 16-bit precision over all layers, in bytes.
func (m Model) KVBytesPerToken() float64 {
	return float64(2 * 2 * m.KVHeads * m.HeadDimension * m.Layers)
}

// HeadParameters counts the output projection (as many again are in the input embedding, which is a lookup).
func (m Model) HeadParameters() float64 { return float64(m.Vocabulary) * float64(m.Hidden) }

// LayerParameters counts the weights of all layers: everything but the two vocabulary matrices.
func (m Model) LayerParameters() float64 { return m.Parameters - 2*m.HeadParameters() }

// WeightBytes is the memory of all weights; only the layers are quantised, as in the published FP8 checkpoints.
func (m Model) WeightBytes(precision string) float64 {
	return m.LayerParameters()*bytesPerParameter(precision) + 2*m.HeadParameters()*2
}

func bytesPerParameter(precision string) float64 {
	if precision == "fp8" {
		return 1
	}
	return 2
}
