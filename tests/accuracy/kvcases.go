package main

import (
	"fmt"
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// The case of vllm-project/vllm#57336: a saturating stream of prompts of 17 tokens with blocks of 16 shows 66.7 % of the pool in use,
	// of which 36.5 % hold anything.
	shortUsed, shortLive = 0.667, 0.365
	shortBar             = 0.01
	// A fleet with a hit ratio of 95 % of which 30 % of the pools serve nobody.
	hidingHits, hidingScore, hidingBar = 0.95, 0.30, 0.05
)

// knownCases are cases that a single number of usage or of hits hides.
func knownCases(o options, report func(result)) error {
	for _, sources := range []bool{true, false} {
		if err := shortPrompts(o, sources, report); err != nil {
			return err
		}
	}
	return hidingHitRatio(o, report)
}

// shortPrompts runs 256 requests of two blocks each at a time, in a pool of 768 blocks.
func shortPrompts(o options, sources bool, report func(result)) error {
	s := kvScenario{
		name: "vllm#57336", cfg: fleetsim.DefaultConfig(), warmUp: 2 * time.Minute, duration: 12 * time.Minute, interval: 5 * time.Second,
		events: sources, passes: sources,
	}
	if o.quick {
		s.duration = 5 * time.Minute
	}
	s.cfg.KVLedger = true
	p := &s.cfg.Pools[0]
	p.Model, p.GPU, p.TensorParallel = "llama-3-8b", "h100", 1
	p.KVBlocks, p.MaxNumSeqs, p.MaxModelTokens, p.MaxBatchedTokens = 769, 256, 2048, 8192
	s.cfg.Workload = fleetsim.ClosedLoop{Concurrency: 400, PromptTokens: 17, OutputTokens: 2}
	out, err := kvReplay(s, nil)
	if err != nil {
		return err
	}
	w := out.workers[0]
	truth, pool := poolTruth(w), w.pool()
	live := w.mean(signal.KVTokens, signal.KVUseLive) / pool
	used := live + (w.mean(signal.KVTokens, signal.KVUseTailWaste)+w.mean(signal.KVTokens, signal.KVUseReserved)+w.mean(signal.KVTokens, signal.KVUsePinned))/pool
	for _, v := range []struct {
		name             string
		said, true, want float64
	}{
		{"used", used, (truth.Live + truth.TailWaste) / truth.Total(), shortUsed}, {"live", live, truth.Live / truth.Total(), shortLive},
	} {
		report(result{
			name:  "A10/" + v.name + "/" + s.String() + "/synthetic",
			value: fmt.Sprintf("%.1f%%(%.1f%%)", 100*v.said, 100*v.true),
			bar:   fmt.Sprintf("%.1f+-%g%%", 100*v.want, 100*shortBar),
			pass:  math.Abs(v.said-v.want) <= shortBar && math.Abs(v.true-v.want) <= shortBar,
		})
	}
	return nil
}

// hidingHitRatio runs two workers with a few long system prompts, which nearly always hit, and short questions and answers below them,
// which nobody asks for again and which fill what is left of the pools.
func hidingHitRatio(o options, report func(result)) error {
	s := kvScenario{
		name: "95%-hits", cfg: fleetsim.DefaultConfig(), warmUp: 10 * time.Minute, duration: 40 * time.Minute, interval: 5 * time.Second,
		events: true, passes: true,
	}
	if o.quick {
		s.warmUp, s.duration = 5*time.Minute, 10*time.Minute
	}
	s.cfg.KVLedger = true
	p := &s.cfg.Pools[0]
	p.Workers, p.KVBlocks, p.MaxModelTokens = 2, 7_500, 32_768
	s.cfg.Workload = hidingTraffic()
	out, err := kvReplay(s, nil)
	if err != nil {
		return err
	}
	for i, w := range out.workers {
		truth := poolTruth(w)
		lost := (truth.TailWaste + truth.Reserved + truth.Pinned + truth.CachedDead) / truth.Total()
		hits, score := w.mean(signal.KVHitRatio, signal.CacheScopeLocal), w.mean(signal.KVFragmentation)
		name := fmt.Sprintf("/%v/worker%d/synthetic", s, i)
		report(result{
			name: "A10/hit-ratio" + name, value: fmt.Sprintf("%.1f%%", 100*hits), bar: fmt.Sprintf("%g%%", 100*hidingHits), pass: hits >= hidingHits,
		})
		report(result{
			name: "A10/fragmentation" + name, value: fmt.Sprintf("%.1f%%(%.1f%%)", 100*score, 100*lost),
			bar:  fmt.Sprintf("%g+-%g%%,truth+-%g", 100*hidingScore, 100*hidingBar, 100*poolShareBar),
			pass: math.Abs(score-hidingScore) <= hidingBar && math.Abs(score-lost) <= poolShareBar,
		})
		dead := w.mean(signal.KVTokens, signal.KVUseCachedDead) / w.pool()
		report(result{
			name: "A10/explained-as-dead-cache" + name, value: fmt.Sprintf("%.1f%%", 100*dead),
			bar: "9/10_of_it", pass: dead >= 0.9*score,
		})
	}
	return nil
}

// hidingTraffic is short questions below a few long system prompts.
func hidingTraffic() fleetsim.Workload {
	return fleetsim.Custom{
		Rate: 9, CV: 1, Prompt: fleetsim.Uniform(4050, 4350), Output: fleetsim.Uniform(20, 60),
		SharedPrefixShare: 1, SharedPrefixes: 20, SharedPrefixTokens: 4032,
	}
}
