package main

import (
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

const (
	// strictStall is the strict objective of Sarathi-Serve (arXiv 2403.02310): P99 of the time between tokens at most this many times an
	// undisturbed decode step of 32 sequences.
	strictStall = 5
	// tolerableDelay is its condition of a stable queue: the median request is scheduled within so many seconds.
	tolerableDelay = 2.0
)

// chunking compares the load a worker bears under a strict objective for the time between tokens, with prompts cut into chunks of at
// most 512 tokens and with whole prompts in a step. Sarathi-Serve reports 2 to 6 times as much with chunks.
func chunking(o options, report func(result)) error {
	duration := 10 * time.Minute
	if o.quick {
		duration = 3 * time.Minute
	}
	objective, err := undisturbedStep()
	if err != nil {
		return err
	}
	objective *= strictStall
	chunked, err := capacity(512, objective, duration)
	if err != nil {
		return err
	}
	whole, err := capacity(16384, objective, duration)
	if err != nil {
		return err
	}
	ratio := chunked / whole
	report(result{
		name: "A14/chunking-gain/synthetic", value: fmt.Sprintf("%.2f(x%.2f/x%.2f,p99-itl<=%.0fms)", ratio, chunked, whole, 1e3*objective),
		bar: ">=2", pass: ratio >= 2,
	})
	return nil
}

// undisturbedStep is the length of a decode step of the default worker with 32 sequences at a context of 1500, in seconds.
func undisturbedStep() (float64, error) {
	figures, err := fleetsim.PhysicsFigures()
	if err != nil {
		return 0, err
	}
	cfg := fleetsim.DefaultConfig()
	m, err := figures.NewCost(physics.Deployment{
		Model: cfg.Pools[0].Model, GPU: cfg.Pools[0].GPU, Stack: cfg.Pools[0].Stack, Precision: cfg.Pools[0].Precision, TensorParallel: cfg.Pools[0].TensorParallel,
	})
	if err != nil {
		return 0, err
	}
	return m.Seconds(decode(32, 1500)), nil
}

// capacity is the largest load, as a multiple of the conversation traffic's rate, that meets the objective; found by bisection.
func capacity(budget int, objective float64, duration time.Duration) (float64, error) {
	low, high := 0.0, 3.0
	for range 7 {
		load := (low + high) / 2
		ok, err := bears(budget, load, objective, duration)
		if err != nil {
			return 0, err
		}
		if ok {
			low = load
		} else {
			high = load
		}
	}
	if low == 0 {
		return 0, fmt.Errorf("budget %d: no load above %g of the conversation rate keeps P99 of ITL at %g s", budget, high, objective)
	}
	return low, nil
}

func bears(budget int, load, objective float64, duration time.Duration) (bool, error) {
	cfg := fleetsim.DefaultConfig()
	cfg.Pools[0].MaxBatchedTokens, cfg.Pools[0].PrefixCaching = budget, false
	cfg.Workload = fleetsim.Synthetic{Shape: "azure-conversation", Load: load}
	f, err := fleetsim.New(cfg)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := f.Advance(duration); err != nil {
		return false, err
	}
	truth := f.Truth()
	return truth.ITL.P99 <= objective && truth.Queue.P50 <= tolerableDelay, nil
}
