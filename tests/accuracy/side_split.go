package main

import (
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// splitSideFor is how long a split fleet runs before its side is read.
const splitSideFor = 6 * time.Minute

// splitSide is the guard against the wrong side: in the ready scenarios whose split fleets one phase holds back, that phase is named, and that
// more of the other would not help; where neither does, none is.
func splitSide(o options, report func(result)) error {
	for _, c := range []struct{ scenario, side, other string }{
		{"pd-prefill-bound", signal.PhasePrefill, signal.RoleDecode},
		{"pd-decode-bound", signal.PhaseDecode, signal.RolePrefill},
		{"pd-balanced", "balanced", ""},
	} {
		for seed := range seeds(o) {
			if err := splitSideOf(c.scenario, c.side, c.other, seed+1, report); err != nil {
				return fmt.Errorf("%s: %w", c.scenario, err)
			}
		}
	}
	return nil
}

func splitSideOf(name, side, other string, seed uint64, report func(result)) error {
	s, err := load(name, fmt.Sprint(seed), nil)
	if err != nil {
		return err
	}
	fleet, err := fleetsim.New(s.Fleet)
	if err != nil {
		return err
	}
	defer fleet.Close()
	p := fleetPlay{fleet: fleet, interval: 5 * time.Second, duration: splitSideFor, seed: seed}
	said, err := p.play()
	if err != nil {
		return err
	}
	at := func(what string) string { return fmt.Sprintf("A18/%s/%s/synthetic/seed%d", what, name, seed) }
	named := said.which(signal.DisaggregationSide)
	report(result{name: at("split-side"), value: orNone([]string{named}), bar: side, pass: named == side})
	if other == "" {
		return nil
	}
	gain, ok := said.of(signal.TopologyGain, other)
	report(result{
		name: at("more-" + other), value: fmt.Sprintf("%+.3f", gain), bar: fmt.Sprintf("<%.2f", futileBar), pass: ok && gain < futileBar,
	})
	return nil
}

// futileBar is the gain of one more worker of the other role below which it is told not to help.
const futileBar = 0.01
