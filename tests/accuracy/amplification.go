package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	ready "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
)

const (
	// epochBar bounds the relative error of the time that a link is behind after a stall.
	epochBar = 0.25
	// namedBar is the share of runs in which the injected amplifier is named.
	namedBar = 0.9
)

// amplification is A13.
func amplification(o options, report func(result)) error {
	for _, rho := range []float64{0.5, 0.7, 0.8, 0.9} {
		got, truth := serving.Epoch(0.010, rho, 0.001), epochOf(0.010, rho, o)
		reportRelative(report, fmt.Sprintf("A13/epoch/synthetic/rho%g", rho), got, truth, epochBar)
	}
	return amplifiers(o, report)
}

// epochOf simulates a link that serves transfers first in, first out (Poisson arrivals, lengths with 15 % noise) and is stopped now and
// then, beside the same link that is not: for how long the delays differ, on average.
func epochOf(stall, rho float64, o options) float64 {
	const mean = 0.001
	random := rand.New(rand.NewPCG(7, 7))
	trials := 40_000
	if o.quick {
		trials = 4_000
	}
	var sum float64
	for range trials {
		// In equilibrium first, then the stall at time 0.
		var at, calm float64
		for range 2_000 {
			gap := random.ExpFloat64() * mean / rho
			at += gap
			calm = max(0, calm-gap) + mean*math.Exp(0.15*random.NormFloat64()-0.15*0.15/2)
		}
		stopped := calm + stall
		now := 0.0
		for stopped > calm && now < 10 {
			gap := random.ExpFloat64() * mean / rho
			// Both drain; the difference is gone when the one without the stall has been empty for as long.
			if idle := gap - calm; idle > 0 && stopped-gap <= 0 {
				now += stopped
				break
			}
			now += gap
			work := mean * math.Exp(0.15*random.NormFloat64()-0.15*0.15/2)
			calm, stopped = max(0, calm-gap)+work, max(0, stopped-gap)+work
		}
		sum += now
	}
	return sum / float64(trials)
}

// injected is a fleet with one amplifier of stalls, which the scenario files describe.
type injected struct {
	name      string
	scenario  string
	pieces    int
	overrides []ready.Override
	want      string
	rise      [2]float64 // of the 99th percentile of time to first token, s: at least, at most; 0, 0 for any
}

func amplifierCases() []injected {
	at := func(chance string) ready.Override {
		return ready.Override{Path: "faults", Value: fmt.Sprintf("[{at: %s, hiccups: {stall: 10ms, chance: %s}}]", injectedAt, chance)}
	}
	set := func(path, value string) ready.Override { return ready.Override{Path: path, Value: value} }
	return []injected{
		{"hiccup-cascade", "hiccup-cascade", 40, []ready.Override{at("0.05")}, "retry|pieces", [2]float64{0.2, 100}},
		{"hiccup-fifo", "hiccup-fifo", 1, []ready.Override{at("0.05")}, serving.AmplifierNone, [2]float64{-1, 0.06}},
		{"pieces", "hiccup-cascade", 40, []ready.Override{at("0.02"), set("link.timeout", "0s"), set("link.retries", "0")}, serving.AmplifierPieces, [2]float64{}},
		{"pieces-20", "hiccup-cascade", 20, []ready.Override{at("0.04"), set("link.pieces", "20"), set("link.timeout", "0s"), set("link.retries", "0")}, serving.AmplifierPieces, [2]float64{}},
		{"fan-out", "hiccup-fifo", 1, []ready.Override{at("0.012")}, serving.AmplifierFanOut, [2]float64{}},
		{"retry", "hiccup-fifo", 4, []ready.Override{at("0.03"), set("workload", retriedTraffic), set("link", retryingLink)}, serving.AmplifierRetry, [2]float64{}},
	}
}

// One stall passes, two in a transfer run into the timeout.
const (
	retriedTraffic = "{custom: {requests_per_second: 10, prompt_tokens: [[0, 700], [1, 1300]], output_tokens: [[0, 100], [1, 300]]}}"
	retryingLink   = "{pieces: 4, latency: 300us, post: 100us, bandwidth: 20e9, timeout: 21ms, retries: 4, backoff: 1s}"
)

// amplifiers holds the named amplifier to the injected one, and the rise to what the paired run without stalls says.
func amplifiers(o options, report func(result)) error {
	for _, c := range amplifierCases() {
		named, runs, last := 0, 0, ""
		for seed := range seeds(o) {
			said, err := c.play(seed + 1)
			if err != nil {
				return err
			}
			runs++
			got := said.which(signal.TransferAmplified)
			if got == c.want || c.want == "retry|pieces" && (got == serving.AmplifierRetry || got == serving.AmplifierPieces) {
				named++
			}
			last += fmt.Sprintf("/%s:%.1fx:stall%.1fms", got, said[key(signal.TransferAmplified, got)], 1e3*said[key(signal.TransferStall)])
			if c.rise == [2]float64{} {
				continue
			}
			rise, err := c.rises(seed + 1)
			if err != nil {
				return err
			}
			report(result{
				name: fmt.Sprintf("A13/rise/synthetic/%s/seed%d", c.name, seed+1), value: fmt.Sprintf("%+.0fms", 1e3*rise),
				bar: fmt.Sprintf("%+.0f..%+.0fms", 1e3*c.rise[0], 1e3*c.rise[1]), pass: rise >= c.rise[0] && rise <= c.rise[1],
			})
		}
		report(result{
			name: "A13/named/synthetic/" + c.name, value: fmt.Sprintf("%d/%d(%s)", named, runs, last[1:]), bar: fmt.Sprintf("%.0f%%", 100*namedBar),
			pass: float64(named) >= namedBar*float64(runs),
		})
	}
	return nil
}

// play runs the fleet and returns what was said while the stalls went on.
func (c injected) play(seed uint64) (fleetReadings, error) {
	fleet, err := readyFleet(c.scenario, seed, c.overrides...)
	if err != nil {
		return nil, err
	}
	p := transferPlay(fleet, injectedAt+5*time.Minute, seed)
	quiet := p.change
	p.change = func(cfg *disaggregationprocessor.Config) {
		quiet(cfg)
		cfg.Transfer.Pieces = c.pieces
	}
	return p.play()
}

// rises is by how much the stalls raise the 99th percentile of time to first token, over the same requests.
func (c injected) rises(seed uint64) (float64, error) {
	with, err := readyFleet(c.scenario, seed, append(c.overrides, ready.Override{Path: "faults", Value: "[{at: 0s, hiccups: {stall: 10ms, chance: 0.05}}]"})...)
	if err != nil {
		return 0, err
	}
	without, err := readyFleet(c.scenario, seed, append(c.overrides, ready.Override{Path: "faults", Value: "[]"})...)
	if err != nil {
		return 0, err
	}
	if err := with.Advance(5 * time.Minute); err != nil {
		return 0, err
	}
	if err := without.Advance(5 * time.Minute); err != nil {
		return 0, err
	}
	return with.Truth().TTFT.P99 - without.Truth().TTFT.P99, nil
}
