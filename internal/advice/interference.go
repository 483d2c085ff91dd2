package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// schedulingRules are those on what a worker's scheduler puts into one step.
func schedulingRules() []Rule {
	mixing := append(verdictInputs(), signal.InterferencePerToken, signal.TokensPrompt, signal.TokensCached)
	return []Rule{
		{ID: "interference", Subject: Fleet, Inputs: mixing, Check: checkInterference, Measure: itlAtObjective},
		{ID: "decode-stalls", Subject: Fleet, Inputs: mixing, Check: checkStalls, Measure: stalled},
		{
			ID: "preemptions", Subject: Worker, Check: checkPreemptions, Measure: preemptionsPerMinute,
			Inputs: []string{
				signal.Preemptions, signal.Running, signal.KVUtilization, signal.EngineInfo, signal.TTFT, signal.Waiting, signal.KVCapacityTokens,
			},
		},
	}
}

// mix is what prefill in decode's steps does to a fleet.
type mix struct {
	figures
	explained, confidence float64
	lost, without         float64
	perToken              float64 // s of ITL per prefill token in the step, the largest of the workers
	prompt                float64 // prompt tokens that a worker computes per second, the most of the workers
}

// mixOf returns the mix of a fleet, or why nothing can be said of it.
func mixOf(r *Reading) (m mix, why string) {
	m.figures = figure(r)
	m.explained, m.confidence = m.mixed()
	m.lost, m.without = m.figures.lost()
	for _, w := range r.Workers() {
		v, _ := w.Level(signal.InterferencePerToken)
		m.perToken = max(m.perToken, v)
		m.prompt = max(m.prompt, w.computed())
	}
	switch {
	case m.observed < fullWindow:
		return m, withheldEarly
	case !m.itl.Known || m.itl.Objective <= 0:
		return m, withheldNoLatency
	case m.lost <= 0 || m.without <= 0:
		return m, withheldNoEstimate
	case !r.Sure(m.confidence):
		return m, withheldUnsure
	}
	return m, ""
}

// checkInterference finds a fleet whose tokens come too slowly because decode shares its steps with prefill: most of the time of a slow
// token is not its own step's, which alone would be within the objective.
func checkInterference(r *Reading) Outcome {
	m, why := mixOf(r)
	if why != "" {
		return Withhold(why)
	}
	missed, _ := m.itl.Missed()
	if !missed || m.without >= m.itl.Objective || !r.Over(m.explained, 0.5) || !r.Over(m.lost, leastLost) {
		return Nothing()
	}
	f := Finding{
		Severity: severityOf(m.itl.Above), Title: "Prefill in the same steps slows decode down.", Confidence: m.confidence,
		Evidence: append([]Quantity{m.itl.Quantity("ITL", signal.ITL)}, m.evidence()...),
	}
	action, after := m.remedy(r, budgetMargin*m.itl.Objective)
	if after > leastGain*m.itl.At.Value { // such a budget is about what there is
		action, after = m.apart(), m.without
	}
	f.Action = action
	name := "ITL " + words.Quantile(m.itl.Quantile)
	f.Predicted = &Effect{Name: name, Unit: "s", From: m.itl.At.Value, To: after, Low: 0.5 * after, High: 1.5 * after}
	return Found(f)
}

// checkStalls finds a fleet in which long prompts make running answers stall: they are rare among tokens, which quantiles count, but
// answers spend a good part of their time in them.
func checkStalls(r *Reading) Outcome {
	m, why := mixOf(r)
	if why != "" && why != withheldUnsure {
		return Withhold(why)
	}
	share, ok := stalled(r)
	if !ok {
		return Withhold(withheldNoLatency)
	}
	if m.without >= m.itl.Objective || !r.Over(share, mostStalled) || !r.Over(m.lost, leastLost) {
		return Nothing()
	}
	f := Finding{
		Severity: Warning, Title: "Long prompts make running answers stall.", Confidence: justBelowHigh,
		Evidence: append([]Quantity{{
			Name: fmt.Sprintf("Decode time in pauses of %d times the objective", stallObjectives), Value: share, Unit: "1", Metric: signal.ITL,
		}}, m.evidence()...),
	}
	f.Action, _ = m.remedy(r, stallObjectives*m.itl.Objective/2)
	f.Predicted = &Effect{Name: "decode time in stalls", Unit: "1", From: share, To: 0, Low: 0, High: mostStalled / 2}
	return Found(f)
}

const (
	// leastLost is the share of decode's waiting that prefill has to cause before it is worth a change.
	leastLost = 0.15
	// stallObjectives is how many times the ITL objective a pause lasts at least to be a stall: one that a reader sees.
	stallObjectives = 5
	// mostStalled is the share of decode's time in stalls that is still no reason to change anything.
	mostStalled = 0.1
	// budgetMargin is for what the largest steps take beyond the estimate, up to a fifth on the simulator.
	budgetMargin = 0.8
	// leastGain is the share of a slow token's time that has to remain at most for a smaller budget to be worth it.
	leastGain = 0.75
	// smallestBudget is the token budget below which prefill no longer fills the GPU: near the knee of an H100 or H200 (200 to 300
	// tokens), a step's weights cost as much as its tokens.
	smallestBudget = 256
)

func (m *mix) evidence() []Quantity {
	return []Quantity{
		Quantity{Name: "Mean ITL", Value: m.itl.Mean(), Unit: "s", Metric: signal.ITL}.Against(m.itl.Objective),
		{Name: "Mean ITL without prefill", Value: m.without, Unit: "s", Metric: signal.InterferenceCounterfactual},
		{Name: "Decode time lost to prefill", Value: m.lost, Unit: "1", Metric: signal.InterferenceLost},
		{Name: "ITL per prefill token in the step", Value: m.perToken, Unit: "s/{token}", Metric: signal.InterferencePerToken},
	}
}

// apart is the action that ends all mixing.
func (m *mix) apart() Action {
	return Action{
		Text:   "Serve prefill and decode on different workers: no token budget keeps the objective and the prompts served.",
		Levers: []Lever{{Fact: FactWorkers + signal.RoleDecode, Rise: 1}},
	}
}

// remedy is a smaller token budget where one that fills the GPU keeps steps within limit, in seconds, else workers for prefill alone; after
// is the time of a step then.
func (m *mix) remedy(r *Reading, limit float64) (a Action, after float64) {
	budget := budgetFor(limit, m.without, m.perToken)
	if budget == 0 || m.load(budget) > sustainable {
		return m.apart(), m.without
	}
	worker := r.Workers()[0]
	return Action{
		Text:   fmt.Sprintf("Lower the token budget of a step to %d.", budget),
		Change: worker.Change(TokenBudget, budget), Where: worker.Engine(),
	}, m.without + m.perToken*float64(budget)
}

// load is the share of its time that a worker computes if every step takes in a whole budget of prompt tokens: a smaller budget needs more
// steps for the same prompts, and each costs at least what it costs without them.
func (m *mix) load(budget int) float64 {
	return m.prompt / float64(budget) * (m.without + m.perToken*float64(budget))
}

// computed is how many prompt tokens a worker computes per second.
func (r *Reading) computed() float64 {
	if v, ok := r.Rate(signal.TokensPrompt, signal.AttrTokenSource, signal.TokenSourceLocalCompute); ok {
		return v
	}
	prompt, _ := r.Rate(signal.TokensPrompt)
	cached, _ := r.Rate(signal.TokensCached)
	return max(0, prompt-cached)
}

// budgetFor is the largest power of two of tokens with which a step keeps a limit (Sarathi-Serve's rule, arXiv:2403.02310):
// without + perToken x budget <= limit. 0 when that is less than fills the GPU.
func budgetFor(limit, without, perToken float64) int {
	if perToken <= 0 {
		return 0
	}
	fits := (limit - without) / perToken
	if fits < smallestBudget {
		return 0
	}
	return 1 << int(math.Log2(math.Min(fits, 1<<20)))
}

// itlAtObjective is ITL at the quantile of its objective.
func itlAtObjective(r *Reading) (float64, bool) {
	l := r.ITL()
	return l.At.Value, l.Known
}

// stalled is the share of decode's time that is spent in stalls, from the histogram of ITL: values are taken to lie in the middle of
// their buckets, and at the bound above the last one.
func stalled(r *Reading) (share float64, ok bool) {
	limit := stallObjectives * r.ITL().Objective
	if limit <= 0 {
		return 0, false
	}
	total, in := 0.0, 0.0
	r.each(signal.ITL, nil, func(d increase) {
		total += d.sum
		for i, n := range d.counts {
			low, high := 0.0, 0.0
			if i > 0 {
				low = d.bounds[i-1]
			}
			high = low
			if i < len(d.bounds) {
				high = d.bounds[i]
			}
			if low >= limit {
				in += n * (low + high) / 2
			}
		}
	})
	return in / total, total > 0
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
	if limit > 8 {
		limit -= limit % 8 // batches are a little better filled, and the advice does not change with every look
	}
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
