package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"cmp"
	"math"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// The verdict on a fleet
//
// Workers that are silent or down do not count. Of the candidates whose condition holds, the one with the largest predicted goodput
// loss times confidence is the verdict; the rest are said beside it. Ties keep the order of this table, so that a storm that costs nobody
// anything stands beside what else holds.
//
//	candidate      holds when                                              loss                           confidence
//	workers_down   a worker's last scrape failed                           workers down over all          1, a scrape is no estimate
//	tcp_fallback   KV transfers have fallen back to TCP                    requests above the TTFT        0.8, as of the transport
//	                                                                       objective at decode workers
//	prefill_bound  fleet imbalance above +0.2, or within 0.2 and         requests above the TTFT        of the imbalance, of a
//	               prefill is short (shortage.go); an objective is missed  objective, less what a storm   queue that is seen 0.79
//	                                                                       explains
//	decode_bound   fleet imbalance below -0.2, or within 0.2 and         tokens above the ITL           likewise
//	               decode is short; an objective is missed, or a KV pool   objective, less what mixing
//	               is full                                                 explains; or requests that
//	                                                                       wait there, unless for TCP
//	interference   the ITL objective is missed and would be met were       what mixing explains, less     of the interference estimate
//	               decode not to share its steps with prefill              what a storm explains
//	balanced       both objectives are met and there is room: on target;   0; what is missed              of the imbalance
//	               or the imbalance is within 0.2 and neither is short
//	kv_storm       cached blocks are evicted and computed again, over and  requests above the TTFT        of the thrash ratio
//	               over, where prompts are computed, and not all that      objective, or what mixing
//	               presses is well below its limit                         explains, x share of what is
//	                                                                       stored that is stored again
//	idle           no request ran, waited or got a token for a minute      0                              1
//	unknown        none of these                                           0                              0
//
// The fleet imbalance is the mean of the workers' llm.phase.imbalance, weighted by the requests they run and hold waiting. Where
// every worker has a role of its own (prefill, decode) it is ln(prefill pressure of the prefill pool / decode pressure of the
// decode pool) instead, because a worker with one role has only one of the two pressures.
//
// Its confidence is the mean of llm.estimate.confidence over all workers that count, with the same weights; a worker without an
// estimate counts as 0. So the verdict is never more certain than its estimates.
//
// The first verdict comes before any estimate: from TTFT over its objective against the larger of ITL over its objective and
// KV usage over 0.9, or without objectives from where requests wait. It is marked preliminary, as is every verdict from less
// than a minute of data, and a preliminary verdict is LOW.

// Code names a verdict.
type Code string

// The verdicts, in the order that settles ties.
const (
	WorkersDown  Code = "workers_down"
	TCPFallback  Code = "tcp_fallback"
	PrefillBound Code = "prefill_bound"
	DecodeBound  Code = "decode_bound"
	Interference Code = "interference"
	Balanced     Code = "balanced"
	KVStorm      Code = "kv_storm"
	Idle         Code = "idle"
	Unknown      Code = "unknown"
)

// Standing says how far a verdict may be trusted.
type Standing string

// The standings of a verdict.
const (
	Final       Standing = "final"
	Preliminary Standing = "preliminary"
	Withheld    Standing = "withheld"
)

// Verdict is what is to be said of a fleet first.
type Verdict struct {
	Code       Code       `json:"code"`
	Standing   Standing   `json:"standing"`
	Basis      Basis      `json:"basis"`
	Title      string     `json:"title"`     // the verdict itself, a sentence of a few words
	Detail     string     `json:"detail"`    // what it shows in, with numbers
	Direction  string     `json:"direction"` // where relief has to come from, in general words
	WaitsFor   string     `json:"waits_for"` // what a preliminary verdict waits for
	Also       []string   `json:"also"`      // what else holds
	Confidence float64    `json:"confidence"`
	Loss       float64    `json:"loss"` // predicted share of goodput lost
	Evidence   []Quantity `json:"evidence"`
}

// candidate is one possible verdict.
type candidate struct {
	code       Code
	loss       float64 // predicted share of goodput lost
	confidence float64
	title      string
	beside     string // what is said of it beside another verdict, the title where empty
	detail     string
	direction  string
	evidence   []Quantity // beside that of every verdict
}

// suspect looks at a fleet and says whether its candidate holds.
type suspect func(figures) (candidate, bool)

// suspects are those of the table, in its order.
func suspects() []suspect {
	return []suspect{workersDown, tcpFallback, prefillBound, decodeBound, mixing, evenly, stormy, idling}
}

// verdictInputs are the metrics that the verdict reads.
func verdictInputs() []string {
	return []string{
		signal.Up, signal.EngineInfo, signal.Running, signal.Waiting, signal.KVUtilization, signal.TTFT, signal.ITL, signal.TokensGenerated,
		signal.PhaseImbalance, signal.PhasePressure, signal.EstimateConfidence, signal.EstimateWithheld, signal.Objective,
		signal.PhaseWorkerTime, signal.PhaseGPUTime, signal.InterferenceLost, signal.InterferenceCounterfactual,
		signal.TransferFallback, signal.KVStorm, signal.KVThrash,
	}
}

// judgeFleet returns the verdict on a fleet.
func verdictOn(r *Reading) Verdict {
	f := figure(r)
	var cs []candidate
	for _, s := range suspects() {
		if c, ok := s(f); ok {
			cs = append(cs, c)
		}
	}
	if len(cs) == 0 {
		cs = append(cs, unknown(f))
	}
	slices.SortStableFunc(cs, func(a, b candidate) int {
		return cmp.Compare(b.loss*b.confidence, a.loss*a.confidence)
	})
	lead := cs[0]
	v := Verdict{
		Code: lead.code, Standing: f.standing(lead.code), Basis: f.balance.basis, Title: lead.title, Detail: lead.detail,
		Direction: lead.direction, Also: f.asides(lead, cs[1:]), Confidence: lead.confidence, Loss: lead.loss,
		Evidence: append(f.evidence(), lead.evidence...),
	}
	v.WaitsFor = f.waitsFor(v)
	return v
}

// standing says whether a verdict is final, preliminary or withheld. What a failed scrape says is always final.
func (f figures) standing(c Code) Standing {
	early := f.observed < fullWindow
	switch {
	case c == WorkersDown:
		return Final
	case c == Unknown && f.withheld() != "":
		return Withheld
	case c == Unknown, f.balance.basis == BasisEarly && c != Idle, early:
		return Preliminary
	}
	return Final
}

// verdictLife is the verdict in force.
type verdictLife struct {
	Said  Verdict `json:"said"`
	Since int64   `json:"since"`
	Next  Code    `json:"next"` // that would replace it
	Count int     `json:"count"`
	Aside int     `json:"aside"` // windows in a row in which something else held beside it than was said
}

// materialLoss is by how much a predicted loss changes before the verdict is told again.
const materialLoss = 0.1

// sameWords reports whether the same is said, in whatever order.
func sameWords(a, b []string) bool {
	return slices.Equal(a, b) || slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// verdict judges a fleet, tells the verdict when it changed, or for RaiseAfter windows what holds beside it, and exports the one in force. A
// verdict gives way to another one only after windows in a row that say so, except for workers that are down and while it is not final.
func (a *Advisor) verdict(r *Reading, gauges *exporter, out *Report) {
	if len(r.Workers()) == 0 && len(r.Silent) == 0 {
		return
	}
	now := verdictOn(r)
	l := r.verdict
	changed := l == nil
	switch {
	case l == nil:
		l = &verdictLife{Said: now, Since: r.At}
		r.verdict = l
	case now.Code == l.Said.Code:
		l.Count = 0
		if l.Aside++; sameWords(now.Also, l.Said.Also) {
			l.Aside = 0
		}
		changed = now.Standing != l.Said.Standing || word(now.Confidence) != word(l.Said.Confidence) || now.Title != l.Said.Title ||
			math.Abs(now.Loss-l.Said.Loss) >= materialLoss || l.Aside >= a.cfg.RaiseAfter
	default:
		if l.Next != now.Code {
			l.Next, l.Count = now.Code, 0
		}
		l.Count++
		hasty := now.Code == WorkersDown || l.Said.Standing != Final || l.Said.Code == Unknown
		if changed = hasty || l.Count >= a.cfg.RaiseAfter/2; changed {
			l.Since, l.Count = r.At, 0
		}
	}
	if changed {
		a.changed = true
		l.Said, l.Aside = now, 0
		out.Events = append(out.Events, Event{Name: Judged, At: r.At, Subject: r.Identity, Since: l.Since, Verdict: &now})
	}
	k := levelKey{metric: signal.Verdict, id: string(l.Said.Code)}
	gauges.set(k, 1, k.attributes()...)
}
