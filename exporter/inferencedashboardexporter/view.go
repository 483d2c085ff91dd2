package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
)

// The views are what the API and the stream send. A worker's view is made of groups; a message of the stream leaves out the groups
// that did not change. All groups are comparable. Times are Unix milliseconds, durations seconds, shares 0..1; null is unknown.

// workerView is one worker.
type workerView struct {
	ID       string        `json:"id"`
	Identity *identity     `json:"identity,omitempty"`
	State    *stateView    `json:"state,omitempty"`
	Load     *loadView     `json:"load,omitempty"`
	Phase    *phaseView    `json:"phase,omitempty"`
	TTFT     *latencyView  `json:"ttft,omitempty"`
	ITL      *latencyView  `json:"itl,omitempty"`
	Estimate *estimateView `json:"estimate,omitempty"`

	Conditions *conditionsView `json:"conditions,omitempty"`
}

// stateView is whether the worker counts, and since when it has been silent where it has been.
type stateView struct {
	State     workerState `json:"state"`
	LastHeard int64       `json:"last_heard,omitempty"` // stale workers only: a fresh one would change with every scrape
}

type loadView struct {
	Running number `json:"running"`
	Waiting number `json:"waiting"`
	KV      number `json:"kv"`
	Trouble number `json:"trouble"` // the largest of TTFT and ITL over their objectives and KV usage over 0.9: above 1 something is missed
}

// phaseView is the share of worker time by phase over the trailing minute. The four add up to 1.
type phaseView struct {
	Prefill      number `json:"prefill"`
	Decode       number `json:"decode"`
	Idle         number `json:"idle"`
	Unattributed number `json:"unattributed"`
}

// latencyView is three percentiles over the trailing minute.
type latencyView struct {
	P50 quantileView `json:"p50"`
	P90 quantileView `json:"p90"`
	P99 quantileView `json:"p99"`
}

// quantileView is a percentile: its value, or the last bound where it lies above that, and the edges of the bucket it was
// interpolated in, between which the true one lies.
type quantileView struct {
	Value number `json:"value"`
	Over  bool   `json:"over"`
	Low   number `json:"low"`
	High  number `json:"high"`
}

type estimateView struct {
	Imbalance       number `json:"imbalance"`
	Confidence      number `json:"confidence"`
	PressurePrefill number `json:"pressure_prefill"`
	PressureDecode  number `json:"pressure_decode"`
	Withheld        string `json:"withheld"`
}

// fleetView is one fleet.
type fleetView struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Verdict    *verdictView    `json:"verdict,omitempty"`
	Workers    *countsView     `json:"workers,omitempty"`
	Phase      *phaseView      `json:"phase,omitempty"`
	TTFT       *latencyView    `json:"ttft,omitempty"`
	ITL        *latencyView    `json:"itl,omitempty"`
	Objectives *objectivesView `json:"objectives,omitempty"`
	Conditions *conditionsView `json:"conditions,omitempty"`
}

type countsView struct {
	Total int `json:"total"`
	OK    int `json:"ok"`
	Stale int `json:"stale"`
	Down  int `json:"down"`

	LastHeard    int64 `json:"last_heard,omitempty"`    // where all of them are silent
	LastAnswered int64 `json:"last_answered,omitempty"` // when there were data last, where all of them are silent or down
}

// nobodyAnswers reports whether all workers are silent or down.
func (c countsView) nobodyAnswers() bool { return c.Total > 0 && c.OK == 0 }

type objectivesView struct {
	TTFT objectiveView `json:"ttft"`
	ITL  objectiveView `json:"itl"`
}

type objectiveView struct {
	Max      number  `json:"max"`
	Quantile float64 `json:"quantile"`
	Implied  bool    `json:"implied"`
}

// verdictView is the verdict in force.
type verdictView struct {
	Code           code           `json:"code"`
	Standing       standing       `json:"standing"`
	Title          string         `json:"title"`
	Detail         string         `json:"detail"`
	Direction      string         `json:"direction"`
	Confidence     number         `json:"confidence"`
	ConfidenceWord string         `json:"confidence_word"`
	Basis          basis          `json:"basis"`
	Loss           number         `json:"loss"`
	WaitsFor       string         `json:"waits_for"`
	Also           []string       `json:"also"`
	Evidence       []evidenceView `json:"evidence"`
	Source         verdictSource  `json:"source"`
	Since          int64          `json:"since"` // 0 where the page judges by itself
	Told           int64          `json:"told"`  // when the words were told: their figures are of then
}

// verdictSource says whose verdict it is.
type verdictSource string

const (
	verdictOfAdvice verdictSource = "advice" // of the advice connector, rendered
	verdictOfPage   verdictSource = "page"   // the page's own, where no connector speaks
)

// evidenceView is one number behind the verdict.
type evidenceView struct {
	Label   string       `json:"label"`
	Metric  string       `json:"metric"`
	Unit    string       `json:"unit"` // UCUM
	Value   quantileView `json:"value"`
	Against number       `json:"against"` // the objective, where there is one
	Implied bool         `json:"implied"`
}

// figures of a distribution at the three percentiles shown.
func viewLatency(m percentile.Merged) latencyView {
	return latencyView{P50: viewQuantile(m, 0.5), P90: viewQuantile(m, 0.9), P99: viewQuantile(m, 0.99)}
}

func viewQuantile(m percentile.Merged, q float64) quantileView {
	e, ok := m.Quantile(q)
	if !ok {
		return quantileView{}
	}
	return viewEstimate(e)
}

func viewEstimate(e percentile.Estimate) quantileView {
	return quantileView{
		Value: some(e.Value).rounded(), Over: e.Over, Low: some(e.Low).rounded(), High: some(e.High).rounded(),
	}
}

func viewPhase(shares [4]number) phaseView {
	return phaseView{
		Prefill: shares[0].rounded(), Decode: shares[1].rounded(), Idle: shares[2].rounded(), Unattributed: shares[3].rounded(),
	}
}
