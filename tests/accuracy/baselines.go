package main

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// baseline is what simpler estimators make of a run. They are given the truth of every window, not counters: what is compared is the
// idea.
type baseline struct {
	before        fleetsim.Truth
	regression    *estimate.Regression // of busy seconds on prompt and decode tokens
	prompt, token float64
	busy          float64
}

// take takes the truth at the end of a window.
func (b *baseline) take(t fleetsim.Truth) {
	if b.regression == nil {
		b.regression = estimate.NewRegression(2, 1)
	}
	busy := t.BusySeconds - b.before.BusySeconds
	prompt := float64(t.PrefillTokens - b.before.PrefillTokens)
	tokens := float64(t.DecodeTokens - b.before.DecodeTokens)
	b.before = t
	b.regression.Add([]float64{prompt, tokens}, busy, 1)
	b.prompt += prompt
	b.token += tokens
	b.busy += busy
}

// proportional is prefill's share of the tokens.
func (b *baseline) proportional() float64 { return b.prompt / (b.prompt + b.token) }

// regressed is prefill's share of the time by a regression on tokens only.
func (b *baseline) regressed() float64 {
	theta := b.regression.Solve()
	prefill, decode := theta[0]*b.prompt, theta[1]*b.token
	return prefill / (prefill + decode)
}

// baselineFactor is how many times as wrong as ours the better of the simpler estimators must be, at its worst.
const baselineFactor = 3

// baselines is A4: the worst error of simpler estimators on the conversation grid against ours.
func baselines(o options, report func(result)) error {
	var grid []scenario
	for _, s := range phaseTimeGrid(o) {
		if s.deployment == reference() && !s.with.passes {
			grid = append(grid, s)
		}
	}
	worst := map[string]float64{}
	note := func(name string, share, truth float64) {
		worst[name] = math.Max(worst[name], math.Abs(share/truth-1))
	}
	err := overGrid(o, grid, func(s scenario, got outcome) {
		note(s.with.String(), got.share(), got.trueShare())
		whole := got.last().truth
		truth := whole.PrefillSeconds / whole.BusySeconds
		note("token-proportional", got.baseline.proportional(), truth)
		note("regression-on-tokens", got.baseline.regressed(), truth)
	})
	if err != nil {
		return err
	}
	for _, ours := range []string{sources{}.String(), sources{facts: true}.String()} {
		for _, theirs := range []string{"token-proportional", "regression-on-tokens"} {
			report(result{
				name:  "A4/" + theirs + "-over-" + ours + "/" + grid[0].traffic,
				value: fmt.Sprintf("%.1f(%.1f%%/%.1f%%)", worst[theirs]/worst[ours], 100*worst[theirs], 100*worst[ours]),
				bar:   fmt.Sprint(baselineFactor), pass: worst[theirs] >= baselineFactor*worst[ours],
			})
		}
	}
	return nil
}
