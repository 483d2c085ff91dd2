package fleetsim

import (
	"errors"
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Role is what the workers of a pool do with a request.
type Role string

// Roles.
const (
	Aggregated Role = "aggregated" // prompt and answer
	Prefill    Role = "prefill"    // the prompt; the KV goes to a decode worker
	Decode     Role = "decode"     // the answer
)

// Engines whose scheduling, hand-over of KV and pages a pool can have.
const (
	VLLM        = "vllm"
	SGLang      = "sglang"
	TensorRTLLM = "tensorrt_llm"
)

// Deployment is a model on a group of GPUs; the names are rows of figures.yaml.
type Deployment struct {
	Model          string  `json:"model" yaml:"model"`
	GPU            string  `json:"gpu" yaml:"gpu"`
	Stack          string  `json:"stack" yaml:"stack"`                     // overheads of the serving software
	Precision      string  `json:"precision" yaml:"precision"`             // of the layer weights: bf16 or fp8
	KVPrecision    string  `json:"kv_precision" yaml:"kv_precision"`       // of keys and values: bf16 or fp8; "" is bf16
	TensorParallel int     `json:"tensor_parallel" yaml:"tensor_parallel"` // GPUs per worker
	PowerLimit     float64 `json:"power_limit_watts" yaml:"power_limit"`   // of one GPU, W; 0: its TDP
}

// Replica is how one worker of a pool differs from the others.
type Replica struct {
	// HashSeed seeds the hashes of KV blocks. Routers know the hashes of seed 0 only, as with a PYTHONHASHSEED that was not set alike.
	HashSeed uint64 `json:"hash_seed" yaml:"hash_seed"`
	// Speed divides the time of every step; 0 is 1, a replica at 0.5 takes twice as long.
	Speed float64 `json:"speed" yaml:"speed"`
}

// Pool is a number of equal workers.
type Pool struct {
	Name       string `json:"name" yaml:"name"`
	Role       Role   `json:"role" yaml:"role"`
	Workers    int    `json:"workers" yaml:"workers"`
	Deployment `yaml:",inline"`

	Engine        string `json:"engine" yaml:"engine"`                 // vllm, sglang or tensorrt_llm
	EngineVersion string `json:"engine_version" yaml:"engine_version"` // whose page is spoken; "": the newest known

	MaxBatchedTokens int `json:"max_num_batched_tokens" yaml:"max_num_batched_tokens"` // token budget of a step
	MaxNumSeqs       int `json:"max_num_seqs" yaml:"max_num_seqs"`                     // most sequences in a step
	MaxModelTokens   int `json:"max_model_tokens" yaml:"max_model_tokens"`             // longest context; 0: what the model allows
	BlockSize        int `json:"block_size" yaml:"block_size"`                         // tokens per KV block
	KVBlocks         int `json:"kv_blocks" yaml:"kv_blocks"`                           // per worker; 0: what the GPUs' memory leaves
	// SlidingWindow is the window in tokens that half of the layers attend to; 0: all layers attend to everything. Steps take as long
	// either way.
	SlidingWindow int  `json:"sliding_window,omitempty" yaml:"sliding_window"`
	PrefixCaching bool `json:"prefix_caching" yaml:"prefix_caching"`

	Scheduling  Scheduling  `json:"scheduling,omitempty" yaml:"scheduling"`                                     // "" is chunked
	MaxChunk    int         `json:"long_prefill_token_threshold,omitempty" yaml:"long_prefill_token_threshold"` // most tokens of one prompt in a step; 0: no limit
	Speculative Speculative `json:"speculative" yaml:"speculative"`
	MaxAdapters int         `json:"max_loras,omitempty" yaml:"max_loras"` // most LoRA adapters in a step; 0: no limit, and the page has none

	// ResidencySample is the share of KV blocks whose residency vLLM's page shows (kv_cache_metrics_sample); 0: the page has none.
	ResidencySample float64 `json:"kv_cache_metrics_sample,omitempty" yaml:"kv_cache_metrics_sample"`

	PhaseSpeed PhaseSpeed `json:"phase_speed,omitzero" yaml:"phase_speed"` // what if

	// Replicas are the workers that differ from the rest, by their place in the pool; it may be shorter than Workers.
	Replicas []Replica `json:"replicas,omitempty" yaml:"replicas"`
}

// DefaultPool is one aggregated worker with Llama-3-70B in bf16 on four H200 and vLLM's scheduler defaults with a budget of 2048.
func DefaultPool() Pool {
	return Pool{
		Name: "aggregated", Role: Aggregated, Workers: 1,
		Deployment: Deployment{Model: "llama-3-70b", GPU: "h200", Stack: "vllm", Precision: "bf16", TensorParallel: 4},
		Engine:     VLLM, MaxBatchedTokens: 2048, MaxNumSeqs: 256, BlockSize: 16, PrefixCaching: true,
	}
}

// gpuMemoryUtilization is the share of GPU memory the engine takes (vLLM's default).
const gpuMemoryUtilization = 0.92

// runtimeBytes is what the engine needs on each GPU beside weights and KV cache: activations, communication buffers, graphs
// (aiconfigurator h200_sxm.yaml, other_mem plus nccl_mem at TP 4).
const runtimeBytes = 4.17e9

// mostWorkers bounds a pool: each worker takes 0.1 MB at least.
const mostWorkers = 10_000

// validate checks every bound and reports all violations at once; key is the pool's place in the configuration.
func (p *Pool) validate(key string) error {
	var errs []error
	atLeast := func(name string, value, bound int) {
		if value < bound {
			errs = append(errs, fmt.Errorf("%s.%s: must be at least %d, is %d", key, name, bound, value))
		}
	}
	atLeast("workers", p.Workers, 1)
	if p.Workers > mostWorkers {
		errs = append(errs, fmt.Errorf("%s.workers: must be at most %d, is %d", key, mostWorkers, p.Workers))
	}
	atLeast("max_num_seqs", p.MaxNumSeqs, 1)
	atLeast("max_num_batched_tokens", p.MaxBatchedTokens, p.MaxNumSeqs)
	atLeast("block_size", p.BlockSize, 1)
	atLeast("kv_blocks", p.KVBlocks, 0)
	atLeast("max_model_tokens", p.MaxModelTokens, 0)
	atLeast("long_prefill_token_threshold", p.MaxChunk, 0)
	atLeast("max_loras", p.MaxAdapters, 0)
	if !(p.ResidencySample >= 0 && p.ResidencySample <= 1) {
		errs = append(errs, fmt.Errorf("%s.kv_cache_metrics_sample: must be from 0 to 1, is %g", key, p.ResidencySample))
	}
	if err := errors.Join(p.Speculative.validate(), p.PhaseSpeed.validate(), p.validateWindow()); err != nil {
		errs = append(errs, fmt.Errorf("%s.%w", key, err))
	}
	switch p.Role {
	case Aggregated, Prefill, Decode:
	default:
		errs = append(errs, fmt.Errorf("%s.role: must be %s, %s or %s, is %q", key, Aggregated, Prefill, Decode, p.Role))
	}
	switch p.Engine {
	case VLLM, SGLang, TensorRTLLM:
	default:
		errs = append(errs, fmt.Errorf("%s.engine: must be %s, %s or %s, is %q", key, VLLM, SGLang, TensorRTLLM, p.Engine))
	}
	switch p.KVPrecision {
	case "", "bf16", "fp8":
	default:
		errs = append(errs, fmt.Errorf("%s.kv_precision: must be bf16 or fp8, is %q", key, p.KVPrecision))
	}
	switch p.TensorParallel {
	case 1, 2, 4, 8:
	default:
		errs = append(errs, fmt.Errorf("%s.tensor_parallel: must be 1, 2, 4 or 8, is %d", key, p.TensorParallel))
	}
	if !(p.PowerLimit >= 0) {
		errs = append(errs, fmt.Errorf("%s.power_limit: must be at least 0, is %g", key, p.PowerLimit))
	}
	if len(p.Replicas) > p.Workers {
		errs = append(errs, fmt.Errorf("%s.replicas: must be at most as many as workers %d, are %d", key, p.Workers, len(p.Replicas)))
	}
	for i, r := range p.Replicas {
		if err := checkSpeed(r.Speed); r.Speed != 0 && err != nil {
			errs = append(errs, fmt.Errorf("%s.replicas[%d].%w", key, i, err))
		}
	}
	return errors.Join(errs...)
}

// slowest and fastest bound a worker's speed: beyond them a step's time leaves the range of useful numbers.
const (
	slowest = 1e-3
	fastest = 1e3
)

func checkSpeed(v float64) error {
	if !(v >= slowest && v <= fastest) {
		return fmt.Errorf("speed: must be from %g to %g, is %g", slowest, fastest, v)
	}
	return nil
}

// replica is how the i-th worker of the pool differs.
func (p *Pool) replica(i int) Replica {
	r := Replica{}
	if i < len(p.Replicas) {
		r = p.Replicas[i]
	}
	if r.Speed == 0 {
		r.Speed = 1
	}
	return r
}

// memoryBlocks is how many KV blocks the group's memory holds beside the weights.
func (p *Pool) memoryBlocks(gpu physics.GPU, model physics.Model) int {
	tp := float64(p.TensorParallel)
	left := gpu.Memory*gpuMemoryUtilization*tp - model.WeightBytes(p.Precision) - runtimeBytes*tp
	return int(left / (model.KVBytesPerToken(p.KVPrecision) * float64(p.BlockSize) / float64(p.groups())))
}

// sizeKV settles the KV blocks and checks that the longest context fits, as the engine does at start: otherwise a single request
// could wait for ever.
func (p *Pool) sizeKV(gpu physics.GPU, model physics.Model) error {
	if p.MaxModelTokens == 0 {
		p.MaxModelTokens = model.MaxTokens
	}
	if p.MaxModelTokens > model.MaxTokens {
		return fmt.Errorf("max_model_tokens: must be at most %d with model %s, is %d", model.MaxTokens, p.Model, p.MaxModelTokens)
	}
	derived := p.KVBlocks == 0
	if derived {
		p.KVBlocks = p.memoryBlocks(gpu, model)
	}
	// One block is vLLM's null block and never used.
	need := p.sequencePages(p.MaxModelTokens) + 1
	if p.KVBlocks >= need {
		return nil
	}
	if derived {
		return fmt.Errorf("kv_blocks: %s %s on %d x %s leaves memory for %d blocks, a context of max_model_tokens %d needs %d",
			p.Model, p.Precision, p.TensorParallel, p.GPU, max(p.KVBlocks, 0), p.MaxModelTokens, need)
	}
	return fmt.Errorf("kv_blocks: must be at least %d for max_model_tokens %d, is %d", need, p.MaxModelTokens, p.KVBlocks)
}
