package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// scoreBar bounds the absolute error of the score, worstBar is the share of fleets in which the injected defect is the largest loss.
	scoreBar = 0.05
	worstBar = 0.95
	// closeShare is the share of the scores that must be that close, and scoreWithheld how many, of scores and of names, may be withheld:
	// docs/disaggregation.md says why not all and none.
	closeShare    = 0.9
	scoreWithheld = 0.2
	// lostLeast is the true loss from which on there is a largest one to name.
	lostLeast = 0.03
)

// defect is something wrong with a split fleet.
type defect struct {
	name   string // of the factor; "" for none
	inject func(*fleetsim.Config)
	shift  int // prefill groups beside the best
}

func defects() []defect {
	return []defect{
		{name: ""},
		{name: "balance", shift: -2},
		{name: "balance", shift: 2},
		{name: "transfer", inject: func(c *fleetsim.Config) { c.Link.Bandwidth = 0.9e9 }},
		{name: "locality", inject: func(c *fleetsim.Config) {
			c.Link.Fallback = fleetsim.Fallback{Transfers: 0.3, Latency: 3 * time.Millisecond, Bandwidth: 0.25e9}
		}},
		{name: "purity", inject: func(c *fleetsim.Config) { c.Handoff.LocalPrefillTokens = 1200 }},
	}
}

// scores is A8: the score against goodput over that of the best fleet without the defect, and the injected defect as the largest loss.
func scores(o options, report func(result)) error {
	n := 5
	if o.quick {
		n = 1
	}
	near, said, all, named, unnamed, lossy := 0, 0, 0, 0, 0, 0
	fleets, err := splitScenarios(o, splitSeed, 4*n, 12)
	if err != nil {
		return err
	}
	for _, s := range fleets {
		if i := s.number; i%4 == 1 && n > 1 || i >= n && o.quick {
			continue // enough of them
		}
		prefill, ideal, err := s.best(max(1, s.groups/2), false)
		if err != nil {
			return err
		}
		for _, d := range defects() {
			x := prefill + d.shift
			if x < 1 || x >= s.groups {
				continue
			}
			one, err := s.score(d, x, ideal)
			if err != nil {
				return err
			}
			all++
			if !math.IsNaN(one.said) {
				said++
			}
			if math.Abs(one.said-one.truth) <= scoreBar {
				near++
			}
			right := one.worst == d.name
			if d.name != "" && one.truth < 1-lostLeast {
				lossy++
				if right {
					named++
				}
				if one.unnamed {
					unnamed++
				}
			}
			report(result{
				name:  fmt.Sprintf("A8/score/%s/%dP/%s", s, x, orWhole(d.name)),
				value: fmt.Sprintf("%+.3f(%.3f/%.3f,worst:%s)", one.said-one.truth, one.said, one.truth, orWhole(one.worst)),
				bar:   fmt.Sprint(scoreBar), pass: math.Abs(one.said-one.truth) <= scoreBar, told: true,
			})
		}
	}
	report(result{
		name: "A8/close/synthetic", value: fmt.Sprintf("%d/%d", near, said), bar: fmt.Sprintf("%.0f%%", 100*closeShare),
		pass: said > 0 && float64(near) >= closeShare*float64(said),
	})
	report(result{
		name: "A8/withheld/synthetic", value: fmt.Sprintf("%d/%d", all-said, all), bar: fmt.Sprintf("%.0f%%", 100*scoreWithheld),
		pass: float64(all-said) <= scoreWithheld*float64(all),
	})
	report(result{
		name: "A8/named/synthetic", value: fmt.Sprintf("%d/%d", named, lossy-unnamed), bar: fmt.Sprintf("%.0f%%", 100*worstBar),
		pass: float64(named) >= worstBar*float64(lossy-unnamed), told: o.quick,
	})
	report(result{
		name: "A8/unnamed/synthetic", value: fmt.Sprintf("%d/%d", unnamed, lossy), bar: fmt.Sprintf("%.0f%%", 100*scoreWithheld),
		pass: float64(unnamed) <= scoreWithheld*float64(lossy), told: o.quick,
	})
	return nil
}

func orWhole(name string) string {
	if name == "" {
		return "nothing"
	}
	return name
}

type scored struct {
	said, truth float64
	worst       string
	unnamed     bool // it is not told what most is lost to
}

// scoredFor is how long a fleet runs before its score is read.
const scoredFor = 10 * time.Minute

func (s splitScenario) score(d defect, prefill int, ideal float64) (scored, error) {
	cfg := s.config(prefill, splitBudget)
	if d.inject != nil {
		d.inject(&cfg)
	}
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return scored{}, err
	}
	p := fleetPlay{fleet: fleet, interval: 5 * time.Second, duration: scoredFor, seed: s.seed}
	said, err := p.play()
	if err != nil {
		return scored{}, err
	}
	t := fleet.Truth()
	out := scored{said: math.NaN(), truth: min(1, float64(t.Goodput.Both)/t.SimulatedSeconds/ideal)}
	if v, ok := said.of(signal.DisaggregationScore); ok {
		out.said = v
	}
	least := 0.99
	out.unnamed = true
	for k, v := range said {
		name, ok := strings.CutPrefix(k, signal.DisaggregationFactor+"|")
		if !ok {
			continue
		}
		out.unnamed = false
		if v < least {
			least, out.worst = v, name
		}
	}
	if out.unnamed {
		out.worst = "withheld"
	}
	return out, nil
}
