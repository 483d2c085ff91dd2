package main

import (
	"fmt"
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	ready "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
)

const (
	// baseBar and bandwidthBar bound the relative error of the transfer model after five minutes.
	baseBar      = 0.10
	bandwidthBar = 0.05
	// exposedBar bounds the absolute error of the share of time to first token that waits for transfers.
	exposedBar = 0.05
	// hiccupBar, tcpBar and partialBar are the delays of the detectors; scrapes of different workers are up to an interval apart, and a
	// window closes when the last of them is through.
	hiccupBar  = 75 * time.Second
	tcpBar     = 15 * time.Second
	partialBar = 30 * time.Second
	closing    = 10 * time.Second
	// falseAlarmsBar is that of a day.
	falseAlarmsBar = 1
	// injectedAt is when stalls and fallbacks begin.
	injectedAt = 10 * time.Minute
)

// transfers is A12.
func transfers(o options, report func(result)) error {
	if err := transferModel(o, report); err != nil {
		return err
	}
	for _, d := range detections(o) {
		if err := d.run(o, report); err != nil {
			return err
		}
	}
	return calm(o, report)
}

func seeds(o options) uint64 {
	if o.quick {
		return 1
	}
	return 5
}

// transferModel holds the model after five minutes to the link's configuration.
func transferModel(o options, report func(result)) error {
	for _, c := range []struct {
		bandwidth float64
		latency   time.Duration
	}{{45e9, 1500 * time.Microsecond}, {25e9, 1500 * time.Microsecond}, {10e9, 3 * time.Millisecond}} {
		for seed := range seeds(o) {
			fleet, err := readyFleet("pd-balanced", seed+1,
				ready.Override{Path: "link.bandwidth", Value: fmt.Sprint(c.bandwidth)}, ready.Override{Path: "link.latency", Value: c.latency.String()})
			if err != nil {
				return err
			}
			p := transferPlay(fleet, 5*time.Minute, seed+1)
			said, err := p.play()
			if err != nil {
				return err
			}
			name := fmt.Sprintf("synthetic/%.0fGBps/%v/seed%d", c.bandwidth/1e9, c.latency, seed+1)
			reportRelative(report, "A12/base/"+name, said[key(signal.TransferBase)], c.latency.Seconds(), baseBar)
			reportRelative(report, "A12/bandwidth/"+name, said[key(signal.TransferBandwidth)], c.bandwidth, bandwidthBar)
			t := fleet.Truth()
			truth := t.Transfers.ExposedSeconds / float64(t.Transfers.Fetched) / (t.TTFT.Sum / float64(t.TTFT.Count))
			got := said[key(signal.TransferExposed)]
			report(result{
				name: "A12/exposed/" + name, value: fmt.Sprintf("%+.3f(%.3f/%.3f)", got-truth, got, truth), bar: fmt.Sprint(exposedBar),
				pass: math.Abs(got-truth) <= exposedBar,
			})
			report(result{
				name: "A12/no-fallback/" + name, value: fmt.Sprintf("%.3f", said[key(signal.TransferFallback)]), bar: "0",
				pass: said[key(signal.TransferFallback)] == 0,
			})
		}
	}
	return nil
}

// transferPlay plays a fleet for its transfers: without forecasts, which cost time.
func transferPlay(fleet *fleetsim.Fleet, duration time.Duration, seed uint64) fleetPlay {
	return fleetPlay{fleet: fleet, interval: 5 * time.Second, duration: duration, seed: seed, change: func(c *disaggregationprocessor.Config) {
		c.EvaluateEvery = 24 * time.Hour
	}}
}

// readyFleet is a built-in scenario's fleet at time 0.
func readyFleet(name string, seed uint64, overrides ...ready.Override) (*fleetsim.Fleet, error) {
	s, err := ready.Load(name, ready.Options{Overrides: append([]ready.Override{{Path: "seed", Value: fmt.Sprint(seed)}}, overrides...)})
	if err != nil {
		return nil, err
	}
	return s.Run(0)
}

// detection is something injected and how long until it is told.
type detection struct {
	name, faults string
	metric       string
	bar          time.Duration
	told         bool
}

func detections(options) []detection {
	hiccup := func(chance string) string {
		return fmt.Sprintf("[{at: %s, hiccups: {stall: 10ms, chance: %s}}]", injectedAt, chance)
	}
	fallback := func(share string) string {
		return fmt.Sprintf("[{at: %s, tcp_fallback: {%s, latency: 3ms, bandwidth: 0.4e9}}]", injectedAt, share)
	}
	return []detection{
		{"10ms-on-2%", hiccup("0.02"), signal.TransferHiccup, hiccupBar, false},
		{"10ms-on-5%", hiccup("0.05"), signal.TransferHiccup, hiccupBar, false},
		{"10ms-on-0.5%-of-ranks", hiccup("0.005"), signal.TransferHiccup, hiccupBar, true},
		{"tcp-100%", fallback("pairs: 1"), signal.TransferFallback, tcpBar, false},
		{"tcp-5%", fallback("transfers: 0.05"), signal.TransferFallback, partialBar, false},
	}
}

func (d detection) run(o options, report func(result)) error {
	for seed := range seeds(o) {
		fleet, err := readyFleet("pd-balanced", seed+1, ready.Override{Path: "faults", Value: d.faults})
		if err != nil {
			return err
		}
		p := transferPlay(fleet, injectedAt+5*time.Minute, seed+1)
		var after, before time.Duration
		p.each = func(now time.Duration, said fleetReadings) {
			switch alarm := said[key(d.metric)] > 0; {
			case alarm && now <= injectedAt:
				before = now
			case alarm && after == 0:
				after = now - injectedAt
			}
		}
		if _, err := p.play(); err != nil {
			return err
		}
		report(result{
			name:  fmt.Sprintf("A12/detected/synthetic/%s/seed%d", d.name, seed+1),
			value: fmt.Sprintf("%v(false:%t)", after, before > 0), bar: (d.bar + closing).String(),
			pass: before == 0 && after > 0 && after <= d.bar+closing, told: d.told,
		})
	}
	return nil
}

// calm counts false alarms over a day.
func calm(o options, report func(result)) error {
	duration := 24 * time.Hour
	if o.quick {
		duration = time.Hour
	}
	for _, bandwidth := range []float64{45e9, 25e9} {
		fleet, err := readyFleet("pd-balanced", 99, ready.Override{Path: "link.bandwidth", Value: fmt.Sprint(bandwidth)})
		if err != nil {
			return err
		}
		p := transferPlay(fleet, duration, 99)
		slow := 0
		p.each = func(_ time.Duration, said fleetReadings) {
			if said[key(signal.TransferFallback)] > 0 {
				slow++
			}
		}
		said, err := p.play()
		if err != nil {
			return err
		}
		name := fmt.Sprintf("synthetic/%.0fGBps/%v", bandwidth/1e9, duration)
		report(result{
			name: "A12/false-hiccups/" + name, value: fmt.Sprint(said[key(signal.TransferHiccups)]), bar: fmt.Sprint(falseAlarmsBar),
			pass: said[key(signal.TransferHiccups)] <= falseAlarmsBar,
		})
		report(result{name: "A12/false-fallbacks/" + name, value: fmt.Sprint(slow), bar: "0", pass: slow == 0})
	}
	return nil
}
