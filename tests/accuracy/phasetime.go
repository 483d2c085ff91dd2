package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// deployment is what serves.
type deployment struct {
	model, gpu, precision string
	tensorParallel        int
}

func (d deployment) String() string {
	return fmt.Sprintf("%s-%s-%s-tp%d", d.model, d.precision, d.gpu, d.tensorParallel)
}

// scenario is one simulated hour.
type scenario struct {
	deployment
	traffic  string // conversation, code or synthetic
	load     float64
	budget   int
	interval time.Duration
	seed     uint64
	duration time.Duration // of simulated time at load 1
}

func (s scenario) String() string {
	return fmt.Sprintf("%v/%s/x%g/budget%d/%v/seed%d", s.deployment, s.traffic, s.load, s.budget, s.interval, s.seed)
}

const (
	// shareBar bounds the relative error of prefill's share of attributed time over the hour, for the reference deployment.
	shareBar = 0.06
	// saturatedBar is the same where the trace asks for more than the worker can compute for most of the hour: two hundred sequences
	// decode at once, far from where costs are linear.
	saturatedBar  = 0.08
	saturatedLoad = 1.6
	// widerBar is the same for the other deployments, saturated ones among them, and for ten minutes of which the first goes
	// into the fit.
	widerBar = 0.13
	// attributedBar is the least share of the hour that must be attributed: an estimator must not pass by silence.
	attributedBar = 0.9
	// traceLength is how long the public conversation and code traces are.
	traceLength = 58 * time.Minute
)

// phaseTimeShare is A1 for tier T3: prefill's share of attributed worker time against the ledger's Shapley share.
func phaseTimeShare(o options, report func(result)) error {
	for _, s := range phaseTimeGrid(o) {
		bar := shareBar
		if s.load >= saturatedLoad {
			bar = saturatedBar
		}
		if o.quick || s.deployment != reference() {
			bar = widerBar
		}
		workload, err := workloadOf(s, o.data)
		if err != nil {
			return err
		}
		got, err := replay(s, workload)
		if err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		deviation := got.share/got.truth - 1
		report(result{
			name:  "A1/time-share/" + s.String(),
			value: fmt.Sprintf("%+.2f%%(%.4f/%.4f)", 100*deviation, got.share, got.truth),
			bar:   fmt.Sprintf("%.0f%%", 100*bar),
			pass:  math.Abs(deviation) <= bar, // NaN fails
		})
		report(result{
			name:  "A1/attributed/" + s.String(),
			value: fmt.Sprintf("%.1f%%", 100*got.attributed),
			bar:   fmt.Sprintf("%.0f%%", 100*leastAttributed(o)),
			pass:  got.attributed >= leastAttributed(o),
		})
	}
	return nil
}

func leastAttributed(o options) float64 {
	if o.quick {
		return attributedBar - 0.1 // the first minute of ten is warm-up
	}
	return attributedBar
}

// reference is the deployment of the whole grid; the others are scored at one load each.
func reference() deployment { return deployment{"llama-3-70b", "h200", "bf16", 4} }

// phaseTimeGrid lists the scenarios.
func phaseTimeGrid(o options) []scenario {
	traffic, seeds, duration := "synthetic", uint64(5), traceLength
	loads, budgets := []float64{0.5, 1, 1.6}, []int{2048, 8192}
	if o.data != "" {
		traffic = "conversation"
	}
	if o.quick {
		seeds, duration, budgets = 1, 10*time.Minute, []int{2048}
	}
	var grid []scenario
	for _, load := range loads {
		for _, budget := range budgets {
			for seed := range seeds {
				grid = append(grid, scenario{reference(), traffic, load, budget, 5 * time.Second, seed + 1, duration})
			}
		}
	}
	if o.quick {
		return append(grid, scenario{others()[0], traffic, 1, 2048, 5 * time.Second, 1, duration})
	}
	for _, d := range others() {
		for _, load := range []float64{1, 2.5} {
			if d.model == "llama-3-70b" && load > 1.6 {
				continue // more than the worker can serve
			}
			grid = append(grid, scenario{d, traffic, load, 2048, 5 * time.Second, 1, duration})
		}
	}
	return grid
}

// others are deployments with other balances of compute, memory and overhead than the reference.
func others() []deployment {
	return []deployment{
		{"llama-3-8b", "h100", "bf16", 1},
		{"llama-3-8b", "h100", "fp8", 1},
		{"llama-3-8b", "h200", "bf16", 1},
		{"llama-3-8b", "a100", "bf16", 1},
		{"llama-3-70b", "h100", "bf16", 4},
		{"llama-3-70b", "h100", "fp8", 4},
	}
}

// workloadOf makes the traffic of a scenario. A missing trace is an error.
func workloadOf(s scenario, data string) (fleetsim.Workload, error) {
	file := map[string]string{
		"conversation": "AzureLLMInferenceTrace_conv.csv.gz",
		"code":         "AzureLLMInferenceTrace_code.csv.gz",
	}[s.traffic]
	if file == "" {
		return fleetsim.Synthetic{Shape: "azure-conversation", Load: s.load}, nil
	}
	path := filepath.Join(data, "traces", "azure2023", file)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return fleetsim.Trace{Path: path, Load: s.load}, nil
}
