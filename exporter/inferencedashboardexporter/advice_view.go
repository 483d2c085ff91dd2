package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/advice"
)

// adviceView is one advice as the page and the API show it.
type adviceView struct {
	ID             string          `json:"id"`
	Rule           string          `json:"rule"`
	Severity       string          `json:"severity"`
	State          adviceState     `json:"state"`
	Subject        subjectKind     `json:"subject"`
	SubjectID      string          `json:"subject_id"` // of the worker, fleet or agent
	SubjectName    string          `json:"subject_name"`
	FleetID        string          `json:"fleet_id"`
	Since          int64           `json:"since"`
	AsOf           int64           `json:"as_of,omitempty"` // when there were data last, where what it speaks of has fallen silent since
	Title          string          `json:"title"`           // "" where the words were told before this exporter listened
	Confidence     number          `json:"confidence"`
	ConfidenceWord string          `json:"confidence_word"`
	Evidence       []quantityView  `json:"evidence"`
	Action         string          `json:"action"`
	Change         string          `json:"change"` // exactly what to copy
	Where          string          `json:"where"`
	Predicted      *predictionView `json:"predicted"`
	Observed       *observedView   `json:"observed"`
	Reason         string          `json:"reason"` // why it was cleared
	Record         number          `json:"record"` // share of the rule's predictions for the fleet that held
}

// adviceState is whether an advice stands.
type adviceState string

const (
	adviceStands   adviceState = "standing"
	adviceCleared  adviceState = "cleared"
	adviceVerified adviceState = "verified" // it was followed, and its effect was measured
)

// views returns the advice: first what stands, of that first what is not of the silent; of each fleet first what answers its verdict, then the
// most severe, then the surest.
func (a *advisory) views(fleets []fleetView, now time.Time) []adviceView {
	verdicts, workers := map[string]code{}, map[string]countsView{}
	for _, f := range fleets {
		verdicts[f.ID], workers[f.ID] = f.Verdict.Code, *f.Workers
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	views := make([]adviceView, 0, len(a.advice))
	for key, said := range a.advice {
		e, fleet := said.event, shortID(said.fleet)
		v := adviceView{
			ID: shortID(key.subject.id() + "\x00" + key.rule), Rule: key.rule, Severity: said.severity, State: said.state(),
			Subject: key.subject.kind, SubjectID: key.subject.id(), SubjectName: said.name, FleetID: fleet, Since: e.Since, Title: e.Title,
			Confidence: e.Confidence, Evidence: e.Evidence, Action: e.Action, Change: e.Change, Where: e.Where, Predicted: e.Predicted,
			Observed: e.Observed, Reason: e.Reason,
		}
		if said.stands {
			v.AsOf = said.asOf(workers[fleet], now)
		}
		if v.Confidence.ok {
			v.ConfidenceWord = confidenceWord(v.Confidence.value)
		}
		if v.Evidence == nil {
			v.Evidence = []quantityView{}
		}
		if f, ok := a.records[recordKey{fleet, key.rule}]; ok && !f.heard.stale(now) {
			v.Record = f.last.rounded()
		}
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b adviceView) int { return adviceBefore(a, b, verdicts) })
	return views
}

// asOf is when there were data last of an advice that stands, Unix milliseconds; 0 where there are. Nobody may have answered since this
// exporter listens: then it is when it heard of the advice.
func (s *adviceSaid) asOf(workers countsView, now time.Time) int64 {
	if workers.nobodyAnswers() {
		return cmp.Or(workers.LastAnswered, s.changed.UnixMilli())
	}
	return s.silentSince(now)
}

// silentSince is when it was last told that the advice holds, Unix milliseconds, where nobody tells so any more: no window of its subject ends.
// 0 where it is told, or never was, as on a page that gets events alone.
func (s *adviceSaid) silentSince(now time.Time) int64 {
	if s.heard.last.IsZero() || !s.heard.stale(now) {
		return 0
	}
	return s.heard.last.UnixMilli()
}

func (s *adviceSaid) state() adviceState {
	switch {
	case s.stands:
		return adviceStands
	case s.verified:
		return adviceVerified
	}
	return adviceCleared
}

func adviceBefore(a, b adviceView, verdicts map[string]code) int {
	state := func(v adviceView) int { return slices.Index([]adviceState{adviceStands, v.State}, v.State) }
	silent := func(v adviceView) int {
		if v.AsOf != 0 {
			return 1
		}
		return 0
	}
	answers := func(v adviceView) int { return advice.Rank(advice.Code(verdicts[v.FleetID]), v.Rule) }
	severity := func(v adviceView) int {
		return slices.Index([]string{"critical", "warning", "info", v.Severity}, v.Severity)
	}
	return cmp.Or(
		cmp.Compare(state(a), state(b)),
		cmp.Compare(silent(a), silent(b)),
		cmp.Compare(answers(a), answers(b)),
		cmp.Compare(severity(a), severity(b)),
		cmp.Compare(b.Confidence.orZero(), a.Confidence.orZero()),
		cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.SubjectName, b.SubjectName), cmp.Compare(a.ID, b.ID),
	)
}

// render puts the connector's verdict in the place of the page's own where there is one in force. The figures beside it, but for the
// imbalance, stay those that are measured now: an event tells them as they were when it was told.
func (a *advisory) render(fleet string, own verdictView, now time.Time) verdictView {
	a.mu.Lock()
	defer a.mu.Unlock()
	own.Source = verdictOfPage
	said, ok := a.verdicts[fleet]
	if !ok || said.heard.stale(now) || said.code == "" {
		return own
	}
	own.Source = verdictOfAdvice
	if e := said.event; e != nil && (e.Code == said.code || e.at >= said.at) {
		own.Code, own.Standing, own.Basis = code(e.Code), standing(e.Standing), basis(e.Basis)
		own.Title, own.Detail, own.Direction, own.WaitsFor, own.Also = e.Title, e.Detail, e.Direction, e.WaitsFor, e.Also
		own.Confidence, own.ConfidenceWord, own.Loss, own.Since, own.Told = e.Confidence, "", e.Loss, e.Since, e.at.AsTime().UnixMilli()
		own.Evidence = withImbalance(own.Evidence, e.Evidence)
		if own.Code != codeUnknown && e.Confidence.ok {
			own.ConfidenceWord = confidenceWord(e.Confidence.value)
		}
		return own
	}
	if code(said.code) == own.Code {
		return own // only the gauge arrives, and the page's own words say the same
	}
	own.Code, own.Standing, own.Basis, own.Title = code(said.code), standingFinal, basisNone, bareTitle(said.code)
	own.Detail, own.Direction, own.WaitsFor, own.Also = "", "", "", []string{}
	own.Confidence, own.ConfidenceWord, own.Loss = number{}, "", number{}
	return own
}

// withImbalance takes the imbalance from the event: it is what the connector judged by, and the page's own may rest on another basis.
func withImbalance(own []evidenceView, told []quantityView) []evidenceView {
	all := slices.Clone(own)
	for _, q := range told {
		for i := range all {
			if q.Name == imbalanceLabel && all[i].Label == imbalanceLabel {
				all[i].Value, all[i].Metric = quantileView{Value: q.Value}, q.Metric
			}
		}
	}
	return all
}

// bareTitle is a verdict whose words did not arrive.
func bareTitle(code string) string {
	words := strings.ReplaceAll(code, "_", " ")
	if strings.HasSuffix(code, "_bound") {
		words = strings.ReplaceAll(code, "_", "-")
	}
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:] + "."
}
