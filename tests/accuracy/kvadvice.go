package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	scenarios "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// kvAdviceCase is a fleet with a problem of its KV pools; its remedy is in the scenario.
type kvAdviceCase struct {
	scenario, rule string
	lasts          time.Duration // until the rule can be raised, and to measure
	observe        func(kvWatched) float64
	quick          bool
	before         []scenarios.Override                  // of both runs
	remedy         func(to float64) []scenarios.Override // that follows the advice; nil is the scenario's own
	over           []scenarios.Override                  // more than was advised, after which it is over; none: the remedy
}

// kvWatched is what a run showed.
type kvWatched struct {
	out     kvOutcome
	told    told
	waiting float64 // requests, mean over the second half
	seconds float64 // since the warm-up
}

func kvAdviceCases() []kvAdviceCase {
	return []kvAdviceCase{
		{scenario: "advice-block-size", rule: "kv-block-size", lasts: 10 * time.Minute, observe: emptyRoom, quick: true},
		{scenario: "advice-paged-attention", rule: "kv-paging", lasts: 10 * time.Minute, observe: emptyRoom},
		{
			scenario: "advice-max-model-len", rule: "kv-max-length", lasts: 10 * time.Minute, observe: emptyRoom,
			remedy: func(float64) []scenarios.Override {
				return []scenarios.Override{
					set("pools[0].block_size", "1024"), set("pools[0].max_model_tokens", "1024"), set("pools[0].kv_blocks", "288"),
				}
			},
		},
		{
			scenario: "advice-larger-cache", rule: "kv-larger-cache", lasts: 20 * time.Minute, observe: hitsFound, quick: true,
			remedy: func(float64) []scenarios.Override { return []scenarios.Override{set("pools[0].kv_blocks", "30000")} },
			over:   []scenarios.Override{set("pools[0].kv_blocks", "60000")},
		},
		{scenario: "advice-dead-cache", rule: "kv-dead-cache", lasts: 15 * time.Minute, observe: func(w kvWatched) float64 { return w.waiting }},
		{scenario: "advice-lease", rule: "kv-lease", lasts: 10 * time.Minute, observe: leasesEnded},
		{
			// At the scenario's own rate requests hold all of the pools, and there is no cache to route to.
			scenario: "advice-prefix-routing", rule: "kv-prefix-routing", lasts: 15 * time.Minute, observe: hitsFound,
			before: []scenarios.Override{set("workload.custom.requests_per_second", "8")},
		},
		{
			scenario: "advice-idle-pool", rule: "kv-idle-pool", lasts: 75 * time.Minute,
			before:  []scenarios.Override{set("pools[0].max_model_tokens", "2048")},
			observe: func(w kvWatched) float64 { return w.out.workers[0].pool() },
			remedy: func(to float64) []scenarios.Override {
				return []scenarios.Override{set("pools[0].kv_blocks", fmt.Sprintf("%.0f", to/16))}
			},
		},
	}
}

func emptyRoom(w kvWatched) float64 {
	x := w.out.workers[0]
	live, tail := x.mean(signal.KVTokens, signal.KVUseLive), x.mean(signal.KVTokens, signal.KVUseTailWaste)
	return tail / (live + tail)
}

func hitsFound(w kvWatched) float64 {
	sum := 0.0
	for _, x := range w.out.workers {
		sum += x.mean(signal.KVHitRatio, signal.CacheScopeLocal)
	}
	return sum / float64(len(w.out.workers))
}

// leasesEnded is per minute.
func leasesEnded(w kvWatched) float64 {
	sum := 0.0
	for _, x := range w.out.workers {
		sum += x.rise(signal.KVWasteTokens, signal.WasteLease)
	}
	return sum / w.seconds
}

// kvSizeBar bounds the error of the size of a predicted effect.
const kvSizeBar = 0.25

// kvAdvice is A20 for the rules of the KV pool: the rule is raised, its prediction has the right sign and size, and with the remedy it is
// not raised.
func kvAdvice(o options, report func(result)) error {
	for _, c := range kvAdviceCases() {
		if o.quick && !c.quick || o.match != nil && !o.match.MatchString(c.scenario) {
			continue
		}
		if err := scoreKVAdvice(c, report); err != nil {
			return fmt.Errorf("%s: %w", c.scenario, err)
		}
	}
	return nil
}

func scoreKVAdvice(c kvAdviceCase, report func(result)) error {
	problem, err := watchKV(c, scenarios.Options{Overrides: c.before})
	if err != nil {
		return err
	}
	predicted := problem.told.predicted(c.rule)
	remedy := scenarios.Options{Overrides: c.before, Remedy: c.remedy == nil}
	if c.remedy != nil {
		to, _ := predicted["to"].(float64)
		remedy.Overrides = append(slices.Clone(c.before), c.remedy(to)...)
	}
	remedied, err := watchKV(c, remedy)
	if err != nil {
		return err
	}
	over := remedied
	if len(c.over) > 0 {
		if over, err = watchKV(c, scenarios.Options{Overrides: append(slices.Clone(c.before), c.over...)}); err != nil {
			return err
		}
	}
	raised := problem.told.raised()
	report(result{
		name: "A20-kv/raised/" + c.scenario + "/synthetic", value: orNone(slices.Compact(slices.Sorted(slices.Values(raised)))), bar: c.rule,
		pass: slices.Contains(raised, c.rule),
	})
	report(result{
		name: "A20-kv/remedied/" + c.scenario + "/synthetic", value: orNone(slices.Compact(slices.Sorted(slices.Values(over.told.raised())))),
		bar: "not_" + c.rule, pass: !slices.Contains(over.told.raised(), c.rule),
	})
	if predicted == nil {
		report(result{name: "A20-kv/effect/" + c.scenario + "/synthetic", value: "never", bar: "predicted"})
		return nil
	}
	from, to := predicted["from"].(float64), predicted["to"].(float64)
	observed := c.observe(remedied)
	if c.rule == "kv-lease" {
		observed, to, from = leasesEnded(remedied)/leasesEnded(problem), 0, 1 // of what there was
	}
	ratio := (observed - from) / (to - from)
	report(result{
		name:  "A20-kv/effect/" + c.scenario + "/synthetic",
		value: fmt.Sprintf("%.2f_of_predicted(%.4g->%.4g,observed:%.4g)", ratio, from, to, observed),
		bar:   fmt.Sprintf("1+-%g", kvSizeBar), pass: math.Abs(ratio-1) <= kvSizeBar,
	})
	return nil
}

// watchKV runs a scenario with everything that can be received, and the advice connector behind it.
func watchKV(c kvAdviceCase, o scenarios.Options) (w kvWatched, err error) {
	loaded, err := scenarios.Load(c.scenario, o)
	if err != nil {
		return w, err
	}
	s := kvScenario{
		name: c.scenario, cfg: loaded.Fleet, warmUp: c.lasts / 2, duration: c.lasts, interval: adviceInterval, events: true, passes: true,
	}
	s.cfg.KVLedger = true
	advice, stop, err := newAdvice(&w.told, s.cfg.StartTime)
	if err != nil {
		return w, err
	}
	defer stop()
	s.also = advice
	looks := 0.0
	w.out, err = kvReplay(s, func(worker int, now time.Duration, said readings) {
		if now > s.warmUp {
			w.waiting += said[signal.Waiting+"|"]
			looks++
		}
	})
	w.waiting /= max(1, looks)
	w.seconds = (c.lasts - s.warmUp).Seconds()
	return w, err
}

// predicted is the newest prediction of a rule, nil without any.
func (t told) predicted(rule string) (predicted map[string]any) {
	for _, e := range t.events {
		if p, ok := e.body["predicted"].(map[string]any); ok && e.rule == rule {
			predicted = p
		}
	}
	return predicted
}
