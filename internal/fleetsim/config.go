package fleetsim

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Router decides which worker gets an arrival.
type Router string

// Routers.
const (
	RoundRobin  Router = "round_robin"
	LeastLoaded Router = "least_loaded" // fewest unfinished requests; the lowest index among equals
)

// Config describes a fleet of equal workers and what it is asked to do.
type Config struct {
	Seed    uint64
	Workers int

	Model          string // row of figures.yaml
	GPU            string // row of figures.yaml
	Stack          string // row of figures.yaml: overhead of the serving software
	Precision      string // of the layer weights: bf16 or fp8
	KVPrecision    string // of keys and values: bf16 or fp8; empty means bf16
	TensorParallel int    // GPUs per worker

	MaxBatchedTokens int // token budget of a step (max_num_batched_tokens)
	MaxNumSeqs       int // most sequences in a step (max_num_seqs)
	MaxModelTokens   int // longest context, tokens; 0: what the model allows
	BlockSize        int // tokens per KV block
	KVBlocks         int // KV blocks per worker; 0: what the GPUs' memory leaves
	PrefixCaching    bool

	StepNoise float64 // standard deviation of the logarithm of a step's time
	Router    Router
	Workload  Workload

	// StartTime is the wall time of simulated time 0, used for the created timestamps only.
	StartTime time.Time

	// OnStep and OnRequest, when set, see every finished step and request, from inside Advance.
	OnStep    func(StepTruth)
	OnRequest func(RequestTruth)
}

// gpuMemoryUtilization is the share of GPU memory the engine takes (vLLM's default).
const gpuMemoryUtilization = 0.92

// runtimeBytes is what the engine needs on each GPU beside weights and KV cache: activations, communication buffers, graphs
// (aiconfigurator h200_sxm.yaml, other_mem plus nccl_mem at TP 4).
const runtimeBytes = 4.17e9

// DefaultConfig is one worker with Llama-3-70B in bf16 on four H200, vLLM's scheduler defaults with a budget of 2048, and the
// conversation traffic at its published rate.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Workers: 1,
		Model: "llama-3-70b", GPU: "h200", Stack: "vllm", Precision: "bf16", TensorParallel: 4,
		MaxBatchedTokens: 2048, MaxNumSeqs: 256, BlockSize: 16, PrefixCaching: true,
		StepNoise: 0.02, Router: RoundRobin,
		Workload:  Synthetic{Shape: "azure-conversation", Load: 1},
		StartTime: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// validate checks every bound and reports all violations at once.
func (c Config) validate() error {
	var errs []error
	atLeast := func(key string, value, bound int) {
		if value < bound {
			errs = append(errs, fmt.Errorf("%s: must be at least %d, is %d", key, bound, value))
		}
	}
	atLeast("workers", c.Workers, 1)
	atLeast("max_num_seqs", c.MaxNumSeqs, 1)
	atLeast("max_num_batched_tokens", c.MaxBatchedTokens, c.MaxNumSeqs)
	atLeast("block_size", c.BlockSize, 1)
	atLeast("kv_blocks", c.KVBlocks, 0)
	atLeast("max_model_tokens", c.MaxModelTokens, 0)
	switch c.TensorParallel {
	case 1, 2, 4, 8:
	default:
		errs = append(errs, fmt.Errorf("tensor_parallel: must be 1, 2, 4 or 8, is %d", c.TensorParallel))
	}
	if !(c.StepNoise >= 0 && c.StepNoise <= 1) {
		errs = append(errs, fmt.Errorf("step_noise: must be from 0 to 1, is %g", c.StepNoise))
	}
	if c.Router != RoundRobin && c.Router != LeastLoaded {
		errs = append(errs, fmt.Errorf("router: must be %s or %s, is %q", RoundRobin, LeastLoaded, c.Router))
	}
	if c.Workload == nil {
		errs = append(errs, errors.New("workload: must be set"))
	}
	return errors.Join(errs...)
}

// memoryBlocks is how many KV blocks the group's memory holds beside the weights.
func memoryBlocks(c Config, gpu physics.GPU, model physics.Model) int {
	tp := float64(c.TensorParallel)
	left := gpu.Memory*gpuMemoryUtilization*tp - model.WeightBytes(c.Precision) - runtimeBytes*tp
	return int(left / (model.KVBytesPerToken(c.KVPrecision) * float64(c.BlockSize)))
}

// sizeKV settles the KV blocks and checks that the longest context fits, as the engine does at start: otherwise a single request
// could wait for ever.
func sizeKV(c *Config, gpu physics.GPU, model physics.Model) error {
	if c.MaxModelTokens == 0 {
		c.MaxModelTokens = model.MaxTokens
	}
	if c.MaxModelTokens > model.MaxTokens {
		return fmt.Errorf("max_model_tokens: must be at most %d with model %s, is %d", model.MaxTokens, c.Model, c.MaxModelTokens)
	}
	derived := c.KVBlocks == 0
	if derived {
		c.KVBlocks = memoryBlocks(*c, gpu, model)
	}
	// One block is vLLM's null block and never used.
	need := (c.MaxModelTokens+c.BlockSize-1)/c.BlockSize + 1
	if c.KVBlocks >= need {
		return nil
	}
	if derived {
		return fmt.Errorf("kv_blocks: %s %s on %d x %s leaves memory for %d blocks, a context of max_model_tokens %d needs %d",
			c.Model, c.Precision, c.TensorParallel, c.GPU, max(c.KVBlocks, 0), c.MaxModelTokens, need)
	}
	return fmt.Errorf("kv_blocks: must be at least %d for max_model_tokens %d, is %d", need, c.MaxModelTokens, c.KVBlocks)
}
