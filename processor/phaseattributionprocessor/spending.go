package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
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
	// gpuRest is the first of as many counters of what a shared GPU spent for none of its workers.
	gpuRest   = gpuAmounts + 1
	gpuInputs = gpuRest + gpuAmounts
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

// pricerSet is what pricers learn from, which they do apart: steps that are estimated tell less than steps that are counted, seconds
// something else.
type pricerSet int

const (
	pricedSteps pricerSet = iota
	pricedPasses
	pricedSeconds
	pricerSets
)

// pricers are those of each amount, nil until they are needed. Those of GPUs that are shared come after the others and learn apart: what a
// worker is given of one depends on the work of others too.
type pricers [2 * pricerSets][gpuAmounts]*serving.Pricer

// activityUnits are the units of gpuTensor and what follows it.
func activityUnits() [gpuAmounts - 1]string {
	return [gpuAmounts - 1]string{signal.UnitTensor, signal.UnitSM, signal.UnitDRAM}
}

// spending divides what a worker's GPUs spent.
type spending struct {
	prices  objectives.Prices
	slots   []slot
	pricers pricers
}

// slot is the place of a GPU's counters among the worker's series.
type slot struct {
	gpu    *gpu
	joined bool
	rule   sharingRule // the least sure one since the last window ended
	latest sharingRule
	price  float64 // per GPU-hour
	priced bool
}

func newSpending(prices objectives.Prices) *spending {
	return &spending{prices: prices}
}

// join takes a GPU and returns its slot: the one that it had, if it was joined before.
func (s *spending) join(g *gpu) int {
	price, priced := s.prices.For(g.names...)
	o := slot{gpu: g, joined: true, price: price.PerHour, priced: priced}
	if i := s.find(g.id); i >= 0 {
		s.slots[i] = o
		return i
	}
	s.slots = append(s.slots, o)
	return len(s.slots) - 1
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

// total adds up a counter over the joined GPUs. own is the part of it that is of the window: the rest is of windows that were closed
// before the GPU was read. ok is false when one of them was not seen for most of the window.
func (s *spending) total(win window.Window, input int) (sum, own float64, ok bool) {
	gpus := 0
	ok = true
	for i := range s.slots {
		key := inputCounters + i*gpuInputs + input
		if !s.slots[i].joined || key >= len(win.Totals) {
			continue
		}
		gpus++
		sum += win.Totals[key].Sum
		if win.Spanned[key] > 0 {
			own += win.Totals[key].Sum * win.Covered[key] / win.Spanned[key]
		}
		ok = ok && win.Covered[key] >= leastCovered*win.Seconds()
	}
	return sum, own, ok && gpus > 0
}

// graphics is for how long the worker's GPUs ran anything in the window, their mean in seconds; -1 when that is not known, or not
// the worker's doing alone.
func (s *spending) graphics(win window.Window) float64 { return s.active(win, gpuGraphics) }

// active is for how long a unit of the GPUs was active in the window, their mean in seconds; -1 like graphics.
func (s *spending) active(win window.Window, amount int) float64 {
	_, own, ok := s.total(win, amount)
	if !ok || s.sharing() {
		return -1
	}
	return own / float64(s.gpus())
}

// forget makes the pricers learn anew.
func (s *spending) forget() { s.pricers = pricers{} }

// devices are the GPUs that are joined; none when the worker has but a part of one, since what a device can do then tells nothing.
func (s *spending) devices() (all []*gpu) {
	for _, o := range s.slots {
		if o.joined && (o.gpu.users() > 1 || o.gpu.part) {
			return nil
		}
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

// sharing reports whether another worker runs on one of the GPUs.
func (s *spending) sharing() bool {
	return slices.ContainsFunc(s.slots, func(o slot) bool { return o.joined && o.gpu.users() > 1 })
}

// held is the part of the GPU that is the worker's: those who share one hold it in even parts, whoever runs.
func (o *slot) held() float64 { return 1 / max(1, float64(o.gpu.users())) }

// shared notes by which rule the GPU of a slot was divided.
func (s *spending) shared(slot int, rule sharingRule) {
	o := &s.slots[slot]
	o.rule, o.latest = max(o.rule, rule), rule
}

// rule is the least sure one by which a GPU was divided in the window, which begins anew.
func (s *spending) rule() (least sharingRule) {
	for i := range s.slots {
		if o := &s.slots[i]; o.joined {
			least = max(least, o.rule)
			o.rule = o.latest
		}
	}
	return least
}

// rest adds up what shared GPUs spent for nobody and is this worker's to account for.
func (s *spending) rest(win window.Window, input int) float64 {
	sum, _, _ := s.total(win, gpuRest+input)
	return sum
}

// spent is how a window's spending divides.
type spent struct {
	gpus    int              // joined
	held    float64          // of them by this worker: less than gpus where some are shared
	perHour float64          // price of an hour of what it holds
	priced  bool             // each of them has a price
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
	out.priced = true
	for _, o := range s.slots {
		if o.joined {
			out.held += o.held()
			out.perHour += o.held() * o.price
			out.priced = out.priced && o.priced
		}
	}
	if !out.priced {
		out.perHour = 0 // the price of some of them is not that of the worker
	}
	set := pricedSteps
	switch {
	case d.counted:
		set, out.method = pricedPasses, serving.MethodPricedPasses
	case d.seconds:
		set, out.method = pricedSeconds, serving.MethodPricedSeconds
	}
	rule := s.rule()
	if out.method += rule.suffix(); rule != notShared {
		set += pricerSets
	}
	for i := range out.amounts {
		amount, own, complete := s.total(win, i)
		if !complete && amount == 0 {
			continue // no such counter, as of a MIG device whose GPU is not in this pipeline
		}
		out.known[i] = true
		switch {
		case rule == evenly:
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
			out.amounts[i] = p.Divide(own, win.Seconds(), d.split.Idle, d.work, d.costs)
			if own > 0 {
				out.amounts[i] = out.amounts[i].Times(amount / own)
			}
			out.amounts[i].Confidence = min(out.amounts[i].Confidence, rule.surest())
		}
		out.amounts[i].Unattributed += s.rest(win, i)
	}
	return out
}
