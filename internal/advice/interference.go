package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// schedulingRules are those on what a worker's scheduler puts into one step.
func schedulingRules() []Rule {
	mixing := append(verdictInputs(), signal.InterferencePerToken)
	return []Rule{
		{ID: "interference", Subject: Fleet, Inputs: mixing, Check: checkInterference, Measure: meanITL},
		{ID: "decode-stalls", Subject: Fleet, Inputs: mixing, Check: checkStalls, Measure: tailITL},
		{
			ID: "preemptions", Subject: Worker, Check: checkPreemptions, Measure: preemptionsPerMinute,
			Inputs: []string{
				signal.Preemptions, signal.Running, signal.KVUtilization, signal.EngineInfo, signal.TTFT, signal.Waiting, signal.KVCapacityTokens,
			},
		},
	}
}

// checkInterference finds a fleet whose tokens come too slowly because decode shares its steps with prefill: without it the mean
// time between tokens would be within the objective. A smaller token budget does not help there: the same prompts are computed in
// more steps, and what a token waits for on average stays.
func checkInterference(r *Reading) Outcome {
	f, why := ready(r)
	if why == withheldEarly {
		return Withhold(why)
	}
	explained, confidence := f.mixed()
	missed, decided := f.itl.Missed()
	lost, without := f.lost()
	switch {
	case !decided:
		return Withhold(withheldNoLatency)
	case lost <= 0:
		return Withhold(withheldNoEstimate)
	case confidence < confidentMed:
		return Withhold(withheldUnsure)
	case !missed || explained < 0.5 || !r.Over(lost, leastLost) || !r.Over(f.itl.Mean(), f.itl.Objective):
		return Nothing()
	}
	return Found(Finding{
		Severity: severityOf(f.itl.Above), Title: "Prefill in the same steps slows decode down.", Confidence: confidence,
		Evidence: []Quantity{
			f.itl.Quantity("ITL", signal.ITL),
			Quantity{Name: "Mean ITL", Value: f.itl.Mean(), Unit: "s", Metric: signal.ITL}.Against(f.itl.Objective),
			{Name: "Mean ITL without prefill", Value: without, Unit: "s", Metric: signal.InterferenceCounterfactual},
			{Name: "Decode time lost to prefill", Value: lost, Unit: "1", Metric: signal.InterferenceLost},
		},
		Action: Action{
			Text:   "Serve prefill and decode on different workers.",
			Levers: []Lever{{Fact: FactWorkers + signal.RoleDecode, Rise: 1}, {Fact: FactTopology}},
		},
		// The estimate's own error on the simulator is up to a tenth; a transfer of the KV does not touch the time between tokens.
		Predicted: &Effect{Name: "mean ITL", Unit: "s", From: f.itl.Mean(), To: without, Low: 0.8 * without, High: 1.25 * without},
	})
}

const (
	// leastLost is the share of decode's waiting that prefill has to cause before it is worth a change.
	leastLost = 0.15
	// stallFactor is how many times the prefill-free step a stalled one takes, as for llm.interference.stall.count.
	stallFactor = 3
	// smallestBudget is the token budget below which prefill no longer fills the GPU: under the knee of an H100 in FP8 or BF16 (about
	// 300 tokens), a step's weights cost as much as its tokens.
	smallestBudget = 512
	tailQuantile   = 0.99
)

// checkStalls finds a fleet in which long prompts make running answers stall: one token in a hundred takes more than three times
// as long as it would without prefill, and more than the objective. A smaller token budget spreads such a prompt over more steps.
func checkStalls(r *Reading) Outcome {
	f, why := ready(r)
	if why == withheldEarly {
		return Withhold(why)
	}
	tail, known := tailITL(r)
	lost, without := f.lost()
	_, confidence := f.mixed()
	switch {
	case !known || f.itl.Objective <= 0:
		return Withhold(withheldNoLatency)
	case lost <= 0 || without <= 0:
		return Withhold(withheldNoEstimate)
	case !r.Over(tail, math.Max(stallFactor*without, 1.5*f.itl.Objective)) || !r.Over(lost, leastLost) || without >= f.itl.Objective:
		return Nothing()
	}
	perToken := 0.0
	for _, w := range r.Workers() {
		v, _ := w.Level(signal.InterferencePerToken)
		perToken = max(perToken, v)
	}
	finding := Finding{
		Severity: Warning, Title: "Long prompts make running answers stall.", Confidence: confidence,
		Evidence: []Quantity{
			Quantity{Name: "ITL p99", Value: tail, Unit: "s", Metric: signal.ITL}.Against(f.itl.Objective),
			{Name: "Mean ITL without prefill", Value: without, Unit: "s", Metric: signal.InterferenceCounterfactual},
			{Name: "Decode time lost to prefill", Value: lost, Unit: "1", Metric: signal.InterferenceLost},
			{Name: "ITL per prefill token in the step", Value: perToken, Unit: "s/{token}", Metric: signal.InterferencePerToken},
		},
	}
	budget := budgetFor(f.itl.Objective, without, perToken)
	if budget == 0 {
		finding.Action = Action{Text: "Serve prefill and decode on different workers: no token budget that fills the GPU keeps the objective."}
		return Found(finding)
	}
	worker := r.Workers()[0]
	finding.Action = Action{
		Text:   fmt.Sprintf("Lower the token budget of a step to %d.", budget),
		Change: worker.Change(TokenBudget, budget), Where: worker.Engine(),
	}
	to := without + perToken*float64(budget)
	finding.Predicted = &Effect{Name: "ITL p99", Unit: "s", From: tail, To: to, Low: 0.5 * to, High: 2 * to}
	return Found(finding)
}

// budgetFor is the largest power of two of tokens with which a step keeps the objective: without + perToken x budget <= objective. 0 when
// that is less than fills the GPU.
func budgetFor(objective, without, perToken float64) int {
	if perToken <= 0 {
		return 0
	}
	fits := (objective - without) / perToken
	if fits < smallestBudget {
		return 0
	}
	return 1 << int(math.Log2(math.Min(fits, 1<<20)))
}

func tailITL(r *Reading) (float64, bool) {
	d, ok := r.Histogram(signal.ITL)
	if !ok {
		return 0, false
	}
	q, ok := d.Quantile(tailQuantile)
	return q.Value, ok
}

// checkPreemptions finds a worker that throws running requests out of its KV pool and computes them again.
func checkPreemptions(r *Reading) Outcome {
	perMinute, ok := preemptionsPerMinute(r)
	if !ok {
		return Withhold("engine_does_not_tell")
	}
	if r.Observed() < fullWindow {
		return Withhold(withheldEarly)
	}
	if !r.Over(perMinute, mostPreemptions) {
		return Nothing()
	}
	running, _ := r.Mean(signal.Running)
	kv, _ := r.Mean(signal.KVUtilization)
	// The pool holds what runs now at this usage: at nine tenths of that it has room for the answers to grow.
	limit := max(1, int(0.9*running))
	action := Action{
		Text:   fmt.Sprintf("Give the KV cache more memory, or admit at most %d requests at once.", limit),
		Change: r.Change(MaxSequences, limit), Where: r.Engine(),
		Levers: []Lever{{Fact: signal.KVCapacityTokens, Rise: 1}, {Fact: signal.AttrMemoryUtilization, Rise: 1}},
	}
	severity := Warning
	if perMinute > 10*mostPreemptions {
		severity = Critical
	}
	return Found(Finding{
		Severity: severity, Title: "Running requests are preempted and computed again.", Confidence: 1,
		Evidence: []Quantity{
			Quantity{Name: "Preemptions", Value: perMinute, Unit: "{preemption}/min", Metric: signal.Preemptions}.Against(mostPreemptions),
			{Name: "KV usage", Value: kv, Unit: "1", Metric: signal.KVUtilization},
			{Name: "Requests running", Value: running, Unit: "{request}", Metric: signal.Running},
		},
		Action:    action,
		Predicted: &Effect{Name: "preemptions", Unit: "{preemption}/min", From: perMinute, To: 0, Low: 0, High: mostPreemptions},
	})
}

// mostPreemptions is how many a minute are still no reason to change anything.
const mostPreemptions = 1

func preemptionsPerMinute(r *Reading) (float64, bool) {
	perSecond, ok := r.Rate(signal.Preemptions)
	return 60 * perSecond, ok
}
