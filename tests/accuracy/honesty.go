package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// wrong is the relative error beyond which a share must not be given with HIGH confidence. Below rareShare it is held to that share's:
	// half a point of the time is no error that anybody acts on.
	wrong, rareShare = 0.10, 0.05
	// highBar is the least share of identifiable time that must have HIGH confidence where forward passes or facts allow it, withheldBar
	// the most of it that may be withheld.
	highBar, withheldBar = 0.80, 0.05
	// honestySeed draws the random scenarios. Terms of the confidences were set on 2026, 2028 and 2029, nothing on this one.
	honestySeed = 2030
	// calibrationBar is how far P(error <= 10 %) may be from the confidence, in classes of at least enoughScenarios.
	calibrationBar, enoughScenarios = 0.10, 30
)

// honesty is A3: a confidence means what it says, in scenarios that cannot be identified as in random ones, and it is not bought with
// silence.
func honesty(o options, report func(result)) error {
	var classes [10]struct{ n, right, confidence float64 }
	liars, scenarios, worst := 0, 0, ""
	judge := func(s scenario, got outcome) {
		confidence, seen := got.confidence()
		if seen == 0 {
			return
		}
		scenarios++
		e := got.relativeError()
		if confidence >= 0.8 && e > wrong {
			liars++
			worst = fmt.Sprintf("(%s:%.0f%%)", s.setting.name, 100*e)
		}
		c := &classes[min(9, int(10*confidence))]
		c.n++
		c.confidence += confidence
		if e <= wrong {
			c.right++
		}
	}
	if err := overGrid(o, append(unidentifiable(o), randomScenarios(o)...), judge); err != nil {
		return err
	}
	report(result{
		name: "A3/high-and-wrong/synthetic", value: fmt.Sprintf("%d/%d%s", liars, scenarios, worst), bar: "0", pass: liars == 0 && scenarios > 0,
	})
	for i, c := range classes {
		if c.n == 0 {
			continue
		}
		off := c.right/c.n - c.confidence/c.n
		report(result{
			name:  fmt.Sprintf("A3/calibration/synthetic/%.1f", float64(i)/10),
			value: fmt.Sprintf("%+.2f(%.2f/%.2f,n=%.0f)", off, c.right/c.n, c.confidence/c.n, c.n),
			bar:   fmt.Sprintf("-%.1f", calibrationBar), pass: off >= -calibrationBar, told: c.n < enoughScenarios,
		})
	}
	return notBySilence(o, report)
}

// notBySilence holds hours that can be identified to be given, and with HIGH confidence where the tier may have it.
func notBySilence(o options, report func(result)) error {
	var grid []scenario
	for _, s := range phaseTimeGrid(o) {
		if s.deployment == reference() && s.load >= 1 {
			grid = append(grid, s)
		}
	}
	return overGrid(o, grid, func(s scenario, got outcome) {
		k := key(signal.EstimateConfidence, signal.EstimatePhaseTime)
		from, to := got.marks[0].said, got.last().said
		elapsed := (to[timeKey] - from[timeKey]) / 1e9
		withheld := 1 - (to[given+k]-from[given+k])/elapsed
		report(result{
			name: "A3/withheld/" + s.String(), value: fmt.Sprintf("%.1f%%", 100*withheld), bar: fmt.Sprintf("%.0f%%", 100*withheldBar),
			pass: withheld <= withheldBar,
		})
		sure := (to[high+k] - from[high+k]) / elapsed
		report(result{
			name: "A3/high/" + s.String(), value: fmt.Sprintf("%.0f%%", 100*sure), bar: fmt.Sprintf("%.0f%%", 100*highBar),
			// Counters alone never claim HIGH: their known error is larger than that promises.
			pass: sure >= highBar, told: !s.with.passes && !s.with.facts,
		})
	})
}

// confidence is the mean confidence of phase time from the first mark on, and for how many seconds there was one.
func (o outcome) confidence() (mean, seconds float64) {
	k := key(signal.EstimateConfidence, signal.EstimatePhaseTime)
	from, to := o.marks[0].said, o.last().said
	seconds = to[given+k] - from[given+k]
	if seconds <= 0 {
		return 0, 0
	}
	return (to[integral+k] - from[integral+k]) / seconds, seconds
}

func (o outcome) relativeError() float64 {
	e := math.Abs(o.share()-o.trueShare()) / math.Max(o.trueShare(), rareShare)
	if math.IsNaN(e) {
		return 0 // nothing ran
	}
	return e
}

// withVariants is the scenario with each of the sources that it can be told by.
func withVariants(s scenario) []scenario {
	var all []scenario
	for _, with := range []sources{{}, {facts: true}, {passes: true}} {
		s.with = with
		all = append(all, s)
	}
	return all
}

// unidentifiable are workers of which counters say little.
func unidentifiable(o options) []scenario {
	duration := time.Hour
	if o.quick {
		duration = 10 * time.Minute
	}
	base := scenario{reference(), "synthetic", 1, 2048, 5 * time.Second, 1, duration, sources{}, setting{}}
	var all []scenario
	for _, c := range []setting{
		{name: "constant-load", workload: fleetsim.ClosedLoop{Concurrency: 32, PromptTokens: 1000, OutputTokens: 200, Spread: 0.05}},
		{name: "pure-decode", workload: fleetsim.ClosedLoop{Concurrency: 32, PromptTokens: 4, OutputTokens: 2000, Spread: 0.2}},
		{name: "collinear-lengths", workload: fleetsim.Custom{
			Rate: 4, CV: 1, Prompt: fleetsim.Uniform(999, 1001), Output: fleetsim.Uniform(199, 201),
		}},
		{name: "power-capped", fleet: func(c *fleetsim.Config) { c.Pools[0].PowerLimit = 400 }},
		{name: "idle", workload: fleetsim.Synthetic{Shape: "azure-conversation", Load: 0.01}},
	} {
		s := base
		s.setting = c
		all = append(all, withVariants(s)...)
	}
	return all
}

// randomScenarios are deployments and traffic at random, published by their seed.
func randomScenarios(o options) []scenario {
	n, duration := 500, 15*time.Minute
	if o.quick {
		n, duration = 20, 10*time.Minute
	}
	rng := rand.New(rand.NewPCG(honestySeed, 3))
	deployments := append(others(), reference())
	between := func(low, high float64) float64 { return low * math.Pow(high/low, rng.Float64()) }
	var all []scenario
	for i := range n {
		d := deployments[rng.IntN(len(deployments))]
		prompt, output := between(50, 4000), between(10, 800)
		tokens := 6000.0 // that the deployment computes in a second, about
		if d.model == "llama-3-8b" {
			tokens = 15_000
		}
		load := between(0.05, 1.3)
		s := scenario{
			d, "synthetic", 1, []int{2048, 4096, 8192}[rng.IntN(3)], 5 * time.Second, uint64(i + 1), duration,
			[]sources{{}, {facts: true}, {passes: true}}[rng.IntN(3)],
			setting{name: fmt.Sprintf("random%d", i), workload: fleetsim.Custom{
				Rate: load * tokens / (prompt + 8*output), CV: between(0.5, 4),
				Prompt: fleetsim.Uniform(prompt/4+1, 2*prompt+1), Output: fleetsim.Uniform(output/4+1, 2*output+1),
			}},
		}
		noise := between(0.005, 0.05)
		s.setting.fleet = func(c *fleetsim.Config) { c.StepNoise = noise }
		all = append(all, s)
	}
	return all
}
