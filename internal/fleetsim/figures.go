package fleetsim

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed figures.yaml
var figuresYAML []byte

// figures is the parsed figures.yaml; the file states units (in the keys) and sources.
type figures struct {
	GPUs      map[string]gpuFigures      `yaml:"gpus"`
	AllReduce map[int][][2]float64       `yaml:"all_reduce_seconds"`
	Models    map[string]modelFigures    `yaml:"models"`
	Stacks    map[string]stackFigures    `yaml:"stacks"`
	Workloads map[string]workloadFigures `yaml:"workloads"`
}

type gpuFigures struct {
	Source           string                  `yaml:"source"`
	PeakFLOPS        map[string]float64      `yaml:"peak_flops_per_second"`
	Bandwidth        float64                 `yaml:"memory_bandwidth_bytes_per_second"`
	Memory           float64                 `yaml:"memory_bytes"`
	GEMMEfficiency   map[string][][2]float64 `yaml:"gemm_efficiency"`
	StreamEfficiency map[string][][2]float64 `yaml:"weight_stream_efficiency"`
	DecodeAttention  [][2]float64            `yaml:"decode_attention_seconds"`
	PrefillAttention [][2]float64            `yaml:"prefill_attention_flops_per_second"`
}

type modelFigures struct {
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

type stackFigures struct {
	Source           string  `yaml:"source"`
	KernelEfficiency float64 `yaml:"kernel_efficiency"`
	StepOverhead     float64 `yaml:"step_overhead_seconds"`
	TensorParallel   float64 `yaml:"tensor_parallel_overhead_seconds"`
	Sequence         float64 `yaml:"sequence_overhead_seconds"`
	HostLaunch       float64 `yaml:"host_launch_seconds"`
}

type workloadFigures struct {
	Source       string        `yaml:"source"`
	Rate         float64       `yaml:"requests_per_second"`
	CV           float64       `yaml:"interarrival_cv"`
	PromptTokens quantileTable `yaml:"prompt_tokens"`
	OutputTokens quantileTable `yaml:"output_tokens"`
}

// loadFigures parses the embedded file; unknown keys are errors so that a typing mistake cannot go unseen.
func loadFigures() (*figures, error) {
	dec := yaml.NewDecoder(bytes.NewReader(figuresYAML))
	dec.KnownFields(true)
	var f figures
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("figures.yaml: %w", err)
	}
	return &f, nil
}

// pick looks a named row up and lists the known names when it is missing.
func pick[V any](key, name string, rows map[string]V) (V, error) {
	row, ok := rows[name]
	if !ok {
		return row, fmt.Errorf("%s: unknown value %q; known: %s", key, name, strings.Join(slices.Sorted(maps.Keys(rows)), ", "))
	}
	return row, nil
}

// kvBytesPerToken is the size of one token's keys and values in 16-bit precision over all layers, in bytes.
func (m modelFigures) kvBytesPerToken() float64 {
	return float64(2 * 2 * m.KVHeads * m.HeadDimension * m.Layers)
}

// headParameters counts the output projection (as many again are in the input embedding, which is a lookup).
func (m modelFigures) headParameters() float64 { return float64(m.Vocabulary) * float64(m.Hidden) }

// layerParameters counts the weights of all layers: everything but the two vocabulary matrices.
func (m modelFigures) layerParameters() float64 { return m.Parameters - 2*m.headParameters() }

// weightBytes is the memory of all weights; only the layers are quantised, as in the published FP8 checkpoints.
func (m modelFigures) weightBytes(precision string) float64 {
	return m.layerParameters()*bytesPerParameter(precision) + 2*m.headParameters()*2
}

func bytesPerParameter(precision string) float64 {
	if precision == "fp8" {
		return 1
	}
	return 2
}
