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
	// perTokenBar bounds the relative error of the latency that a prefill token adds.
	perTokenBar = 0.10
)

// interference is A5: the share of decode's waiting that co-scheduled prefill causes, against the ledger's.
func interference(o options, report func(result)) error {
	return overGrid(o, interferenceGrid(o), func(s scenario, got outcome) {
		from, to := got.marks[0], got.last()
		wait := to.truth.DecodeSequenceSeconds - from.truth.DecodeSequenceSeconds
		truth := (to.truth.DecodeDelaySequenceSeconds - from.truth.DecodeDelaySequenceSeconds) / wait
		lost := rise(from, to, signal.InterferenceDelay) / wait
		withheld := rise(from, to, signal.EstimateWithheld, signal.InterferenceLost, "aggregation_bias") / windows(s, from, to)
		bar := lostBar
		if s.traffic == "code" {
			bar = lostCodeBar
		}
		if s.traffic == "code" && !s.with.passes {
			// The batch swings too fast for counters: the flag must be up instead.
			report(result{
				name:  "A5/flag/" + s.String(),
				value: fmt.Sprintf("%.0f%%(bias)", 100*withheld), bar: "50%", pass: withheld >= 0.5,
			})
			return
		}
		report(result{
			name:  "A5/decode-lost/" + s.String(),
			value: fmt.Sprintf("%+.3f(%.3f/%.3f,withheld:%.0f%%)", lost-truth, lost, truth, 100*withheld),
			bar:   fmt.Sprint(bar), pass: math.Abs(lost-truth) <= bar,
		})
		if s.with.passes {
			stalls := float64(to.truth.StallSteps - from.truth.StallSteps)
			reportRelative(report, "A5/stalls/"+s.String(), rise(from, to, signal.InterferenceStalls), stalls, perTokenBar)
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
				grid = append(grid, scenario{reference(), traffic, load, 2048, interval, seed + 1, duration, sources{passes: passes}})
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
