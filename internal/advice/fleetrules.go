package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// fleetRules are those on how the members of a fleet stand beside each other, and on what is not told.
func fleetRules() []Rule {
	return []Rule{
		{ID: "uneven-load", Subject: Fleet, Inputs: verdictInputs(), Check: checkUneven, Measure: withinTTFT},
		{
			ID: "missing-source", Subject: Fleet, Check: checkMissing,
			Inputs: []string{signal.SourceMissing, signal.EstimateWithheld, signal.EngineInfo},
		},
	}
}

const (
	// unevenQueue is how many requests wait at the fullest worker, per running one, before its queue is worth another router.
	unevenQueue = 0.2
	// unevenLoad is how many times the mean load of the others the fullest worker has.
	unevenLoad = 1.5
)

// checkUneven finds workers of one role of which one queues while another has room.
func checkUneven(r *Reading) Outcome {
	if r.Observed() < fullWindow {
		return Withhold(withheldEarly)
	}
	for _, role := range []string{signal.RoleAggregated, signal.RoleUnknown, signal.RolePrefill, signal.RoleDecode} {
		ws := r.pool(role).loads()
		if len(ws) < 2 {
			continue
		}
		fullest, others := ws[0], 0.0
		for _, w := range ws[1:] {
			others += w.load / float64(len(ws)-1)
		}
		emptiest := ws[len(ws)-1]
		if fullest.load < 4 || !r.Over(fullest.load, unevenLoad*others) || !r.Over(fullest.waiting, unevenQueue*fullest.load) || emptiest.waiting >= 1 {
			continue
		}
		return Found(Finding{
			Severity: Warning, Title: "One worker queues while another has room.", Confidence: confidentHigh,
			Evidence: []Quantity{
				{Name: "Requests at " + fullest.name, Value: fullest.load, Unit: "{request}", Metric: signal.Running},
				{Name: "Waiting at " + fullest.name, Value: fullest.waiting, Unit: "{request}", Metric: signal.Waiting},
				{Name: "Requests at the others, mean", Value: others, Unit: "{request}", Metric: signal.Running},
				{Name: "Requests at " + emptiest.name, Value: emptiest.load, Unit: "{request}", Metric: signal.Running},
			},
			Action: Action{Text: "Route by load: to the worker with the fewest requests, or by prefix with a bound on the load."},
		})
	}
	return Nothing()
}

// load is what one worker has to do.
type load struct {
	name          string
	load, waiting float64 // requests, trailing means
}

// loads are the workers' loads, the fullest first.
func (r *Reading) loads() []load {
	var ls []load
	for _, w := range r.Members {
		x := figureWorker(w)
		if x.load.ok && !x.down {
			ls = append(ls, load{w.Instance, x.load.value, x.waiting.orZero()})
		}
	}
	slices.SortStableFunc(ls, func(a, b load) int { return cmp.Or(cmp.Compare(b.load, a.load), cmp.Compare(a.name, b.name)) })
	return ls
}

// checkMissing finds an estimate that is withheld and an input that is off and would help: in the words of the source that knows what
// switches it on.
func checkMissing(r *Reading) Outcome {
	withheld, reasons := 0, map[string]bool{}
	hints := map[string]int{}
	for _, w := range r.Workers() {
		reason := ""
		for _, estimate := range []string{signal.EstimatePhaseTime, signal.EstimateInterference, signal.EstimateImbalance} {
			reason = cmp.Or(reason, sourceReason(w.WithheldReason(estimate)))
		}
		if reason == "" {
			continue
		}
		hint := w.Attribute(signal.SourceMissing, signal.AttrSourceHint, signal.AttrSource, signal.SourceForwardPasses)
		if len(hint) == 0 {
			continue
		}
		withheld++
		reasons[reason] = true
		hints[hint[0]]++
	}
	if withheld == 0 {
		return Nothing()
	}
	best := ""
	for _, hint := range slices.Sorted(maps.Keys(hints)) {
		if hints[hint] > hints[best] {
			best = hint
		}
	}
	return Found(Finding{
		Severity: Info, Title: "An estimate is withheld for want of an input that the engine could give.", Confidence: 1,
		Evidence: []Quantity{{
			Name: fmt.Sprintf("Workers without the estimate (%s)", slices.Sorted(maps.Keys(reasons))[0]), Value: float64(withheld), Unit: "{worker}",
			Metric: signal.EstimateWithheld,
		}},
		Action: Action{Text: "Switch on forward passes: one message per engine step.", Change: best},
	})
}

// sourceReason returns the reason when forward passes would remove it, else "".
func sourceReason(reason string) string {
	switch reason {
	case serving.WithheldBusyUnknown, serving.WithheldConstantLoad, serving.WithheldUncertain, serving.WithheldNoData, withheldBias:
		return reason
	}
	return ""
}

// withheldBias is why phase_attribution withholds what prefill costs decode where the batch varies too much within a window.
const withheldBias = "aggregation_bias"
