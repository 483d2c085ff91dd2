package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// traceStatistics replays the public traces through a fleet and compares what the fleet was asked with the published statistics.
func traceStatistics(data string, report func(result)) error {
	azure := filepath.Join(data, "traces", "azure2023")
	for _, t := range []struct {
		name, file string
		published  statistics
		outputUnit float64
	}{
		{"code", "AzureLLMInferenceTrace_code.csv.gz", statistics{8819, 2048, 1469, 27.9, 13, 2.57, 13.15}, 0.1},
		{"conversation", "AzureLLMInferenceTrace_conv.csv.gz", statistics{19366, 1155, 1020, 211, 129, 5.53, 1.09}, 1},
	} {
		requests, err := replayAll(filepath.Join(azure, t.file), 16)
		if err != nil {
			return err
		}
		got := measure(requests)
		for _, v := range []struct {
			what            string
			got, want, unit float64 // unit: of the last digit published
		}{
			{"requests", got.requests, t.published.requests, 1},
			{"prompt-mean", got.promptMean, t.published.promptMean, 1},
			{"prompt-median", got.promptMedian, t.published.promptMedian, 1},
			{"output-mean", got.outputMean, t.published.outputMean, t.outputUnit},
			{"output-median", got.outputMedian, t.published.outputMedian, 1},
			{"rate", got.rate, t.published.rate, 0.01},
			{"interarrival-cv", got.cv, t.published.cv, 0.01},
		} {
			report(result{
				name: "A14/azure-" + t.name + "/" + v.what, value: fmt.Sprintf("%.6g(%g)", v.got, v.want),
				bar: fmt.Sprintf("rounds-to-%g", v.unit), pass: math.Abs(v.got-v.want) <= v.unit/2+1e-9,
			})
		}
	}
	return mooncakeHits(data, report)
}

// mooncakeHits replays the Mooncake conversation with a cache that never evicts, in blocks as long as the trace's, and counts blocks, a
// last partial one too. In the file itself, whole blocks only, 0.366 are known; an engine computes the last block of a prompt again even
// when it knows it all, and prompts that arrive together do not know each other yet.
func mooncakeHits(data string, report func(result)) error {
	const block = 512
	requests, err := replayAll(filepath.Join(data, "traces", "mooncake", "conversation_trace.jsonl.zst"), block)
	if err != nil {
		return err
	}
	hits, blocks := 0, 0
	for _, r := range requests {
		hits += r.CachedTokens / block
		blocks += (r.PromptTokens + block - 1) / block
	}
	hit := float64(hits) / float64(blocks)
	report(result{
		name: "A14/mooncake-conversation/prefix-hit", value: fmt.Sprintf("%.4f(0.366)", hit), bar: "within-0.002",
		pass: math.Abs(hit-0.366) <= 0.002,
	})
	return nil
}

// replayAll serves a whole trace with one worker that has memory for all of it.
func replayAll(path string, blockSize int) ([]fleetsim.RequestTruth, error) {
	cfg := fleetsim.DefaultConfig()
	cfg.Pools[0].Model, cfg.Pools[0].GPU, cfg.Pools[0].TensorParallel = "llama-3-8b", "b200", 8
	cfg.Pools[0].BlockSize, cfg.Pools[0].KVBlocks, cfg.Pools[0].MaxBatchedTokens = blockSize, 4_000_000/(blockSize/16), 16384
	cfg.Workload = fleetsim.Trace{Path: path, Load: 1}
	var requests []fleetsim.RequestTruth
	cfg.OnRequest = func(r fleetsim.RequestTruth) { requests = append(requests, r) }
	f, err := fleetsim.New(cfg)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for !f.Done() {
		if err := f.Advance(f.Now() + time.Minute); err != nil {
			return nil, err
		}
	}
	truth := f.Truth()
	if truth.RejectedRequests > 0 || truth.Preemptions > 0 {
		return nil, fmt.Errorf("%s: %d requests refused, %d preemptions", path, truth.RejectedRequests, truth.Preemptions)
	}
	return requests, nil
}

// statistics of a trace: lengths in tokens, rate in requests/s, coefficient of variation of the intervals between arrivals.
type statistics struct {
	requests, promptMean, promptMedian, outputMean, outputMedian, rate, cv float64
}

func measure(requests []fleetsim.RequestTruth) statistics {
	var prompts, outputs, arrivals []float64
	for _, r := range requests {
		prompts = append(prompts, float64(r.PromptTokens))
		outputs = append(outputs, float64(r.OutputTokens))
		arrivals = append(arrivals, r.ArrivalSeconds)
	}
	slices.Sort(arrivals)
	var intervals []float64
	for i := 1; i < len(arrivals); i++ {
		intervals = append(intervals, arrivals[i]-arrivals[i-1])
	}
	mean, deviation := moments(intervals)
	s := statistics{requests: float64(len(requests)), rate: 1 / mean, cv: deviation / mean}
	s.promptMean, _ = moments(prompts)
	s.outputMean, _ = moments(outputs)
	s.promptMedian, s.outputMedian = median(prompts), median(outputs)
	return s
}

// moments are mean and standard deviation.
func moments(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(deviation)
}
