package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// divider divides the counters of a GPU between the workers that use it, as they come: each gets its part of every increase, and what is
// nobody's in even parts. Nothing waits for the windows of others, and the parts add up to the counter.
type divider struct {
	mu      sync.Mutex
	last    [gpuInputs]counted
	idle    float64 // W that it drew when nobody ran, the least seen; 0 before
	divided bool    // it was shared once: its users' counters are increases from then on
	active  float64 // share of the last interval in which anything ran
	told    bool    // the driver told of processes once: when it tells of none, none ran
}

// counted is the last reading of a counter.
type counted struct {
	seen      bool
	start, at int64
	value     float64
}

// increase of a counter over (from, at], in ns of data time.
type increase struct {
	input    int
	from, at int64
	amount   float64
}

func (i increase) seconds() float64 { return float64(i.at-i.from) / 1e9 }

// tenant is a use of the device in an interval.
type tenant struct {
	w  *worker
	id string // of the GPU or MIG device among the worker's
}

// quiet is the share of the time below which a device counts as idle.
const quiet = 0.01

// observe reads the counters of a batch: what they have increased by since the last one.
func (d *divider) observe(sms pmetric.ScopeMetricsSlice, latest time.Time, maxGap int64) (all []increase, late int) {
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			if m.Type() != pmetric.MetricTypeSum {
				continue
			}
			delta := m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
			for _, dp := range m.Sum().DataPoints().All() {
				input := gpuInputOf(m.Name(), dp.Attributes())
				if input < 0 || dp.Flags().NoRecordedValue() {
					continue
				}
				if dp.Timestamp() == 0 || dp.Timestamp() > pcommon.NewTimestampFromTime(latest) {
					late++
					continue
				}
				got, outcome := d.last[input].next(int64(dp.StartTimestamp()), int64(dp.Timestamp()), derive.Number(dp), delta, maxGap)
				if !outcome {
					late++
				} else if got.at > got.from && got.amount >= 0 {
					got.input = input
					all = append(all, got)
					d.ran(got)
				}
			}
		}
	}
	return all, late
}

// next takes a reading. ok is false when it is older than the last. An increase that cannot be told has no length.
func (c *counted) next(start, at int64, v float64, delta bool, maxGap int64) (got increase, ok bool) {
	before := *c
	if before.seen && at <= before.at {
		return increase{}, false
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return increase{}, true
	}
	*c = counted{true, start, at, v}
	from := before.at
	switch {
	case delta && !before.seen && start == 0, !delta && (!before.seen || at-before.at > maxGap):
		return increase{}, true
	case delta:
		return increase{from: max(from, start), at: at, amount: v}, true
	case start > before.start && before.start != 0 || v < before.value:
		return increase{from: max(from, min(start, at-1)), at: at, amount: v}, true
	}
	return increase{from: from, at: at, amount: v - before.value}, true
}

// tenants says who uses the device, and how their parts of it are found. told is whether the driver tells of processes.
func (v *device) tenants(processes []process, told bool) (who []tenant, parts []serving.Tenant, others float64, rule sharingRule) {
	if len(v.parts) > 0 {
		return v.slices()
	}
	for _, w := range v.users {
		who = append(who, tenant{w, v.g.id})
		parts = append(parts, serving.Tenant{Held: 1 / float64(len(v.users))})
	}
	if len(who) == 1 {
		parts[0].Active = 1
		return who, parts, 0, notShared
	}
	if told {
		if others, ok := v.byProcess(processes, parts); ok {
			return who, parts, others, byProcesses
		}
		for i := range parts {
			parts[i].Active = 0
		}
	}
	return who, parts, 0, busyOf(who, parts)
}

// byProcess fills in how active each user's processes were. ok is false when those of a user cannot be told.
func (v *device) byProcess(processes []process, parts []serving.Tenant) (others float64, ok bool) {
	for _, w := range v.users {
		if !w.who.known() {
			return 0, false
		}
	}
	for i := range processes {
		owner, owners := -1, 0
		for u, w := range v.users {
			if w.who.owns(&processes[i]) {
				owner, owners = u, owners+1
			}
		}
		switch owners {
		case 0:
			others += processes[i].active
		case 1:
			parts[owner].Active += processes[i].active
		default:
			return 0, false // several workers in one pod
		}
	}
	return others, true
}

// busyOf fills in how busy each tenant's own counters say that it was; evenly when one of them does not tell.
func busyOf(who []tenant, parts []serving.Tenant) sharingRule {
	for i := range who {
		busy := who[i].w.who.busy.Load()
		if busy == nil {
			for j := range parts {
				parts[j].Active = 0
			}
			return evenly
		}
		parts[i].Active = *busy * parts[i].Held
	}
	return byBusyTime
}

// slices says who uses the MIG devices of a GPU. Users of one of them share its part evenly.
func (v *device) slices() (who []tenant, parts []serving.Tenant, others float64, rule sharingRule) {
	for _, p := range v.parts {
		p.g.divider.mu.Lock()
		active := p.g.divider.active
		p.g.divider.mu.Unlock()
		held := p.g.slices / v.g.slices
		if len(p.users) == 0 {
			others += held * active
		}
		for _, w := range p.users {
			n := float64(len(p.users))
			who = append(who, tenant{w, p.g.id})
			parts = append(parts, serving.Tenant{Held: held / n, Active: held * active / n})
		}
	}
	return who, parts, others, bySlices
}

// feed divides a batch of the GPU's counters between its tenants and appends what follows from the windows that it completes.
func (d *divider) feed(v *device, sms pmetric.ScopeMetricsSlice, now time.Time, maxGap int64, out pmetric.Metrics) (late int) {
	d.mu.Lock()
	increases, late := d.observe(sms, now.Add(derive.MaxAhead), maxGap)
	d.divided = true
	processes := processesOf(sms)
	d.told = d.told || len(processes) > 0
	who, parts, others, rule := v.tenants(processes, d.told)
	given := make([][]increase, len(who))
	amounts := make([]float64, len(who))
	for _, in := range increases {
		if len(v.parts) > 0 && in.input != gpuEnergy {
			continue // MIG devices have activity of their own
		}
		if in.input == gpuGraphics && len(who) > 1 {
			continue // that anything ran is nobody's alone
		}
		rest := serving.DivideDevice(in.amount, d.floor(in, parts, others), parts, others, amounts)
		for i := range who {
			own, nobodys := in, in
			own.amount = amounts[i]
			nobodys.amount, nobodys.input = rest/float64(len(who)), gpuRest+in.input
			if given[i] = append(given[i], own); in.input < gpuAmounts {
				given[i] = append(given[i], nobodys)
			}
		}
	}
	d.mu.Unlock()
	for i, t := range who {
		t.w.consumeShare(t.id, sms, given[i], rule, out)
	}
	return late
}

// floor is what the device would have spent in the interval had nobody run, as far as was seen: only power has a floor.
func (d *divider) floor(in increase, parts []serving.Tenant, others float64) float64 {
	if in.input != gpuEnergy {
		return 0
	}
	active := others
	for _, p := range parts {
		active += p.Active
	}
	if watts := in.amount / in.seconds(); active < quiet && (d.idle == 0 || watts < d.idle) {
		d.idle = watts
	}
	return d.idle * in.seconds()
}

// follow notes the counters of a GPU that is not divided now, so that the first increase that is has a beginning.
func (d *divider) follow(sms pmetric.ScopeMetricsSlice, now time.Time, maxGap int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.observe(sms, now.Add(derive.MaxAhead), maxGap)
}

// ran learns from graphics, or from SMs where there are none, how active the device was.
func (d *divider) ran(in increase) {
	if in.input == gpuGraphics || in.input == gpuSM && !d.last[gpuGraphics].seen {
		d.active = min(1, in.amount/in.seconds())
	}
}

func (d *divider) wasDivided() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.divided
}

// consumeShare takes the worker's part of what a shared GPU spent.
func (w *worker) consumeShare(id string, sms pmetric.ScopeMetricsSlice, part []increase, rule sharingRule, out pmetric.Metrics) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slot, ok := w.spending.slot(id)
	if !ok {
		return // parted meanwhile
	}
	w.spending.shared(slot, rule)
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			if m.Name() == signal.GPUClockFrequency {
				w.clocks.see(m, slot)
			}
		}
	}
	for _, in := range part {
		w.aligner.ObserveDelta(inputCounters+slot*gpuInputs+in.input, in.from, in.at, window.Value{Sum: in.amount})
	}
	w.close(out)
}
