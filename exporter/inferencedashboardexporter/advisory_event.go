package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"cmp"
	"math"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Names of the connector's events.
const (
	eventRaised   = "llm.advice.raised"
	eventUpdated  = "llm.advice.updated"
	eventCleared  = "llm.advice.cleared"
	eventVerified = "llm.advice.verified"
	eventVerdict  = "llm.verdict"
)

// maxEvidence bounds the evidence of one event and the other things said of a verdict.
const maxEvidence = 32

// advised is the subject of advice or of a verdict.
type advised struct {
	key   subjectKey
	fleet string // its name
	name  string
}

func (a advised) fleetID() string { return shortID(a.fleet) }

// readAdvised reads the subject from a resource. It shares memory with it, but for the names.
func readAdvised(attrs pcommon.Map) (a advised, ok bool) {
	if a.key, ok = readSubject(attrs); !ok {
		return a, false
	}
	a.fleet = clip(cmp.Or(text(attrs, signal.AttrFleetName), text(attrs, signal.AttrModel)))
	a.name = clip(a.key.instance)
	return a, true
}

func (k subjectKey) clone() subjectKey {
	k.host, k.instance, k.model = strings.Clone(k.host), strings.Clone(k.instance), strings.Clone(k.model)
	return k
}

// adviceEvent is one event of an advice.
type adviceEvent struct {
	name string
	at   pcommon.Timestamp

	Rule, Severity        string
	Since                 int64 // Unix milliseconds
	Title                 string
	Confidence            number
	Evidence              []quantityView
	Action, Change, Where string
	Predicted             *predictionView
	Observed              *observedView
	Reason                string
}

// quantityView is a measured or derived number, with its limit where it has one.
type quantityView struct {
	Name   string `json:"name"`
	Value  number `json:"value"`
	Unit   string `json:"unit"` // UCUM
	Metric string `json:"metric"`
	Limit  number `json:"limit"`
}

// predictionView is the effect that a change should have; low and high hold in four cases of five.
type predictionView struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	From number `json:"from"`
	To   number `json:"to"`
	Low  number `json:"low"`
	High number `json:"high"`
}

// observedView is what became of a change that was advised.
type observedView struct {
	Value   number `json:"value"`
	Result  string `json:"result"` // inside, outside, not_comparable
	Lever   string `json:"lever"`
	From    string `json:"from"`
	To      string `json:"to"`
	Record  number `json:"record"` // share of the rule's predictions that held
	Records number `json:"records"`
}

// verdictEvent is the verdict on a fleet in the connector's words.
type verdictEvent struct {
	at pcommon.Timestamp

	Code, Standing, Basis, Title, Detail, Direction, WaitsFor string
	Since                                                     int64 // Unix milliseconds
	Confidence, Loss                                          number
	Also                                                      []string
	Evidence                                                  []quantityView
}

// body reads the fields of an event, each a bounded copy.
type body struct{ pcommon.Map }

func (b body) text(name string) string { return clip(text(b.Map, name)) }

func (b body) number(name string) number {
	v, ok := b.Get(name)
	if !ok {
		return number{}
	}
	f := 0.0
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		f = v.Double()
	case pcommon.ValueTypeInt:
		f = float64(v.Int())
	default:
		return number{}
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return number{}
	}
	return some(f)
}

func (b body) inner(name string) (body, bool) {
	v, ok := b.Get(name)
	if !ok || v.Type() != pcommon.ValueTypeMap {
		return body{}, false
	}
	return body{v.Map()}, true
}

// millis reads a time in Unix nanoseconds.
func (b body) millis(name string) int64 { return int64(b.number(name).orZero() / 1e6) }

func (b body) list(name string) []pcommon.Value {
	v, ok := b.Get(name)
	if !ok || v.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var all []pcommon.Value
	for _, x := range v.Slice().All() {
		if len(all) < maxEvidence {
			all = append(all, x)
		}
	}
	return all
}

func (b body) evidence() []quantityView {
	quantities := []quantityView{}
	for _, v := range b.list("evidence") {
		if v.Type() == pcommon.ValueTypeMap {
			q := body{v.Map()}
			quantities = append(quantities, quantityView{
				Name: q.text("name"), Value: q.number("value").rounded(), Unit: q.text("unit"), Metric: q.text("metric"), Limit: q.number("limit").rounded(),
			})
		}
	}
	return quantities
}

// readVerdict reads a verdict event, false where its body is none.
func readVerdict(r plog.LogRecord) (*verdictEvent, bool) {
	if r.Body().Type() != pcommon.ValueTypeMap {
		return nil, false
	}
	b := body{r.Body().Map()}
	e := &verdictEvent{
		at: r.Timestamp(), Code: b.text("code"), Standing: b.text("standing"), Basis: b.text("basis"), Title: b.text("title"),
		Detail: b.text("detail"), Direction: b.text("direction"), WaitsFor: b.text("waits_for"), Since: b.millis("since"),
		Confidence: b.number("confidence").rounded(), Loss: b.number("loss").rounded(), Also: []string{}, Evidence: b.evidence(),
	}
	for _, v := range b.list("also") {
		e.Also = append(e.Also, clip(v.AsString()))
	}
	return e, e.Code != "" && e.Title != ""
}

// readAdvice reads an event of an advice, false where it names no rule or its body is none.
func readAdvice(r plog.LogRecord) (e adviceEvent, ok bool) {
	if r.Body().Type() != pcommon.ValueTypeMap {
		return e, false
	}
	b := body{r.Body().Map()}
	e = adviceEvent{
		name: strings.Clone(r.EventName()), at: r.Timestamp(), Rule: clip(text(r.Attributes(), signal.AttrAdviceID)),
		Severity: clip(text(r.Attributes(), signal.AttrAdviceSeverity)), Since: b.millis("since"), Title: b.text("title"),
		Confidence: b.number("confidence").rounded(), Evidence: b.evidence(), Reason: b.text("reason"),
	}
	if action, ok := b.inner("action"); ok {
		e.Action, e.Change, e.Where = action.text("text"), action.text("change"), action.text("where")
	}
	if p, ok := b.inner("predicted"); ok {
		e.Predicted = &predictionView{
			Name: p.text("name"), Unit: p.text("unit"), From: p.number("from").rounded(), To: p.number("to").rounded(),
			Low: p.number("low").rounded(), High: p.number("high").rounded(),
		}
	}
	if o, ok := b.inner("observed"); ok {
		e.Observed = &observedView{
			Value: o.number("value").rounded(), Result: o.text("result"), Lever: o.text("lever"), From: o.text("from"), To: o.text("to"),
			Record: o.number("record").rounded(), Records: o.number("records"),
		}
	}
	return e, e.Rule != ""
}
