package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EventName says what happened to an advice.
type EventName string

// The events of an advice and of a fleet's verdict.
const (
	Raised   EventName = "llm.advice.raised"
	Updated  EventName = "llm.advice.updated"
	Cleared  EventName = "llm.advice.cleared"
	Verified EventName = "llm.advice.verified"
	Judged   EventName = "llm.verdict"
)

// Event is what is to be told once.
type Event struct {
	Name     EventName
	At       int64 // data time in unix nanoseconds
	Subject  Identity
	Rule     string       // "" for Judged
	Since    int64        // when the advice was raised, or the verdict came into force
	Finding  Finding      // as last told; empty for Judged
	Reason   string       // of Cleared
	Observed *Observation // of Verified
	Verdict  *Verdict     // of Judged
}

// Reasons of Cleared.
const (
	ReasonOver   = "condition_over"   // the condition no longer holds
	ReasonGone   = "subject_gone"     // the subject has been silent for too long
	ReasonRecord = "poor_record"      // too few predictions of the rule came true
	ReasonLost   = "cannot_be_judged" // an input is missing, so that nobody can tell whether it still holds
)

// Observation is what followed an advice had as its effect.
type Observation struct {
	Value   float64    `json:"value"` // of the quantity that was predicted
	Result  Result     `json:"result"`
	Lever   string     `json:"lever"` // the fact that changed
	From    string     `json:"from"`
	To      string     `json:"to"`
	Record  float64    `json:"record"` // share of the rule's predictions for this fleet that held, this one included
	Records int        `json:"records"`
	Demand  [2]float64 `json:"demand"` // requests per second when it was predicted and when it was measured
}

// Result says whether a prediction came true.
type Result string

// The results of a verification.
const (
	Inside        Result = "inside"         // of the interval that was predicted
	Outside       Result = "outside"        //
	NotComparable Result = "not_comparable" // demand changed too much; it does not count
)

// Gauge is a point of a gauge to be exported.
type Gauge struct {
	Subject    Identity
	At         int64
	Metric     string
	Attributes []Pair
	Value      float64
	Gone       bool // the stream ended
}

// Report is what came of a round of judging.
type Report struct {
	Events []Event
	Gauges []Gauge
}

// levelKey tells the exported gauges of a subject apart.
type levelKey struct{ metric, id, severity string }

// exporter collects the gauges of one subject, so that those it no longer has can be ended.
type exporter struct {
	s     *state
	at    int64
	out   *Report
	given map[levelKey]bool
}

func (o *Report) export(s *state, at int64) *exporter {
	return &exporter{s: s, at: at, out: o, given: make(map[levelKey]bool, len(s.levels))}
}

func (e *exporter) set(k levelKey, v float64, attributes ...Pair) {
	e.given[k] = true
	e.out.Gauges = append(e.out.Gauges, Gauge{Subject: e.s.Identity, At: e.at, Metric: k.metric, Attributes: attributes, Value: v})
}

// finish ends what was exported before and is no more.
func (e *exporter) finish() {
	for k := range e.s.levels {
		if !e.given[k] {
			e.out.Gauges = append(e.out.Gauges, Gauge{Subject: e.s.Identity, At: e.at, Metric: k.metric, Attributes: k.attributes(), Gone: true})
		}
	}
	e.s.levels = e.given
}

func (k levelKey) attributes() []Pair {
	switch k.metric {
	case signal.Verdict:
		return []Pair{{signal.AttrVerdictCode, k.id}}
	case signal.AdviceRecord:
		return []Pair{{signal.AttrAdviceID, k.id}}
	}
	return []Pair{{signal.AttrAdviceID, k.id}, {signal.AttrAdviceSeverity, k.severity}}
}

func (a *Advisor) exportRecords(r *Reading, gauges *exporter) {
	for key, rec := range a.records {
		if key.fleet == r.Instance {
			k := levelKey{metric: signal.AdviceRecord, id: key.rule}
			gauges.set(k, rec.share(), k.attributes()...)
		}
	}
}
