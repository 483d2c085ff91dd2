package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func overview(s promql.Scope) board.Dashboard {
	return board.Dashboard{
		File: "overview", Title: "Overview",
		Help: "What is wrong, and where to look next. Every panel says what to do when it looks bad.",
		Rows: []board.Row{
			{Title: "What is wrong?", Panels: append(overviewVerdict(s), overviewAdvice(s)...)},
			{Title: "Are requests on time?", Panels: overviewLatency(s)},
			{Title: "Where is the time going?", Panels: overviewTime(s)},
			{Title: "Is there a queue?", Panels: overviewQueue(s)},
			{Title: "What can we not see?", Panels: overviewSources(s)},
		},
	}
}

func overviewVerdict(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Workers that answer", Kind: board.Stat, Unit: board.Ratio, Width: 4,
			Help:    "Share of workers whose last scrape succeeded. Below 100 %: the alert InferenceWorkerDown names the worker; look at its process and its log, and at whether the collector can reach its port.",
			Queries: one(s.Over("avg", signal.Up, s.Value(signal.Up)), "answering")},
		{Title: "Pressure by phase, worst worker", Kind: board.Stat, Unit: board.Ratio, Width: 5,
			Limits:  []board.Limit{{From: 0.8, Color: board.Warning}, {From: 1, Color: board.Critical}},
			Help:    "Demand over objective. From 100 % the phase misses its objective: prefill waits for first tokens, decode for the next ones or for KV memory. The higher one is the bottleneck; open the dashboard Phases for the worker.",
			Queries: one(s.Max(signal.PhasePressure, by(signal.AttrPhase)), perPhase(s))},
		{Title: "Goodput", Kind: board.Stat, Unit: board.PerSecond, Width: 6,
			Help:    "Finished requests per second that met both latency objectives: bounds that always hold, and the value between. Far below the rate of finished requests: see which latency misses its dashed objective below.",
			Queries: one(s.Sum(signal.Goodput, by(signal.AttrBound)), s.Legend("{"+signal.AttrBound+"}"))},
		{Title: "Requests that wait", Kind: board.Stat, Unit: board.Count, Width: 4,
			Limits:  []board.Limit{{From: 10, Color: board.Warning}, {From: 50, Color: board.Critical}},
			Help:    "Requests that no worker has scheduled yet. When it stays: too little capacity, or KV memory is full (see the largest KV use beside it).",
			Queries: one(s.Sum(signal.Waiting, nil), "waiting")},
		{Title: "Largest KV use", Kind: board.Stat, Unit: board.Ratio, Width: 5,
			Limits:  []board.Limit{{From: 0.85, Color: board.Warning}, {From: 0.95, Color: board.Critical}},
			Help:    "Share of KV blocks that running requests hold, of the fullest worker. Near 100 % requests are preempted and computed again: open the dashboard KV cache.",
			Queries: one(s.Max(signal.KVUtilization, nil), "fullest worker")},
	}
}

// overviewAdvice is what the advice connector says. What is told of a fleet is not narrowed by a worker.
func overviewAdvice(s promql.Scope) []board.Panel {
	ofFleet := s
	ofFleet.Variables = []promql.Variable{{Attribute: signal.AttrFleetName, Name: "fleet"}}
	return []board.Panel{
		{Title: "Verdict in force", Kind: board.Table, Unit: board.Count,
			Help:    "One for each fleet. Its words, numbers and confidence are in the log event llm.verdict and on the collector's page. unknown: see What can we not see? below.",
			Queries: one(s.Over("max", signal.Verdict, ofFleet.Value(signal.Verdict)+" == 1", signal.AttrFleetName, signal.AttrVerdictCode), "")},
		{Title: "Advice that stands", Kind: board.Table, Unit: board.Count,
			Help: "What to change, by worker or fleet. Evidence, the exact flag and the predicted effect are in the log event llm.advice.raised and on the collector's page; the worst first.",
			Queries: quiet(s.Over("max", signal.Advice, s.Value(signal.Advice)+" == 1",
				signal.AttrAdviceSeverity, signal.AttrAdviceID, signal.AttrFleetName, signal.AttrServiceInstanceID), "", "no advice stands while all is well")},
		{Title: "How often predictions came true", Kind: board.Bars, Unit: board.Ratio,
			Help: "Share of a rule's predictions of which the observed effect fell inside the stated interval. Under a half: do not follow this rule on this fleet without a trial.",
			Queries: quiet(s.Over("min", signal.AdviceRecord, ofFleet.Value(signal.AdviceRecord), signal.AttrAdviceID), s.Legend("{"+signal.AttrAdviceID+"}"),
				"a rule has a record once its advice was followed and measured")},
	}
}

func overviewLatency(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Time to first token", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Quantiles over the buckets of all workers, with the objective dashed. Above it: prefill is short of capacity, or requests queue. If only p99 is: a few long prompts, or one slow worker.",
			Queries: append(percentiles(s, signal.TTFT), objective(s, signal.ObjectiveTTFT))},
		{Title: "Inter-token latency", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Quantiles over the buckets of all workers, with the objective dashed. Above it: the batch is too large, or prefill in the same steps delays decode (dashboard Phases, What does mixing cost?).",
			Queries: append(percentiles(s, signal.ITL), objective(s, signal.ObjectiveITL))},
		{Title: "Goodput against finished requests", Kind: board.Lines, Unit: board.PerSecond,
			Help: "The gap is requests that finished too late. When it opens, the latency panels say which objective is missed.",
			Queries: []board.Query{
				{Expr: s.Sum(signal.Goodput, by(signal.AttrBound)), Legend: s.Legend("goodput, {" + signal.AttrBound + "}")},
				{Expr: s.SumRate(signal.RequestCount, nil), Legend: "finished"},
			}},
	}
}

func overviewTime(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Time by phase, workers with joined GPUs", Kind: board.Share, Unit: board.PlainRatio,
			Help:    "GPU seconds by phase. Much idle: capacity to spare, or the queue is elsewhere. Much unattributed: see What can we not see?, an input is missing.",
			Queries: one(s.SumRate(signal.PhaseGPUTime, by(signal.AttrPhase)), perPhase(s))},
		{Title: "Time by phase, workers without", Kind: board.Share, Unit: board.PlainRatio,
			Help:    "Worker seconds by phase where no GPU is joined. A worker is in this panel or in the one beside it, never in both; the two are not added.",
			Queries: one(s.SumRate(signal.PhaseWorkerTime, by(signal.AttrPhase)), perPhase(s))},
		{Title: "Which phase holds a worker back", Kind: board.Lines, Unit: board.PlainRatio,
			Help:    "ln(prefill pressure / decode pressure) by worker: above 0.2 prefill, below -0.2 decode. In a disaggregated fleet move workers to the side that holds back; in an aggregated one change max_num_batched_tokens.",
			Queries: one(s.Over("avg", signal.PhaseImbalance, s.Value(signal.PhaseImbalance), signal.AttrServiceInstanceID), perWorker(s))},
	}
}

func overviewQueue(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Requests running and waiting", Kind: board.Lines, Unit: board.Count,
			Help: "When waiting grows while running is flat, the limit is max_num_seqs or KV memory. When both grow, it is demand.",
			Queries: []board.Query{
				{Expr: s.Sum(signal.Running, nil), Legend: "running"},
				{Expr: s.Sum(signal.Waiting, nil), Legend: "waiting"},
			}},
		{Title: "Tokens per second", Kind: board.Lines, Unit: board.Count,
			Help: "Prompt tokens by where they came from, and generated ones. Much local_compute with repeating prompts: prefix caching is off, or the router scatters prefixes.",
			Queries: []board.Query{
				{Expr: s.SumRate(signal.TokensPrompt, by(signal.AttrTokenSource)), Legend: s.Legend("prompt, {" + signal.AttrTokenSource + "}")},
				{Expr: s.SumRate(signal.TokensGenerated, nil), Legend: "generated"},
			}},
		{Title: "Preemptions", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "Requests thrown out of the batch and computed again, for want of KV memory. More than now and then: raise gpu_memory_utilization, lower max_num_seqs, or add a worker.",
			Queries: one(s.SumRate(signal.Preemptions, by(signal.AttrServiceInstanceID)), perWorker(s))},
	}
}

func overviewSources(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Confidence of estimates", Kind: board.Bars, Unit: board.Ratio,
			Help:    "The lowest over the workers: HIGH from 80 %, MED from 50 %. Low ones wait for samples or for an input: see the hints beside it.",
			Queries: one(s.Over("min", signal.EstimateConfidence, s.Value(signal.EstimateConfidence), signal.AttrEstimate), s.Legend("{"+signal.AttrEstimate+"}"))},
		{Title: "Estimates withheld, by reason", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "What could not be known is not told. The reasons are explained in docs/estimators.md; most end when the input that the hints name is switched on.",
			Queries: one(s.SumRate(signal.EstimateWithheld, by(signal.AttrEstimate, signal.AttrReason)), s.Legend("{"+signal.AttrEstimate+"}: {"+signal.AttrReason+"}"))},
		{Title: "Inputs that are off", Kind: board.Table, Unit: board.Count,
			Help:    "Workers that lack an input, with exactly what switches it on in their engine and version. Each sharpens an estimate; none is required.",
			Queries: one(s.Over("count", signal.SourceMissing, s.Value(signal.SourceMissing), signal.AttrSource, signal.AttrSourceHint), "")},
	}
}
