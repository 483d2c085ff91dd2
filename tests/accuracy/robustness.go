package main

import (
	"fmt"
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

const (
	// growthBar is by how much an error may grow through a disturbance. One that stays below shareBar, or passesBar with forward passes, is
	// no matter: half of a very small error is chance.
	growthBar = 1.5
	// disturbedAttributedBar is the least share of time that must still be attributed.
	disturbedAttributedBar = 0.8
)

// robustness is A15: what goes wrong between an engine and a collector must not make the error grow, a sum fall or a figure be no number.
func robustness(o options, report func(result)) error {
	told := []sources{{gpus: true}, {facts: true, gpus: true}, {passes: true, gpus: true}}
	if o.quick {
		told = told[1:]
	}
	for _, with := range told {
		undisturbed := math.NaN()
		var grid []scenario
		for _, d := range disturbances() {
			grid = append(grid, disturbed(o, with, d))
		}
		for _, s := range grid {
			falls := &watch{last: readings{}, starts: readings{}}
			s.setting.during = falls.see
			var got outcome
			err := overGrid(o, []scenario{s}, func(_ scenario, out outcome) { got = out })
			if err != nil {
				return err
			}
			e := math.Abs(got.share()/got.trueShare() - 1)
			floor := shareBar
			if with.passes {
				floor = passesBar
			}
			if o.quick {
				floor = quickBar
			}
			if s.setting.name == "" {
				undisturbed = e
			}
			bar := math.Max(growthBar*undisturbed, floor)
			report(result{
				name: "A15/error/" + s.String(), value: fmt.Sprintf("%.2f%%(undisturbed:%.2f%%)", 100*e, 100*undisturbed),
				bar: fmt.Sprintf("%.1f%%", 100*bar), pass: e <= bar,
			})
			report(result{
				name: "A15/falls-and-no-numbers/" + s.String(), value: fmt.Sprint(falls.falls, "+", falls.wild), bar: "0+0",
				pass: falls.falls+falls.wild == 0 && falls.seen > 0,
			})
			report(result{
				name: "A15/attributed/" + s.String(), value: fmt.Sprintf("%.1f%%", 100*got.attributed()),
				bar: fmt.Sprintf("%.0f%%", 100*disturbedAttributedBar), pass: got.attributed() >= disturbedAttributedBar,
			})
		}
	}
	return nil
}

// disturbances begin with none.
func disturbances() []setting {
	every := func(period time.Duration, do func(*fleetsim.Fleet) error) func(*fleetsim.Fleet) error {
		return func(f *fleetsim.Fleet) error {
			for at := period; at < traceLength; at += period {
				if err := f.At(at, func() { _ = do(f) }); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return []setting{
		{},
		{name: "missing-scrapes", missing: 0.1},
		{name: "skewed-clocks", skew: 2 * time.Second},
		{name: "counter-resets", happen: every(7*time.Minute+time.Second, func(f *fleetsim.Fleet) error { return f.ResetCounters(0) })},
		{name: "restarts", happen: every(9*time.Minute+time.Second, func(f *fleetsim.Fleet) error { return f.RestartWorker(0, 20*time.Second) })},
		{name: "older-names", fleet: func(c *fleetsim.Config) { c.Pools[0].EngineVersion = olderVLLM }},
		{name: "sglang", fleet: func(c *fleetsim.Config) {
			// As it is served by default: a step computes prompts or decodes, not both.
			p := &c.Pools[0]
			p.Engine, p.Scheduling, p.MaxBatchedTokens, p.MaxModelTokens = fleetsim.SGLang, fleetsim.PrefillFirst, 16384, 16384
		}},
	}
}

// olderVLLM calls several of its metrics by names that were changed since.
const olderVLLM = "0.10.0"

func disturbed(o options, with sources, d setting) scenario {
	s := scenario{reference(), "synthetic", 1, 2048, 5 * time.Second, 1, traceLength, with, d}
	if o.data != "" {
		s.traffic = "conversation"
	}
	if o.quick {
		s.duration = 12 * time.Minute
	}
	return s
}

// watch looks for sums that fall without a new start, and for what is no number.
type watch struct {
	last, starts      readings
	falls, wild, seen int
}

func (w *watch) see(_ time.Duration, r readings) {
	for k, v := range r {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			w.wild++
		}
		metric := metricOf(k)
		if start, ok := r[startOf+metric]; ok {
			w.seen++
			if v < w.last[k]-1e-9 && start == w.starts[metric] || v < 0 {
				w.falls++
			}
			w.last[k] = v
		}
	}
	for k, v := range r {
		if metric := metricOf(k); r[startOf+metric] > 0 && v >= 0 {
			w.starts[metric] = r[startOf+metric]
		}
	}
}
