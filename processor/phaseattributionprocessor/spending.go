package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// The counters of a GPU. The first gpuAmounts of them are divided between the phases.
const (
	gpuEnergy = iota
	gpuTensor
	gpuSM
	gpuDRAM
	gpuAmounts
	gpuGraphics = gpuAmounts
	gpuInputs   = gpuAmounts + 1
)

// newPricer makes the pricer of an amount. A busy GPU draws much the same power whatever it computes, so that joules are expected to
// go with time; its tensor pipes and its memory are busy in turn. NVML's power sensor is good to 5 %; activity is integrated from
// samples, and what scatters is the work in a window.
func newPricer(amount int) *serving.Pricer {
	if amount == gpuEnergy {
		return serving.NewPricer(0.2, 0.05)
	}
	return serving.NewPricer(1, 0.01)
}

// activityUnits are the units of gpuTensor and what follows it.
func activityUnits() [gpuAmounts - 1]string {
	return [gpuAmounts - 1]string{signal.UnitTensor, signal.UnitSM, signal.UnitDRAM}
}

// spending divides what a worker's GPUs spent.
type spending struct {
	prices objectives.Prices
	slots  []slot
	// pricers learn apart from steps that are estimated, from steps that are counted, and from seconds: each tells less or more.
	pricers [3][gpuAmounts]*serving.Pricer
}

// slot is the place of a GPU's counters among the worker's series.
type slot struct {
	gpu    *gpu
	joined bool
	price  float64 // per GPU-hour
}

func newSpending(prices objectives.Prices) *spending {
	return &spending{prices: prices}
}

func (s *spending) join(g *gpu) {
	price, _ := s.prices.For(g.names...)
	if i := s.find(g.id); i >= 0 {
		s.slots[i] = slot{g, true, price.PerHour}
		return
	}
	s.slots = append(s.slots, slot{g, true, price.PerHour})
}

func (s *spending) part(g *gpu) {
	if i := s.find(g.id); i >= 0 {
		s.slots[i].joined = false
	}
}

func (s *spending) find(id string) int {
	return slices.IndexFunc(s.slots, func(o slot) bool { return o.gpu.id == id })
}

// slot returns the place of a joined GPU.
func (s *spending) slot(id string) (i int, ok bool) {
	i = s.find(id)
	return i, i >= 0 && s.slots[i].joined
}

// total adds up a counter over the joined GPUs. ok is false when one of them was not seen for most of the window.
func (s *spending) total(win window.Window, input int) (sum float64, ok bool) {
	gpus := 0
	ok = true
	for i := range s.slots {
		key := inputCounters + i*gpuInputs + input
		if !s.slots[i].joined || key >= len(win.Totals) {
			continue
		}
		gpus++
		sum += win.Totals[key].Sum
		ok = ok && win.Covered[key] >= leastCovered*win.Seconds()
	}
	return sum, ok && gpus > 0
}

// graphics is for how long the worker's GPUs ran anything in the window, their mean in seconds; -1 when that is not known, or not
// the worker's doing alone.
func (s *spending) graphics(win window.Window) float64 { return s.active(win, gpuGraphics) }

// active is for how long a unit of the GPUs was active in the window, their mean in seconds; -1 like graphics.
func (s *spending) active(win window.Window, amount int) float64 {
	sum, ok := s.total(win, amount)
	if !ok || s.shared() {
		return -1
	}
	return sum / float64(s.gpus())
}

// forget makes the pricers learn anew.
func (s *spending) forget() { s.pricers = [3][gpuAmounts]*serving.Pricer{} }

// devices are the GPUs that are joined.
func (s *spending) devices() (all []*gpu) {
	for _, o := range s.slots {
		if o.joined {
			all = append(all, o.gpu)
		}
	}
	return all
}

// gpus is the number of GPUs that are joined.
func (s *spending) gpus() (n int) {
	for _, o := range s.slots {
		if o.joined {
			n++
		}
	}
	return n
}

// shared reports whether another worker runs on one of the GPUs.
func (s *spending) shared() bool {
	return slices.ContainsFunc(s.slots, func(o slot) bool { return o.joined && o.gpu.shared.Load() })
}

// spent is how a window's spending divides.
type spent struct {
	gpus    int
	perHour float64 // price of an hour of all of them
	priced  bool
	known   [gpuAmounts]bool // there was a counter
	amounts [gpuAmounts]serving.Amounts
	method  string
}

// activityWithheld is why the activity of a unit was not divided; empty when all of them were, or none is known.
func (s *spent) activityWithheld() string {
	for i := gpuTensor; i < gpuAmounts; i++ {
		if s.amounts[i].Withheld != "" {
			return s.amounts[i].Withheld
		}
	}
	return ""
}

// divide splits each amount of the window. What cannot be divided is unattributed, so that the parts add up to the counters.
func (s *spending) divide(win window.Window, d division) spent {
	out := spent{gpus: s.gpus(), method: serving.MethodPricedSteps}
	if out.gpus == 0 {
		return out
	}
	out.priced = len(s.prices) > 0
	for _, o := range s.slots {
		if o.joined {
			out.perHour += o.price
		}
	}
	set := 0
	switch {
	case d.counted:
		set, out.method = 1, serving.MethodPricedPasses
	case d.seconds:
		set, out.method = 2, serving.MethodPricedSeconds
	}
	shared := s.shared()
	for i := range out.amounts {
		amount, complete := s.total(win, i)
		if !complete && amount == 0 {
			continue // no such counter, as on a MIG device
		}
		out.known[i] = true
		switch {
		case shared:
			out.amounts[i] = serving.Amounts{Unattributed: amount, Withheld: serving.WithheldSharedGPU}
		case !complete:
			out.amounts[i] = serving.Amounts{Unattributed: amount, Withheld: serving.WithheldNoData}
		case d.split.Unattributed > (1-leastCovered)*win.Seconds():
			out.amounts[i] = serving.Amounts{Unattributed: amount, Withheld: serving.WithheldNoWork}
		default:
			p := s.pricers[set][i]
			if p == nil {
				p = newPricer(i)
				s.pricers[set][i] = p
			}
			out.amounts[i] = p.Divide(amount, win.Seconds(), d.split.Idle, d.work, d.costs)
		}
	}
	return out
}

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
	steps   float64 // that decode
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
	n := float64(p.gpus)
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
	r.tokens[0] += d.tokens
	r.tokens[1] += d.decoded
	r.steps += d.work.Decode.Count + d.work.Mixed.Count
	for i, a := range d.spent.amounts {
		r.amounts[i][0] += a.Prefill
		r.amounts[i][1] += a.Decode
	}
}
