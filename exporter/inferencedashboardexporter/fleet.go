package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// fleet gathers the workers of one fleet at one moment.
type fleet struct {
	id, name  string
	facts     fleetFacts
	ttft, itl []percentile.Distribution // of facts.counted
	seconds   [4]float64
	running   number
	waiting   number
	kv        number // the largest of the workers that count
	born      time.Time
	heard     time.Time // the last report of any of them
	answered  time.Time // the last data of any of them
	conditions
}

// add takes a worker in. One that is stale or down is counted but gives no figures.
func (f *fleet) add(a assessment) {
	f.facts.add(a.facts)
	if f.born.IsZero() || a.born.Before(f.born) {
		f.born = a.born
	}
	if a.heard.After(f.heard) {
		f.heard = a.heard
	}
	if a.answered.After(f.answered) {
		f.answered = a.answered
	}
	if a.facts.state != stateOK {
		return
	}
	f.ttft = append(f.ttft, a.ttft)
	f.itl = append(f.itl, a.itl)
	for i, s := range a.facts.seconds {
		f.seconds[i] += s
	}
	f.conditions = f.with(a.conditions)
	f.running = plus(f.running, a.view.Load.Running)
	f.waiting = plus(f.waiting, a.view.Load.Waiting)
	if kv := a.view.Load.KV; kv.ok {
		f.kv = some(max(kv.value, f.kv.orZero()))
	}
	f.facts.ttft.strictest(a.facts.ttft)
	f.facts.itl.strictest(a.facts.itl)
}

func plus(a, b number) number {
	if !b.ok {
		return a
	}
	return some(a.orZero() + b.value)
}

// strictest keeps the smaller objective. Workers of one fleet normally share one.
func (l *limit) strictest(other limit) {
	if other.objective.ok && (!l.objective.ok || other.objective.value < l.objective.value) {
		l.objective, l.quantile, l.implied = other.objective, other.quantile, other.implied
	}
}

func (f *fleet) shares() (shares [4]number) {
	total := 0.0
	for _, s := range f.seconds {
		total += s
	}
	if total <= 0 {
		return shares
	}
	for i, s := range f.seconds {
		shares[i] = some(s / total)
	}
	return shares
}

// arrivals are the times to first token of where requests arrive: where every worker serves one phase, the prefill workers, whose requests decode
// workers see once more.
func (f *fleet) arrivals() []percentile.Distribution {
	var front []percentile.Distribution
	decode := false
	for i, w := range f.facts.counted {
		switch w.role {
		case signal.RolePrefill:
			front = append(front, f.ttft[i])
		case signal.RoleDecode:
			decode = true
		case signal.RoleEncode, signal.RoleRouter:
		default:
			return f.ttft
		}
	}
	if !decode || len(front) == 0 {
		return f.ttft
	}
	return front
}

// view judges the fleet and writes what it sees into the fleet's history.
func (f *fleet) view(now time.Time, h *history) fleetView {
	ttft, itl := percentile.Merge(f.arrivals()), percentile.Merge(f.itl)
	f.facts.ttft = limitOf(ttft, f.facts.ttft.objective, f.facts.ttft.quantile, f.facts.ttft.implied)
	f.facts.itl = limitOf(itl, f.facts.itl.objective, f.facts.itl.quantile, f.facts.itl.implied)
	f.facts.observed = now.Sub(f.born)

	cs, b := judge(f.facts)
	verdict := f.verdictView(cs, b)
	shares := f.shares()
	phase, ttftView, itlView := viewPhase(shares), viewLatency(ttft), viewLatency(itl)
	h.put(now, historyRow(ttftView, itlView, shares, estimateView{Imbalance: b.imbalance},
		loadView{Running: f.running, Waiting: f.waiting, KV: f.kv}, f.conditions))

	counts := countsView{
		Total: f.facts.total(), OK: len(f.facts.counted), Stale: f.facts.stale, Down: f.facts.down,
	}
	if counts.Total > 0 && counts.Stale == counts.Total {
		counts.LastHeard = f.heard.UnixMilli()
	}
	if counts.nobodyAnswers() && !f.answered.IsZero() {
		counts.LastAnswered = f.answered.UnixMilli()
	}
	objectives := objectivesView{TTFT: viewObjective(f.facts.ttft), ITL: viewObjective(f.facts.itl)}
	return fleetView{
		ID: f.id, Name: f.name, Verdict: &verdict, Workers: &counts, Phase: &phase,
		TTFT: &ttftView, ITL: &itlView, Objectives: &objectives, Conditions: f.conditions.view(),
	}
}

func viewObjective(l limit) objectiveView {
	return objectiveView{Max: l.objective, Quantile: l.quantile, Implied: l.implied}
}

func (f *fleet) verdictView(cs []candidate, b balance) verdictView {
	lead, words := cs[0], word(cs, b, f.facts)
	v := verdictView{
		Code: lead.code, Standing: standingOf(lead, b, f.facts), Title: words.title, Detail: words.detail,
		Direction: words.direction, Basis: b.basis, Loss: some(lead.loss).rounded(), WaitsFor: words.waitsFor,
		Also: words.also, Evidence: f.evidence(b),
	}
	if lead.code != codeUnknown {
		v.Confidence = some(lead.confidence).rounded()
		v.ConfidenceWord = confidenceWord(lead.confidence)
	}
	return v
}

// imbalanceLabel is the name of the imbalance among the evidence, here and in the connector's events.
const imbalanceLabel = "Imbalance"

// evidence lists the numbers behind the verdict, in the order in which they are shown.
func (f *fleet) evidence(b balance) []evidenceView {
	metric := signal.PhaseImbalance
	if b.basis == basisPools {
		metric = signal.PhasePressure
	}
	return []evidenceView{
		{Label: imbalanceLabel, Metric: metric, Unit: "1", Value: plain(b.imbalance)},
		limitEvidence("TTFT", signal.TTFT, f.facts.ttft),
		limitEvidence("ITL", signal.ITL, f.facts.itl),
		{Label: "Running", Metric: signal.Running, Unit: "{request}", Value: plain(f.running)},
		{Label: "Waiting", Metric: signal.Waiting, Unit: "{request}", Value: plain(f.waiting)},
		{Label: "KV usage, highest", Metric: signal.KVUtilization, Unit: "1", Value: plain(f.kv)},
	}
}

func plain(n number) quantileView { return quantileView{Value: n.rounded()} }

func limitEvidence(name, metric string, l limit) evidenceView {
	e := evidenceView{
		Label: name + " " + words.Quantile(l.quantile), Metric: metric, Unit: "s", Against: l.objective, Implied: l.implied,
	}
	if l.known {
		e.Value = viewEstimate(l.at)
	}
	return e
}
