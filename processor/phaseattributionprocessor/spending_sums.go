package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// gpuSums is what a worker's GPUs have spent since they were joined.
type gpuSums struct {
	started int64 // data time; 0 before
	time    [4]float64
	low     [2]float64
	high    [2]float64
	cost    [4]float64
	priced  bool
	amounts [gpuAmounts][4]float64 // by phaseOrder
	known   [gpuAmounts]bool
	recent  recentSpending
}

// recentSpending fades, for the gauges.
type recentSpending struct {
	seconds [2]float64 // GPU time of prefill and decode
	amounts [gpuAmounts][2]float64
	tokens  [2]float64
	money   [2]float64 // price of seconds
	steps   float64    // that decode
}

// add counts a window. fade is how much of the past remains.
func (s *gpuSums) add(win window.Window, d *derived, fade float64) {
	p := &d.spent
	if p.gpus == 0 {
		return
	}
	if s.started == 0 {
		s.started = win.From
	}
	n := p.held
	busy := d.split.Prefill + d.split.Decode
	for i, v := range []float64{d.split.Prefill, d.split.Decode, d.split.Idle, d.split.Unattributed} {
		s.time[i] += n * v
		s.cost[i] += p.perHour / 3600 * v
	}
	s.priced = s.priced || p.priced
	s.low[0] += n * d.split.PrefillLow
	s.high[0] += n * d.split.PrefillHigh
	s.low[1] += n * math.Max(0, busy-d.split.PrefillHigh)
	s.high[1] += n * math.Max(0, busy-d.split.PrefillLow)
	s.recent.add(d, n, fade)
	for i, a := range p.amounts {
		s.known[i] = s.known[i] || p.known[i]
		for phase, v := range []float64{a.Prefill, a.Decode, a.Idle, a.Unattributed} {
			s.amounts[i][phase] += v
		}
	}
}

// add takes a window whose amounts were divided.
func (r *recentSpending) add(d *derived, gpus, fade float64) {
	for i := range r.seconds {
		r.seconds[i] *= fade
		r.tokens[i] *= fade
		r.money[i] *= fade
		for a := range r.amounts {
			r.amounts[a][i] *= fade
		}
	}
	r.steps *= fade
	for _, a := range d.spent.amounts {
		if a.Withheld != "" {
			return
		}
	}
	r.seconds[0] += gpus * d.split.Prefill
	r.seconds[1] += gpus * d.split.Decode
	r.money[0] += d.spent.perHour / 3600 * d.split.Prefill
	r.money[1] += d.spent.perHour / 3600 * d.split.Decode
	r.tokens[0] += d.tokens
	r.tokens[1] += d.decoded
	r.steps += d.work.Decode.Count + d.work.Mixed.Count
	for i, a := range d.spent.amounts {
		r.amounts[i][0] += a.Prefill
		r.amounts[i][1] += a.Decode
	}
}
