package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// capacityRise is by how much one phase's capacity alone rises, clearGain from which difference of the gains one phase limits.
	capacityRise, clearGain = 0.1, 0.03
	sideBar, balancedBar    = 0.95, 0.80
	sideWithheldBar         = 0.15
)

// side is A18: whether the imbalance names the phase whose capacity, raised alone by a tenth, raises goodput most.
func side(o options, report func(result)) error {
	var right, decided, balanced, saidBalanced, silent, liars, n float64
	for _, s := range sideScenarios(o) {
		base, err := replay(s, s.setting.workload)
		if err != nil {
			return err
		}
		prefill, err := faster(s, fleetsim.PhaseSpeed{Prefill: 1 + capacityRise})
		if err != nil {
			return err
		}
		decode, err := faster(s, fleetsim.PhaseSpeed{Decode: 1 + capacityRise})
		if err != nil {
			return err
		}
		n++
		gain := (prefill - decode) / math.Max(1, met(base))
		imbalance, confidence, seen := base.imbalance()
		if !seen {
			silent++
			continue
		}
		switch {
		case math.Abs(gain) > clearGain:
			decided++
			if imbalance*gain > 0 {
				right++
			} else if confidence >= 0.8 {
				liars++
			}
		default:
			balanced++
			if math.Abs(imbalance) < serving.BalancedBand {
				saidBalanced++
			}
		}
	}
	line := func(name string, got, of, bar float64, atLeast bool) {
		share := got / math.Max(1, of)
		report(result{
			name: "A18/" + name + "/synthetic", value: fmt.Sprintf("%.0f%%(%.0f/%.0f)", 100*share, got, of), bar: fmt.Sprintf("%.0f%%", 100*bar),
			pass: of > 0 && (atLeast == (share >= bar) || share == bar),
			// The pressures are of latencies against objectives; whether they name the phase to strengthen is what this line tells.
			told: true,
		})
	}
	line("right-side", right, decided, sideBar, true)
	line("balanced", saidBalanced, balanced, balancedBar, true)
	line("withheld", silent, n, sideWithheldBar, false)
	report(result{
		name: "A18/high-and-wrong/synthetic", value: fmt.Sprintf("%.0f/%.0f", liars, decided), bar: "0", pass: liars == 0,
	})
	return nil
}

// faster is how many requests met both objectives when one phase is faster.
func faster(s scenario, speed fleetsim.PhaseSpeed) (float64, error) {
	s.setting.fleet = func(c *fleetsim.Config) { c.Pools[0].PhaseSpeed = speed }
	got, err := replay(s, s.setting.workload)
	if err != nil {
		return 0, err
	}
	return met(got), nil
}

func met(o outcome) float64 {
	return float64(o.last().truth.Goodput.Both - o.marks[0].truth.Goodput.Both)
}

// imbalance is the mean from the first mark on, with its mean confidence.
func (o outcome) imbalance() (mean, confidence float64, seen bool) {
	from, to := o.marks[0].said, o.last().said
	k := key(signal.EstimateConfidence, signal.EstimateImbalance)
	seconds := to[given+k] - from[given+k]
	if seconds <= 0 {
		return 0, 0, false
	}
	value := integral + key(signal.PhaseImbalance)
	return (to[value] - from[value]) / seconds, (to[integral+k] - from[integral+k]) / seconds, true
}

func sideScenarios(o options) []scenario {
	n, duration := 60, 20*time.Minute
	if o.quick {
		n, duration = 6, 10*time.Minute
	}
	rng := rand.New(rand.NewPCG(2026, 18))
	between := func(low, high float64) float64 { return low * math.Pow(high/low, rng.Float64()) }
	var all []scenario
	for i := range n {
		prompt, output := between(100, 4000), between(20, 600)
		all = append(all, scenario{reference(), "synthetic", 1, 2048, 5 * time.Second, uint64(i + 1), duration, sources{}, setting{
			name: fmt.Sprintf("side%d", i),
			workload: fleetsim.Custom{
				Rate: between(0.5, 1) * 11_000 / (prompt + 8*output), CV: 1,
				Prompt: fleetsim.Uniform(prompt/2+1, 1.5*prompt+1), Output: fleetsim.Uniform(output/2+1, 1.5*output+1),
			},
		}})
	}
	return all
}
