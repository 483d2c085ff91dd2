package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// topologyRules are those on how many workers prefill and how many decode. The disaggregation processor rehearses, and holds back until
// it is sure; these rules put it into words.
func topologyRules() []Rule {
	inputs := []string{
		signal.TopologyWorkers, signal.TopologyGoodput, signal.TopologyTTFT, signal.TopologyITL, signal.TopologyGain, signal.TopologyRecord,
		signal.DisaggregationScore, signal.DisaggregationFactor, signal.DisaggregationSide, signal.DisaggregationBenefit,
		signal.DisaggregationGate, signal.DisaggregationGoodput, signal.EstimateConfidence, signal.TTFT, signal.Waiting, signal.TransferFallback,
	}
	return []Rule{
		{ID: "topology", Subject: Fleet, Check: checkTopology, Measure: fleetGoodput, Inputs: inputs},
		{ID: "disaggregate", Subject: Fleet, Check: checkDisaggregate, Inputs: inputs},
		{ID: "do-not-disaggregate", Subject: Fleet, Check: checkTogether, Inputs: inputs},
	}
}

const (
	withheldNoForecast = "no_forecast"
	withheldFallback   = "tcp_fallback"
)

// fleetGoodput is the goodput of a fleet as it was measured, requests/s.
func fleetGoodput(r *Reading) (float64, bool) { return r.Level(signal.DisaggregationGoodput) }

// checkTopology finds a split that is better than the present one, as forecast.
func checkTopology(r *Reading) Outcome {
	if _, ok := r.Level(signal.TopologyGoodput, signal.AttrTopology, signal.TopologyCurrent, signal.AttrBound, signal.BoundMid); !ok {
		return Withhold(withheldNoForecast)
	}
	if r.aggregated() {
		return Nothing() // whether to split it at all is the question of another rule
	}
	split, is := r.recommended()
	then, ok := r.Level(signal.TopologyGoodput, signal.AttrTopology, signal.TopologyRecommended, signal.AttrBound, signal.BoundMid)
	if !is || !ok {
		return Nothing()
	}
	low, _ := r.Level(signal.TopologyGoodput, signal.AttrTopology, signal.TopologyRecommended, signal.AttrBound, signal.BoundLow)
	high, _ := r.Level(signal.TopologyGoodput, signal.AttrTopology, signal.TopologyRecommended, signal.AttrBound, signal.BoundHigh)
	now, measured := fleetGoodput(r)
	if !measured {
		now, _ = r.Level(signal.TopologyGoodput, signal.AttrTopology, signal.TopologyCurrent, signal.AttrBound, signal.BoundMid)
	}
	f := Finding{
		Severity: Warning, Title: "Another split of the same workers would serve more requests in time.", Confidence: r.tempered(r.Confidence(signal.TopologyGoodput)),
		Evidence:  r.gains(),
		Action:    split.action(r, Lever{Fact: FactTopology}),
		Predicted: &Effect{Name: "goodput", Unit: "{request}/s", From: now, To: then, Low: low, High: high},
	}
	if now < then/2 {
		f.Severity = Critical
	}
	// One worker more of the other role would not help: that is said, since it is what is tried first.
	for _, role := range []string{signal.RolePrefill, signal.RoleDecode} {
		if gain, ok := r.Level(signal.TopologyGain, signal.AttrRole, role); ok && gain < noGain && r.holdsBack() != "" && r.holdsBack() != role {
			f.Action.Text += fmt.Sprintf(" More %s workers alone would not help.", role)
		}
	}
	f.Action.Text += r.caution()
	return Found(f)
}

// split is how many workers prefill and how many decode.
type split struct{ prefill, decode float64 }

// recommended is the split that is recommended.
func (r *Reading) recommended() (s split, ok bool) {
	of := func(role string) (float64, bool) {
		return r.Level(signal.TopologyWorkers, signal.AttrTopology, signal.TopologyRecommended, signal.AttrRole, role)
	}
	prefill, okP := of(signal.RolePrefill)
	decode, okD := of(signal.RoleDecode)
	return split{prefill, decode}, okP && okD
}

// action is to run the fleet so.
func (s split) action(r *Reading, lever Lever) Action {
	return Action{
		Text:   fmt.Sprintf("Run %.0f prefill and %.0f decode workers.", s.prefill, s.decode),
		Change: r.topologyNow() + " -> " + fmt.Sprintf("%.0fP%.0fD", s.prefill, s.decode), Levers: []Lever{lever},
	}
}

// grow is the action that adds so many workers to the pool: the split that is recommended where that has as many more, lest two rules ask for two
// changes; else as the pools have room.
func (r *Reading) grow(p workersOf, more int, other Latency, otherRole string) Action {
	s, ok := r.recommended()
	size := map[string]float64{signal.RolePrefill: s.prefill, signal.RoleDecode: s.decode}[p.role]
	if ok && p.role != "" && size >= float64(p.size+more) {
		return s.action(r, Lever{Fact: FactWorkers + p.role, Rise: 1})
	}
	return p.grow(more, other, otherRole)
}

// noGain is the gain of another worker below which it does not help.
const noGain = 0.01

// gains are the evidence of a topology: score, bottleneck, and what one more worker of each role adds.
func (r *Reading) gains() []Quantity {
	var out []Quantity
	add := func(name, unit, metric string, pairs ...string) {
		if v, ok := r.Level(metric, pairs...); ok {
			out = append(out, Quantity{Name: name, Value: v, Unit: unit, Metric: metric})
		}
	}
	add("Goodput, measured", "{request}/s", signal.DisaggregationGoodput)
	out = append(out, r.rehearsedNow()...)
	add("Disaggregation score", "1", signal.DisaggregationScore)
	add("Left by the balance of workers", "1", signal.DisaggregationFactor, signal.AttrFactor, "balance")
	add("Gain of one more prefill worker", "1", signal.TopologyGain, signal.AttrRole, signal.RolePrefill)
	add("Gain of one more decode worker", "1", signal.TopologyGain, signal.AttrRole, signal.RoleDecode)
	add("Forecasts that held", "1", signal.TopologyRecord)
	return out
}

// holdsBack is the phase that holds the fleet back, "" when none does.
func (r *Reading) holdsBack() string {
	for _, phase := range r.Attribute(signal.DisaggregationSide, signal.AttrPhase) {
		if phase == signal.PhasePrefill || phase == signal.PhaseDecode {
			return phase
		}
	}
	return ""
}

// aggregated reports whether workers of the fleet serve both phases.
func (r *Reading) aggregated() bool {
	n, _ := r.Level(signal.TopologyWorkers, signal.AttrTopology, signal.TopologyCurrent, signal.AttrRole, signal.RoleAggregated)
	return n > 0
}

// topologyNow writes the present workers as 1P3D.
func (r *Reading) topologyNow() string {
	level := func(role string) float64 {
		v, _ := r.Level(signal.TopologyWorkers, signal.AttrTopology, signal.TopologyCurrent, signal.AttrRole, role)
		return v
	}
	if r.aggregated() {
		return fmt.Sprintf("%.0f aggregated", level(signal.RoleAggregated))
	}
	return fmt.Sprintf("%.0fP%.0fD", level(signal.RolePrefill), level(signal.RoleDecode))
}

// checkDisaggregate finds an aggregated fleet that would do better with its phases on workers of their own.
func checkDisaggregate(r *Reading) Outcome {
	verdict, _, ok := r.gate()
	if !ok {
		return Withhold(withheldNoForecast)
	}
	if verdict != signal.GateRecommend || !r.aggregated() {
		return Nothing()
	}
	prefill, _ := r.Level(signal.TopologyWorkers, signal.AttrTopology, signal.TopologyRecommended, signal.AttrRole, signal.RolePrefill)
	decode, _ := r.Level(signal.TopologyWorkers, signal.AttrTopology, signal.TopologyRecommended, signal.AttrRole, signal.RoleDecode)
	return Found(Finding{
		Severity: Info, Title: "Serving prefill and decode on different workers is worth a trial.", Confidence: r.tempered(r.Confidence(signal.DisaggregationBenefit)),
		Evidence: r.benefit(),
		Action: Action{
			Text:   fmt.Sprintf("Try %.0f prefill and %.0f decode workers.", prefill, decode) + r.caution(),
			Change: r.topologyNow() + " -> " + fmt.Sprintf("%.0fP%.0fD", prefill, decode), Levers: []Lever{{Fact: FactTopology}},
		},
	})
}

// checkTogether finds a split fleet that would do as well or better with its phases together.
func checkTogether(r *Reading) Outcome {
	verdict, reason, ok := r.gate()
	if !ok {
		return Withhold(withheldNoForecast)
	}
	split, is := r.Level(signal.TopologyWorkers, signal.AttrTopology, signal.TopologyCurrent, signal.AttrRole, signal.RoleDecode)
	if verdict != signal.GateAgainst || !is || split < 1 {
		return Nothing()
	}
	// While transfers take TCP, it is that path which was judged; what to do first is another rule's.
	if share, ok := r.Level(signal.TransferFallback); ok && share > 0 {
		return Withhold(withheldFallback)
	}
	return Found(Finding{
		Severity: Info, Title: "This workload gains nothing by serving prefill and decode on different workers (" + strings.ReplaceAll(reason, "_", " ") + ").",
		Confidence: r.tempered(r.Confidence(signal.DisaggregationBenefit)), Evidence: r.benefit(),
		Action: Action{Text: "Serve both phases on every worker." + r.caution(), Levers: []Lever{{Fact: FactTopology}}},
	})
}

func (r *Reading) benefit() []Quantity {
	var out []Quantity
	if v, ok := fleetGoodput(r); ok {
		out = append(out, Quantity{Name: "Goodput, measured", Value: v, Unit: "{request}/s", Metric: signal.DisaggregationGoodput})
	}
	out = append(out, r.rehearsedNow()...)
	for _, bound := range []string{signal.BoundLow, signal.BoundMid, signal.BoundHigh} {
		if v, ok := r.Level(signal.DisaggregationBenefit, signal.AttrBound, bound); ok {
			out = append(out, Quantity{Name: "Goodput when split over goodput together, " + bound, Value: v, Unit: "1", Metric: signal.DisaggregationBenefit})
		}
	}
	return out
}

// gate is the verdict on splitting and its reason.
func (r *Reading) gate() (verdict, reason string, ok bool) {
	verdicts := r.Attribute(signal.DisaggregationGate, signal.AttrGate)
	reasons := r.Attribute(signal.DisaggregationGate, signal.AttrGateWhy)
	if len(verdicts) == 0 {
		return "", "", false
	}
	return verdicts[0], cmp.Or(append(reasons, "")...), true
}
