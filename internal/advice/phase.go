package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// Reasons for which phase rules withhold.
const (
	withheldEarly      = "less_than_a_minute"
	withheldUnsure     = "low_confidence"
	withheldNoLatency  = "no_latency_against_objective"
	withheldNoEstimate = "no_interference_estimate"
)

// phaseRules are those on which phase holds a fleet back.
func phaseRules() []Rule {
	return []Rule{
		{
			ID: "prefill-bound", Subject: Fleet, Check: checkPrefillBound, Measure: withinTTFT,
			Inputs: append(verdictInputs(), signal.TopologyWorkers),
		},
		{
			ID: "decode-bound", Subject: Fleet, Check: checkDecodeBound, Measure: meanITL,
			Inputs: append(verdictInputs(), signal.KVUtilization, signal.TopologyWorkers),
		},
	}
}

// unsure says why the phases of a fleet cannot be told apart, "" when they can.
func (r *Reading) unsure(f figures) string {
	if !f.balance.imbalance.ok || f.balance.basis == BasisEarly || !r.Sure(f.balance.confidence) {
		return withheldUnsure
	}
	return ""
}

// checkPrefillBound finds a fleet whose first tokens come too late because prompts wait for their prefill.
func checkPrefillBound(r *Reading) Outcome {
	f := figure(r)
	missed, decided := f.ttft.Missed()
	switch {
	case f.observed < fullWindow:
		return Withhold(withheldEarly)
	case f.idle() || decided && !missed || f.shortage().plain || f.churn().mostly():
		return Nothing()
	case !decided:
		return Withhold(withheldNoLatency)
	case f.shortage().code == PrefillBound: // a queue is seen
	case r.unsure(f) != "":
		return Withhold(r.unsure(f))
	case !r.Over(f.balance.imbalance.value, band):
		return Nothing()
	}
	waiting := sumOf(f.workers, func(w workerFigures) number { return w.waiting })
	served, _ := r.front().CountRate(signal.TTFT)
	demand, _ := r.Demand()
	p := poolOf(f, signal.RolePrefill)
	finding := Finding{
		Severity: severityOf(f.ttft.Above), Title: "Requests wait for their prefill.", Confidence: f.sureOf(PrefillBound),
		Evidence: []Quantity{
			f.ttft.Quantity("TTFT", signal.TTFT),
			{Name: "Phase imbalance", Value: f.balance.imbalance.value, Unit: "1", Metric: signal.PhaseImbalance},
			{Name: "Requests waiting", Value: waiting, Unit: "{request}", Metric: signal.Waiting},
			{Name: "First tokens", Value: served, Unit: "{request}/s", Metric: signal.TTFT},
			{Name: "Requests arriving", Value: demand, Unit: "{request}/s", Metric: signal.TTFT},
		},
	}
	more := 1
	// While requests wait, a worker prefills all it can: what it served is its capacity, and says how many are needed.
	saturated := r.Over(waiting, float64(p.size)) && served > 0
	if saturated {
		more = max(1, int(math.Ceil(demand/(sustainable*served/float64(p.size))))-p.size)
	}
	finding.Action = r.grow(p, more, f.decodeITL, signal.RoleDecode)
	bursts, known := r.Dispersion()
	if known {
		finding.Evidence = append(finding.Evidence, Quantity{Name: "Variance of arrivals over their mean", Value: bursts, Unit: "1", Metric: signal.TTFT})
	}
	switch {
	case known && bursts > evenArrivals:
		finding.Action.Text += " Requests come in bursts: this is what their mean takes, and how much more the bursts take cannot be predicted."
	case saturated && known:
		finding.Predicted = &Effect{
			Name: "share of requests within the TTFT objective", Unit: "1", From: 1 - f.ttft.Above, To: 0.97, Low: 0.85, High: 1,
		}
	}
	return Found(finding)
}

// evenArrivals is the dispersion up to which the mean says what is needed. On the simulator conversation traffic has 0.3 to 2, code traffic 60
// to 170: there even four times the capacity that the mean needs leaves requests waiting.
const evenArrivals = 5

// sustainable is up to which share of its capacity a pool is loaded for its queue to stay short: at 0.85 the mean wait in M/D/1 is
// 0.85 / (2 x 0.15) = 2.8 service times.
const sustainable = 0.85

// checkDecodeBound finds a fleet whose tokens come too slowly, or whose KV pool is full, for want of decode capacity.
func checkDecodeBound(r *Reading) Outcome {
	f := figure(r)
	missed, decided := f.itl.Missed()
	late, _ := f.decodeTTFT.Missed()
	kv := largestOf(f.workers, func(w workerFigures) number { return w.kv })
	full := r.Over(kv, kvLimit)
	explained, _ := f.mixed()
	_, without := f.lost()
	mixing := explained > 0.5 && without < f.itl.Objective // that is another rule's, which speaks under the same condition
	switch {
	case f.observed < fullWindow:
		return Withhold(withheldEarly)
	case f.idle() || decided && !missed && !full && !late:
		return Nothing()
	case !decided && !full:
		return Withhold(withheldNoLatency)
	case f.shortage().code == DecodeBound && (full || missed && r.Sure(f.sureOf(DecodeBound)) && !mixing):
	case r.unsure(f) != "":
		return Withhold(r.unsure(f))
	case !r.Over(-f.balance.imbalance.value, band):
		return Nothing()
	case mixing && !full && !late:
		return Nothing()
	}
	p := poolOf(f, signal.RoleDecode)
	running := sumOf(f.workers, func(w workerFigures) number { return number{w.load.value - w.waiting.orZero(), w.load.ok} })
	finding := Finding{
		Severity: severityOf(max(f.itl.Above, f.decodeTTFT.Above)), Title: "Decode has too little capacity.", Confidence: f.sureOf(DecodeBound),
		Evidence: []Quantity{
			f.itl.Quantity("ITL", signal.ITL),
			{Name: "Phase imbalance", Value: f.balance.imbalance.value, Unit: "1", Metric: signal.PhaseImbalance},
			{Name: "Requests running", Value: running, Unit: "{request}", Metric: signal.Running},
			Quantity{Name: "KV usage, highest", Value: kv, Unit: "1", Metric: signal.KVUtilization}.Against(kvLimit),
		},
		Action: r.grow(p, 1, f.prefillTTFT, signal.RolePrefill),
	}
	if full && !missed {
		finding.Title = "The KV cache is full: requests wait for room, and not for computing."
		finding.Action.Text += " More memory for the KV cache, or fewer bytes per token, does the same."
	}
	if mean := f.itl.Mean(); missed && mean > 0 {
		// A step costs something without any sequence and grows with each: with a batch that shrinks to share, it takes between that
		// share of its time and all of it.
		share := float64(p.size) / float64(p.size+1)
		finding.Predicted = &Effect{
			Name: "mean ITL", Unit: "s", From: mean, To: mean * (share + weightsPart*(1-share)), Low: mean * share * 0.95, High: mean,
		}
	}
	return Found(finding)
}

// weightsPart is the part of a step that does not shrink with the batch, in fleets whose batches are so large that decode misses its
// objective: 14 to 17 % on the simulator, where it is mostly the reading of the weights.
const weightsPart = 0.2

// workersOf is a pool of workers that an action changes: those of a role where the fleet is disaggregated, else all of them.
type workersOf struct {
	role        string // "" where all do everything
	size, other int    // workers of the role, of the other role
}

func poolOf(f figures, role string) workersOf {
	p := workersOf{role: role}
	for _, w := range f.workers {
		switch w.role {
		case role:
			p.size++
		case signal.RolePrefill, signal.RoleDecode:
			p.other++
		case signal.RoleEncode, signal.RoleRouter:
		default:
			return workersOf{size: len(f.workers)}
		}
	}
	return p
}

// grow is the action that adds workers to the pool: taken from the other pool where that one has room, else new ones.
func (p workersOf) grow(more int, other Latency, otherRole string) Action {
	if p.role == "" {
		return Action{
			Text:   fmt.Sprintf("Add %d %s, or send part of the traffic elsewhere.", more, words.Plural(more, "worker", "workers")),
			Change: fmt.Sprintf("%d %s -> %d workers", p.size, words.Plural(p.size, "worker", "workers"), p.size+more),
			Levers: []Lever{{Fact: FactTotal, Rise: 1}},
		}
	}
	lever := []Lever{{Fact: FactWorkers + p.role, Rise: 1}}
	ratio, known := other.Ratio()
	if room := known && ratio <= comfort; room && p.other-more >= 1 {
		return Action{
			Text:   fmt.Sprintf("Move %d %s from %s to %s.", more, words.Plural(more, "worker", "workers"), otherRole, p.role),
			Change: p.topology(0, 0) + " -> " + p.topology(more, -more), Levers: lever,
		}
	}
	return Action{
		Text:   fmt.Sprintf("Add %d %s %s.", more, p.role, words.Plural(more, "worker", "workers")),
		Change: p.topology(0, 0) + " -> " + p.topology(more, 0), Levers: lever,
	}
}

// topology writes the pools as 2P3D, changed by so many workers.
func (p workersOf) topology(more, others int) string {
	prefill, decode := p.size+more, p.other+others
	if p.role == signal.RoleDecode {
		prefill, decode = decode, prefill
	}
	return fmt.Sprintf("%dP%dD", prefill, decode)
}

// severityOf is by the share of samples that miss their objective.
func severityOf(above float64) Severity {
	if above > 0.5 {
		return Critical
	}
	return Warning
}

func withinTTFT(r *Reading) (float64, bool) {
	l := r.front().TTFT()
	return 1 - l.Above, l.Decided
}

func meanITL(r *Reading) (float64, bool) {
	d, ok := r.Histogram(signal.ITL)
	return d.Mean(), ok
}

func sumOf(ws []workerFigures, of func(workerFigures) number) (sum float64) {
	for _, w := range ws {
		sum += of(w).orZero()
	}
	return sum
}

func largestOf(ws []workerFigures, of func(workerFigures) number) (largest float64) {
	for _, w := range ws {
		largest = max(largest, of(w).orZero())
	}
	return largest
}
