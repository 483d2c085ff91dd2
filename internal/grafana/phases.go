package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func phases(s promql.Scope) board.Dashboard {
	return board.Dashboard{
		File: "phases", Title: "Phases",
		Help: "Prefill against decode: latency, time, energy and cost by phase, and what it costs to mix them.",
		Rows: []board.Row{
			{Title: "Which phase holds us back?", Panels: phasePressure(s)},
			{Title: "How long does a request spend in each phase?", Panels: phaseLatency(s)},
			{Title: "Where does the time go, and the energy?", Panels: phaseTime(s)},
			{Title: "What does mixing cost?", Panels: interference(s)},
			{Title: "What do steps look like?", Panels: steps(s)},
		},
	}
}

func phasePressure(s promql.Scope) []board.Panel {
	worker := by(signal.AttrPhase, signal.AttrServiceInstanceID)
	return []board.Panel{
		{Title: "Pressure by worker", Kind: board.Lines, Unit: board.Ratio, Width: 12,
			Help:    "Demand over objective: from 100 % on the phase misses it. Prefill: more prefill workers, or a larger token budget. Decode: fewer sequences per worker, more decode workers, more KV memory.",
			Queries: one(s.Max(signal.PhasePressure, worker), s.Legend("{"+signal.AttrPhase+"} {"+signal.AttrServiceInstanceID+"}"))},
		{Title: "Imbalance by worker", Kind: board.Lines, Unit: board.PlainRatio, Width: 12,
			Help:    "Above 0.2 prefill holds the worker back, below -0.2 decode; between, it is balanced. One worker that differs from its peers: its share of long prompts, or a slow GPU.",
			Queries: one(s.Over("avg", signal.PhaseImbalance, s.Value(signal.PhaseImbalance), signal.AttrServiceInstanceID), perWorker(s))},
	}
}

func phaseLatency(s promql.Scope) []board.Panel {
	byPhase := by(signal.AttrPhase)
	return []board.Panel{
		{Title: "Median by phase", Kind: board.Lines, Unit: board.Seconds,
			Help:    "The phase that grows is the one to look at: queue is capacity, prefill is prompt length or cache misses, decode is batch size and answer length.",
			Queries: one(s.Quantile(0.5, signal.PhaseLatency, byPhase), perPhase(s))},
		{Title: "p99 by phase", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Much above the median: some requests are treated otherwise than the rest. Queue: bursts. Prefill: long prompts. Decode: preemptions.",
			Queries: one(s.Quantile(0.99, signal.PhaseLatency, byPhase), perPhase(s))},
		{Title: "Prompt and answer length, p50 and p99", Kind: board.Lines, Unit: board.Count,
			Help: "When latency moved and these moved with it, the traffic changed, not the fleet.",
			Queries: []board.Query{
				{Expr: s.Quantile(0.5, signal.RequestTokens, by(signal.AttrTokenType)), Legend: s.Legend("{" + signal.AttrTokenType + "} p50")},
				{Expr: s.Quantile(0.99, signal.RequestTokens, by(signal.AttrTokenType)), Legend: s.Legend("{" + signal.AttrTokenType + "} p99")},
			}},
	}
}

func phaseTime(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "GPUs busy by phase", Kind: board.Stack, Unit: board.Count,
			Help:    "GPUs' worth of time by phase; adds up to the joined GPUs. Idle next to a queue elsewhere: move workers. For the bounds of the split compare low and high in the next panel.",
			Queries: one(s.SumRate(signal.PhaseGPUTime, by(signal.AttrPhase)), perPhase(s))},
		{Title: "Bounds of the split", Kind: board.Lines, Unit: board.Count,
			Help: "Lower and upper bound of GPU time by phase. Far apart: the estimate has few samples, or steps are mixed so much that the split is a matter of definition; forward passes narrow it.",
			Queries: []board.Query{
				{Expr: s.SumRate(signal.PhaseGPUTimeLow, by(signal.AttrPhase)), Legend: s.Legend("{" + signal.AttrPhase + "} at least")},
				{Expr: s.SumRate(signal.PhaseGPUTimeHigh, by(signal.AttrPhase)), Legend: s.Legend("{" + signal.AttrPhase + "} at most")},
			}},
		{Title: "Workers busy by phase, without GPUs", Kind: board.Stack, Unit: board.Count,
			Help:    "Workers' worth of time by phase, of workers without joined GPUs. Unattributed: the input that would tell is off (Overview, What can we not see?).",
			Queries: one(s.SumRate(signal.PhaseWorkerTime, by(signal.AttrPhase)), perPhase(s))},
		{Title: "Power by phase", Kind: board.Stack, Unit: board.Watts,
			Help:    "Adds up to the power of the joined GPUs. Much idle power: fewer GPUs would do, or requests should be packed.",
			Queries: one(s.SumRate(signal.PhaseEnergy, by(signal.AttrPhase)), perPhase(s))},
		{Title: "Energy per token", Kind: board.Lines, Unit: board.Joules,
			Help:    "Joules per computed prompt token and per decoded token, without idle energy. Decode's falls as batches grow: compare with the mean batch. A rise without it: throttling or lower clocks (dashboard GPUs).",
			Queries: one(s.Over("avg", signal.PhaseEnergyPerToken, s.Value(signal.PhaseEnergyPerToken), signal.AttrPhase), perPhase(s))},
		{Title: "Cost per hour by phase", Kind: board.Stack, Unit: board.Count,
			Help:    "In the configured currency, where a price per GPU-hour is configured (prices of phase_attribution). Idle and unattributed are paid for as well.",
			Queries: one("3600 * "+s.SumRate(signal.PhaseCost, by(signal.AttrPhase, signal.AttrCurrency)), s.Legend("{"+signal.AttrPhase+"} {"+signal.AttrCurrency+"}"))},
		{Title: "How busy a phase keeps the units", Kind: board.Lines, Unit: board.Ratio, Width: 12,
			Help:    "Activity while the GPU works for the phase. Prefill should keep tensor cores busy and decode memory (dram); prefill with low tensor activity has batches too small to pay.",
			Queries: one(s.Over("avg", signal.PhaseGPUUtilization, s.Value(signal.PhaseGPUUtilization), signal.AttrPhase, signal.AttrGPUUnit), s.Legend("{"+signal.AttrPhase+"}, {"+signal.AttrGPUUnit+"}"))},
		{Title: "Mean decode batch", Kind: board.Lines, Unit: board.Count, Width: 12,
			Help:    "Sequences per decoding step. Small with waiting requests: max_num_seqs or KV memory limits it. Large with late tokens: lower max_num_seqs.",
			Queries: one(s.Over("avg", signal.PhaseBatch, s.Value(signal.PhaseBatch), signal.AttrServiceInstanceID), perWorker(s))},
	}
}

func interference(s promql.Scope) []board.Panel {
	share := s.Over("sum", signal.InterferenceDelay, s.Rate(signal.InterferenceDelay), signal.AttrServiceInstanceID) + " / " +
		s.Over("sum", signal.InterferenceWait, s.Rate(signal.InterferenceWait), signal.AttrServiceInstanceID)
	return []board.Panel{
		{Title: "Share of decode's waiting that prefill causes", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Delayed over all waiting, exactly, over the time of a point. Above a fifth: lower max_num_batched_tokens so that prefill comes in smaller pieces, or separate prefill from decode.",
			Queries: one(share, perWorker(s))},
		{Title: "Inter-token latency, and without prefill", Kind: board.Lines, Unit: board.Seconds,
			Help: "The distance is what mixing costs a token on average. When the lower line alone is above the objective, the batch is too large and separating would not help.",
			Queries: []board.Query{
				{Expr: s.Over("avg", signal.InterferenceCounterfactual, s.Value(signal.InterferenceCounterfactual)), Legend: "without prefill"},
				{Expr: s.Over("sum", signal.ITL, s.Total(signal.ITL)) + " / " + s.Over("sum", signal.ITL, s.Count(signal.ITL)), Legend: "as it is"},
				objective(s, signal.ObjectiveITL),
			}},
		{Title: "Delay per prefill token", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Seconds that one co-scheduled prompt token adds to every running answer. Times max_num_batched_tokens it is the longest stall of a step.",
			Queries: one(s.Over("avg", signal.InterferencePerToken, s.Value(signal.InterferencePerToken), signal.AttrServiceInstanceID), perWorker(s))},
		{Title: "Stalls", Kind: board.Lines, Unit: board.PerSecond, Width: 12,
			Help:    "Steps more than three times as long as without their prefill: users see the answer stop. Lower max_num_batched_tokens or long_prefill_token_threshold. From forward passes only.",
			Queries: one(s.SumRate(signal.InterferenceStalls, by(signal.AttrServiceInstanceID)), perWorker(s))},
		{Title: "Variation of the batch", Kind: board.Lines, Unit: board.PlainRatio, Width: 12,
			Help:    "Above 0.5 interference is withheld unless forward passes tell it: the load changes too fast for counters. Switch forward passes on.",
			Queries: one(s.Max(signal.InterferenceBias, by(signal.AttrServiceInstanceID)), perWorker(s))},
	}
}

func steps(s promql.Scope) []board.Panel {
	composition := by(signal.AttrComposition)
	legend := s.Legend("{" + signal.AttrComposition + "}")
	return []board.Panel{
		{Title: "Time of steps by what they compute", Kind: board.Stack, Unit: board.Count,
			Help:    "Engines' worth of time in steps of prefill, decode and both, from forward passes. Nearly all mixed: decode is hardly ever undisturbed.",
			Queries: one(s.SumRate(signal.StepTime, composition), legend)},
		{Title: "Duration of a step, p99", Kind: board.Lines, Unit: board.Seconds,
			Help:    "A step is as long as the token that waits for it. Mixed far above decode: the token budget is too large for the objective.",
			Queries: one(s.Quantile(0.99, signal.StepDuration, composition), legend)},
		{Title: "Tokens and sequences per second", Kind: board.Lines, Unit: board.Count,
			Help: "Work of the steps. Prompt tokens without decoded sequences, or the reverse, on a worker that should do both: look at the router.",
			Queries: []board.Query{
				{Expr: s.SumRate(signal.StepPrefillTokens, nil), Legend: "prefill tokens"},
				{Expr: s.SumRate(signal.StepDecodeSequences, nil), Legend: "decode sequences"},
			}},
	}
}
