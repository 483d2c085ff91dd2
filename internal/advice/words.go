package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// mixingShare is prefill's share of busy time from which a missed ITL objective is said to be in part the price of mixing.
const mixingShare = 0.25

// boundDetail says how many workers miss the objective of the phase, and by how much the fleet does.
func (f figures) boundDetail(name string, l Latency, of func(workerFigures) Latency) string {
	missing, decided := 0, 0
	for _, w := range f.workers {
		missed, ok := of(w).Missed()
		if ok {
			decided++
		}
		if missed {
			missing++
		}
	}
	switch {
	case !l.Known || l.Objective <= 0:
		return "The objectives are not known yet; this is read from where requests wait."
	case missing == 0:
		return fmt.Sprintf("No worker misses the %s objective yet: %s.", name, against("", l))
	case len(f.workers) == 1:
		return fmt.Sprintf("The worker misses the %s objective: %s.", name, against("", l))
	}
	return fmt.Sprintf("%d of %d workers %s the %s objective: %s.", missing, decided, words.Plural(missing, "misses", "miss"), name, against("", l))
}

// bothDetail says how both latencies stand against their objectives.
func (f figures) bothDetail() string {
	var parts []string
	misses := 0
	for i, l := range []Latency{f.ttft, f.itl} {
		if !l.Known || l.Objective <= 0 {
			continue
		}
		parts = append(parts, against([]string{"TTFT", "ITL"}[i], l))
		if missed, _ := l.Missed(); missed {
			misses++
		}
	}
	if len(parts) == 0 {
		return "Both phases are under the same pressure."
	}
	lead := []string{"Objectives are met: ", "One objective is missed: ", "Both objectives are missed: "}[misses]
	return lead + strings.Join(parts, ", ") + "."
}

// pressure says how much harder one phase is pressed than the other.
func pressure(phase, other string, b balance) string {
	switch {
	case !b.imbalance.ok:
		return ""
	case b.basis == BasisWorkers:
		return fmt.Sprintf("More capacity for %s would bring more than for %s. ", phase, other)
	case math.Abs(b.imbalance.value) >= maxImbalance:
		return fmt.Sprintf("The pressure on %s is more than 20 times that on %s. ", phase, other)
	}
	return fmt.Sprintf("The pressure on %s is %s times that on %s. ", phase, words.Figure(math.Exp(math.Abs(b.imbalance.value)), 2), other)
}

// decodeRelief keeps the reader from adding decode capacity for what prefill does: where prefill takes much of the time in the
// steps that decode rides in, it lengthens them, and the ITL objective is missed in part because of it.
func (f figures) decodeRelief() string {
	share := f.prefillShare()
	if missed, _ := f.itl.Missed(); !missed || !share.ok || share.value < mixingShare {
		return "Relief has to come from the decode side."
	}
	return fmt.Sprintf("Prefill takes %.0f %% of the busy time and rides in the same steps: part of this ITL is the price of mixing "+
		"the phases.", 100*share.value)
}

// asides says in one sentence each what holds beside the verdict.
func (f figures) asides(lead candidate, rest []candidate) []string {
	also := []string{}
	for _, c := range rest {
		if lead.code == KVStorm && c.code == Balanced && f.met() {
			continue // it says so itself
		}
		also = append(also, cmp.Or(c.beside, c.title))
	}
	if f.silent > 0 && f.silent < f.all {
		also = append(also, fmt.Sprintf("%d of %d workers %s silent and not counted.", f.silent, f.all, words.Plural(f.silent, "is", "are")))
	}
	without := 0
	for _, w := range f.workers {
		if !w.imbalance.ok {
			without++
		}
	}
	if f.balance.basis == BasisWorkers && without > 0 {
		also = append(also, fmt.Sprintf("%d of %d workers %s no estimate.", without, len(f.workers), words.Plural(without, "has", "have")))
	}
	return also
}

// waitsFor says what a preliminary verdict waits for, "" for a final one.
func (f figures) waitsFor(v Verdict) string {
	if v.Standing != Preliminary || len(f.workers) == 0 {
		return ""
	}
	if v.Code != Idle && (f.balance.basis == BasisEarly || v.Code == Unknown) {
		if f.observed >= fullWindow {
			return "phase estimates. None has arrived: is phase_attribution in the pipeline before advice?"
		}
		return "the first phase estimates"
	}
	return "a full minute of data" // without how many seconds more: it is told once and holds until then
}

// evidence lists the numbers behind the verdict, in the order in which they are shown.
func (f figures) evidence() []Quantity {
	var running, waiting, kv number
	for _, w := range f.workers {
		waiting = number{waiting.value + w.waiting.orZero(), waiting.ok || w.waiting.ok}
		running = number{running.value + w.load.orZero() - w.waiting.orZero(), running.ok || w.load.ok}
		kv = number{max(kv.value, w.kv.orZero()), kv.ok || w.kv.ok}
	}
	metric := signal.PhaseImbalance
	if f.balance.basis == BasisPools {
		metric = signal.PhasePressure
	}
	var qs []Quantity
	add := func(ok bool, q Quantity) {
		if ok {
			qs = append(qs, q)
		}
	}
	add(f.balance.imbalance.ok, Quantity{Name: "Imbalance", Value: f.balance.imbalance.value, Unit: "1", Metric: metric})
	add(f.ttft.Known, f.ttft.Quantity("TTFT", signal.TTFT))
	add(f.itl.Known, f.itl.Quantity("ITL", signal.ITL))
	add(running.ok, Quantity{Name: "Running", Value: running.value, Unit: "{request}", Metric: signal.Running})
	add(waiting.ok, Quantity{Name: "Waiting", Value: waiting.value, Unit: "{request}", Metric: signal.Waiting})
	add(kv.ok, Quantity{Name: "KV usage, highest", Value: kv.value, Unit: "1", Metric: signal.KVUtilization})
	return qs
}

// against writes a latency beside its objective, such as "TTFT p90 812 ms against 500 ms (implied)".
func against(name string, l Latency) string {
	text := strings.TrimSpace(name + " " + words.Quantile(l.Quantile))
	if l.At.Over {
		text += " above"
	}
	text += " " + words.Seconds(l.At.Value) + " against " + words.Seconds(l.Objective)
	if l.Implied {
		text += " (implied)"
	}
	return text
}
