package main

import (
	"fmt"
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// lostBar bounds the error of the share of decode's waiting that prefill causes, absolute, on conversation traffic.
	lostBar = 0.03
	// lostCodeBar is the same on code traffic at scrapes of one second.
	lostCodeBar = 0.05
	// lostCountersBar is the same without forward passes, where the goal of 0.03 is not reached: in windows of a second counters
	// hardly tell a step's cost, and on saturated workers the split itself is off.
	lostCountersBar = 0.12
	// lostCodeCountersBar is the same on code traffic, of which more than four fifths are withheld: little is left to be right about.
	lostCodeCountersBar = 0.15
	// stallsBar bounds the relative error of the number of stalls.
	stallsBar = 0.10
	// flagBar is the share of windows for which the flag must be up where the batch swings too fast for counters.
	flagBar = 1.0 / 3
)

// interference is A5: the share of decode's waiting that co-scheduled prefill causes, against the ledger's.
func interference(o options, report func(result)) error {
	return overGrid(o, interferenceGrid(o), func(s scenario, got outcome) {
		from, to := got.marks[0], got.last()
		wait := to.truth.DecodeSequenceSeconds - from.truth.DecodeSequenceSeconds
		truth := (to.truth.DecodeDelaySequenceSeconds - from.truth.DecodeDelaySequenceSeconds) / wait
		lost := rise(from, to, signal.InterferenceDelay) / rise(from, to, signal.InterferenceWait)
		withheld := rise(from, to, signal.EstimateWithheld, signal.InterferenceLost, "aggregation_bias") / windows(s, from, to)
		unseen := 1 - rise(from, to, signal.InterferenceWait)/wait
		bar := lostBar
		switch {
		case !s.with.passes && s.traffic == "code":
			bar = lostCodeCountersBar
		case !s.with.passes:
			bar = lostCountersBar
		case s.traffic == "code":
			bar = lostCodeBar
		}
		if s.traffic == "code" && !s.with.passes && s.interval > time.Second {
			report(result{
				name:  "A5/flag/" + s.String(),
				value: fmt.Sprintf("%.0f%%(bias)", 100*withheld), bar: fmt.Sprintf("%.0f%%", 100*flagBar), pass: withheld >= flagBar,
			})
			return
		}
		report(result{
			name:  "A5/decode-lost/" + s.String(),
			value: fmt.Sprintf("%+.3f(%.3f/%.3f,unseen:%.0f%%)", lost-truth, lost, truth, 100*unseen),
			bar:   fmt.Sprint(bar), pass: math.Abs(lost-truth) <= bar,
		})
		if s.with.passes {
			stalls := float64(to.truth.StallSteps - from.truth.StallSteps)
			reportRelative(report, "A5/stalls/"+s.String(), rise(from, to, signal.InterferenceStalls), stalls, stallsBar)
		}
	})
}

// windows is the number of windows between two marks.
func windows(s scenario, from, to mark) float64 {
	return (to.truth.SimulatedSeconds - from.truth.SimulatedSeconds) / s.interval.Seconds()
}

func interferenceGrid(o options) []scenario {
	seeds, duration := uint64(5), traceLength
	if o.quick {
		seeds, duration = 1, 10*time.Minute
	}
	var grid []scenario
	add := func(traffic string, load float64, interval time.Duration) {
		for _, passes := range []bool{false, true} {
			for seed := range seeds {
				grid = append(grid, scenario{reference(), traffic, load, 2048, interval, seed + 1, duration, sources{passes: passes}, setting{}})
			}
		}
	}
	if o.data == "" {
		add("synthetic", 1, time.Second)
		return grid
	}
	for _, load := range []float64{0.5, 1, 1.6} {
		add("conversation", load, time.Second)
	}
	add("conversation", 1, 5*time.Second)
	add("code", 1, time.Second)
	add("code", 1, 15*time.Second)
	return grid
}
