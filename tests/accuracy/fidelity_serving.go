package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// servingPoints compares TTFT and TPOT with the measured rows of vLLM with Llama-3.1 in FP8. The overheads were fitted to the rows of
// 70B with TP 2 and 4 (figures.yaml says which stack to which GPU); everything else was not seen by the fit.
func servingPoints(data string, report func(result)) error {
	dir := filepath.Join(data, "traces", "aiconfigurator")
	rows, err := servingRows(filepath.Join(dir, "silicon_sample.csv.zst"), filepath.Join(dir, "silicon_refs.csv"))
	if err != nil {
		return err
	}
	figures, err := fleetsim.PhysicsFigures()
	if err != nil {
		return err
	}
	groups := map[string]*deviations{}
	var order []string
	add := func(name string, p point) {
		if groups[name] == nil {
			groups[name] = &deviations{}
			order = append(order, name)
		}
		groups[name].add(p)
	}
	for _, r := range rows {
		if r.backend != "vllm" || !r.representable() {
			continue
		}
		p, err := r.simulate(figures, r.stack())
		if err != nil {
			return err
		}
		designRow(report, r, p)
		add(fmt.Sprintf("%s-%s-tp%d", r.shortModel(), r.gpu, r.tensorParallel), p)
		switch {
		case r.shortModel() == "llama-3-8b":
			add("8b", p)
			groups["8b"].need = math.Max(groups["8b"].need, r.peakShare())
		case r.fitted():
			add("fitted", p)
		default:
			add("unseen", p)
		}
		if r.gpu == "b200" {
			p, err := r.simulate(figures, "vllm")
			if err != nil {
				return err
			}
			add("b200-without-its-own-overheads", p)
		}
	}
	for _, name := range order {
		g := groups[name]
		switch name {
		case "unseen":
			g.report(report, "A14/serving/unseen", 0.08, 0.25)
		case "8b":
			// The rows say how many prompt tokens a second were served. No kernel computes that many: part of the prompts came from
			// the prefix cache, which the table does not tell, so the rows cannot be simulated.
			informs(report, "A14/serving/8b", fmt.Sprintf("%v,needs=%.2f-of-peak-for-prompts", g, g.need))
		default:
			informs(report, "A14/serving/"+name, g.String())
		}
	}
	return nil
}

// designRow reports the rows that the specification lists one by one: 70B on H200 with TP 4 and 8, 1024/1024.
func designRow(report func(result), r servingRow, p point) {
	if r.shortModel() == "llama-3-70b" && r.gpu == "h200" && r.tensorParallel >= 4 && r.outputTokens == 1024 {
		within(report, fmt.Sprintf("A14/serving/h200-tp%d/c%d/tpot", r.tensorParallel, r.concurrency), 1e3*p.tpot, 1e3*r.tpot, 0.12, "ms")
	}
}

func (r servingRow) shortModel() string {
	switch r.model {
	case "meta-llama/Llama-3.1-70B":
		return "llama-3-70b"
	case "nvidia/Llama-3.1-8B-Instruct-FP8":
		return "llama-3-8b"
	}
	return ""
}

// representable tells whether the simulator has the row's model, GPU and precision (NVFP4 it has not).
func (r servingRow) representable() bool { return r.shortModel() != "" && r.precision == "fp8" }

// fitted tells whether the overheads were fitted to the row.
func (r servingRow) fitted() bool {
	return r.shortModel() == "llama-3-70b" && (r.tensorParallel == 2 || r.tensorParallel == 4)
}

func (r servingRow) stack() string {
	if r.gpu == "b200" {
		return "vllm-decode-graphs"
	}
	return "vllm"
}

// kvPrecision is that of the KV cache. The recipe of the rows asks for FP8 throughout. On H100 and H200 they behave like 16 bits
// nevertheless: 70B on two H100 queues for memory with 64 requests of 8192 tokens, which FP8 would hold, and the price of context is
// that of 16 bits. On one B200 they do not queue where 16 bits would.
func (r servingRow) kvPrecision() string {
	if r.gpu == "b200" || r.shortModel() == "llama-3-8b" {
		return "fp8"
	}
	return "bf16"
}

// peakShare is the share of the FP8 peak that computing the prompts alone would take, at the throughput that concurrency and latencies
// imply (Little's law).
func (r servingRow) peakShare() float64 {
	cycle := r.ttft + float64(r.outputTokens-1)*r.tpot
	tokens := float64(r.concurrency*r.promptTokens) / cycle
	const parameters, peak = 7.5e9, 1.978e15 // Llama-3-8B without its input embedding; H200
	return 2 * parameters * tokens / (peak * float64(r.tensorParallel))
}

// point is a simulated serving point, relative deviations included.
type point struct{ ttft, tpot, ttftError, tpotError float64 }

// simulate runs the row's benchmark on one worker: ten times as many requests as may be open, prompts and answers of 0.8 to 1 of the
// nominal length, a budget of 8192, as many sequences as the client has open, no prefix cache (recipes of SemiAnalysisAI/InferenceX,
// benchmarks/70b_fp8_*.sh of October 2025). The rows of 8B have fixed lengths.
func (r servingRow) simulate(figures *physics.Figures, stack string) (point, error) {
	cfg := fleetsim.DefaultConfig()
	cfg.Pools[0].Model, cfg.Pools[0].GPU, cfg.Pools[0].Precision, cfg.Pools[0].KVPrecision = r.shortModel(), r.gpu, r.precision, r.kvPrecision()
	cfg.Pools[0].Stack, cfg.Pools[0].TensorParallel = stack, r.tensorParallel
	cfg.Pools[0].MaxBatchedTokens, cfg.Pools[0].MaxNumSeqs, cfg.Pools[0].PrefixCaching = 8192, r.concurrency, false
	cfg.Pools[0].MaxModelTokens = r.promptTokens + r.outputTokens + 200
	ratio := 1.0
	if strings.HasPrefix(r.model, "meta-llama/") {
		ratio = 0.8
	}
	cfg.Workload = fleetsim.Benchmark{
		Concurrency: r.concurrency, PromptTokens: r.promptTokens, OutputTokens: r.outputTokens,
		RangeRatio: ratio, Requests: 10 * r.concurrency, FrontEnd: figures.Stacks[stack].FrontEnd,
	}
	var p point
	n := 0.0
	cfg.OnRequest = func(q fleetsim.RequestTruth) {
		n++
		p.ttft += q.FrontEndSeconds + q.FirstTokenSeconds - q.ArrivalSeconds
		p.tpot += (q.LastTokenSeconds - q.FirstTokenSeconds) / float64(max(1, q.OutputTokens-1))
	}
	f, err := fleetsim.New(cfg)
	if err != nil {
		return p, err
	}
	defer f.Close()
	for !f.Done() && f.Now() < 24*time.Hour {
		if err := f.Advance(f.Now() + time.Minute); err != nil {
			return p, err
		}
	}
	if int(n) != 10*r.concurrency {
		return p, fmt.Errorf("%s tp%d c%d: %g of %d requests answered in a simulated day", r.gpu, r.tensorParallel, r.concurrency, n, 10*r.concurrency)
	}
	p.ttft, p.tpot = p.ttft/n, p.tpot/n
	p.ttftError, p.tpotError = p.ttft/r.ttft-1, p.tpot/r.tpot-1
	return p, nil
}
