package grafana

import (
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// AlertWindow is the range of rates in alert rules: four scrapes at Prometheus' default interval of one minute.
const AlertWindow = "5m"

// Alerts declares every alert rule. The error tells all expressions that do not fit the vocabulary.
func Alerts() ([]alert.Group, error) {
	s := promql.Scope{Vocabulary: promql.NewVocabulary(), Window: AlertWindow}
	groups := []alert.Group{
		{Name: "inference-fleet", Title: "Fleet", Alerts: slices.Concat(fleetAlerts(s), latencyAlerts(s), adviceAlerts(s))},
		{Name: "inference-kv", Title: "KV cache", Alerts: slices.Concat(kvAlerts(s), stormAlerts(s))},
		{Name: "inference-transfers", Title: "Transfers", Alerts: slices.Concat(transferAlerts(s), agentAlerts(s))},
		{Name: "inference-disaggregation", Title: "Disaggregation", Alerts: splitAlerts(s)},
		{Name: "inference-gpus", Title: "GPUs", Alerts: gpuAlerts(s)},
		{Name: "inference-collector", Title: "Collector", Alerts: slices.Concat(collectorAlerts(s), inputAlerts(s), durabilityAlerts(s), sourceAlerts(s))},
		{Name: "inference-estimates", Title: "Estimates", Alerts: estimateAlerts(s)},
	}
	return groups, s.Err()
}

// worker are the labels of the worker in the tests' data.
func worker(more ...promql.Match) []promql.Match {
	return append([]promql.Match{promql.Is(signal.AttrFleetName, "chat"), promql.Is(signal.AttrServiceInstanceID, "10.0.0.7:8000")}, more...)
}

// host are the labels of the host in the tests' data.
func host(more ...promql.Match) []promql.Match {
	return append([]promql.Match{promql.Is(signal.AttrHostName, "node-1")}, more...)
}

// data is one series of the tests' data.
func data(s promql.Scope, metric, values string, match ...promql.Match) alert.Series {
	return alert.Series{Series: s.Series(metric, match...), Values: values}
}

func fleetAlerts(s promql.Scope) []alert.Alert {
	w := by(signal.AttrFleetName, signal.AttrServiceInstanceID)
	of := "{{ $labels." + s.Label(signal.AttrServiceInstanceID) + " }}"
	stuck := s.Sum(signal.Running, w) + " unless on (" + s.Label(signal.AttrFleetName) + ", " + s.Label(signal.AttrServiceInstanceID) + ") (" +
		s.SumRate(signal.TokensGenerated, w) + " > 0)"
	failing := promql.In(signal.AttrFinishReason, finishError+"|"+signal.FinishAbort)
	failed := s.SumRate(signal.RequestCount, w, failing) + " / " + s.SumRate(signal.RequestCount, w)
	finished := func(reason string, perSecond float64) alert.Series {
		return data(s, signal.RequestCount, alert.Rising(perSecond), worker(promql.Is(signal.AttrFinishReason, reason))...)
	}
	return []alert.Alert{
		{Name: "InferenceWorkerDown", Severity: alert.Critical, For: 2 * time.Minute,
			Value: s.Over("max", signal.Up, s.Value(signal.Up), w...), Condition: "== 0",
			Summary: "Worker " + of + " does not answer",
			Meaning: "The metrics page of the worker has not answered, or not with a page, for two minutes. Most likely it serves no requests either.",
			Look:    "The process and the end of its log; nvidia-smi on its host; whether the collector can reach the port (curl the page from the collector's host).",
			Action:  "Take the worker out of the router, restart it, and watch the alert InferenceGPUFailed: a GPU that fell off the bus survives no restart.",
			Bad:     []alert.Series{data(s, signal.Up, alert.Steady(0), worker()...)},
			Good:    []alert.Series{data(s, signal.Up, alert.Steady(1), worker()...)}},
		{Name: "InferenceWorkerStuck", Severity: alert.Critical, For: 5 * time.Minute,
			Value: stuck, Condition: "> 0", Quiet: "a worker that generates tokens has no value here",
			Summary: "Worker " + of + " runs {{ $value }} requests and generates nothing",
			Meaning: "Requests are in the batch, but not one token came for the last minutes: the engine hangs, typically in a collective operation of which one rank died, or in a transfer that never ends.",
			Look:    "The worker's log for NCCL timeouts and assertion failures; py-spy dump on its processes; the alerts on transfers and GPUs.",
			Action:  "Take the worker out of the router and restart it; keep the stack dump.",
			Bad:     []alert.Series{data(s, signal.Running, alert.Steady(4), worker()...), data(s, signal.TokensGenerated, alert.Steady(900), worker()...)},
			Good:    []alert.Series{data(s, signal.Running, alert.Steady(4), worker()...), data(s, signal.TokensGenerated, alert.Rising(100), worker()...)}},
		{Name: "InferenceRequestsFail", Severity: alert.Warning, For: 5 * time.Minute,
			Value: failed, Condition: "> 0.05",
			Summary: "{{ $value | humanizePercentage }} of the requests of " + of + " end in an error or are aborted",
			Meaning: "More than one request in twenty ends with error or abort. Aborts are clients that gave up, most often because they waited too long.",
			Look:    "Which of the two it is (llm_finish_reason), the worker's log, and whether time to first token rose before the aborts.",
			Action:  "Errors: treat as a fault of the worker. Aborts with a queue: treat as missing capacity (InferenceQueue).",
			Bad:     []alert.Series{finished(signal.FinishAbort, 1), finished(signal.FinishStop, 4)},
			Good:    []alert.Series{finished(signal.FinishAbort, 0.01), finished(signal.FinishStop, 4)}},
		{Name: "InferenceQueue", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.Sum(signal.Waiting, by(signal.AttrFleetName)) + " / (" + s.Sum(signal.Waiting, by(signal.AttrFleetName)) + " + " +
				s.Sum(signal.Running, by(signal.AttrFleetName)) + ")", Condition: "> 0.5",
			Summary: "More requests of fleet {{ $labels." + s.Label(signal.AttrFleetName) + " }} wait than run",
			Meaning: "For five minutes most requests have waited: demand is above capacity, or a limit (max_num_seqs, KV memory) is reached.",
			Look:    "Dashboard Overview: is running flat while waiting grows (a limit), is KV use near 100 %, is one worker the only one that queues (the router)?",
			Action:  "Add workers of the phase with the higher pressure; where KV use is near 100 % see InferenceKVFull.",
			Bad:     []alert.Series{data(s, signal.Waiting, alert.Steady(30), worker()...), data(s, signal.Running, alert.Steady(10), worker()...)},
			Good:    []alert.Series{data(s, signal.Waiting, alert.Steady(1), worker()...), data(s, signal.Running, alert.Steady(10), worker()...)}},
	}
}

func latencyAlerts(s promql.Scope) []alert.Alert {
	w := by(signal.AttrFleetName, signal.AttrServiceInstanceID)
	of := "{{ $labels." + s.Label(signal.AttrServiceInstanceID) + " }}"
	pressure := func(phase string) string {
		return s.Max(signal.PhasePressure, w, promql.Is(signal.AttrPhase, phase))
	}
	level := func(phase string, value float64) []alert.Series {
		return []alert.Series{data(s, signal.PhasePressure, alert.Steady(value), worker(promql.Is(signal.AttrPhase, phase))...)}
	}
	good := s.Sum(signal.Goodput, by(signal.AttrFleetName), promql.Is(signal.AttrBound, signal.BoundHigh))
	goodput := func(high, finished float64) []alert.Series {
		return []alert.Series{
			data(s, signal.Goodput, alert.Steady(high), worker(promql.Is(signal.AttrBound, signal.BoundHigh))...),
			data(s, signal.RequestCount, alert.Rising(finished), worker(promql.Is(signal.AttrFinishReason, signal.FinishStop))...),
		}
	}
	delay := func(metric string, perSecond float64) alert.Series {
		return data(s, metric, alert.Rising(perSecond), worker()...)
	}
	return []alert.Alert{
		{Name: "InferencePrefillBound", Severity: alert.Warning, For: 10 * time.Minute,
			Value: pressure(signal.PhasePrefill), Condition: "> 1",
			Summary: "Worker " + of + " misses its objective for the first token: {{ $value | humanizePercentage }} of it",
			Meaning: "Time to first token has been above its objective for ten minutes: prefill, or the queue before it, is the bottleneck.",
			Look:    "Dashboard Phases: queue or prefill? Prompt lengths (did the traffic change?), hit ratio of the prefix cache (dashboard KV cache).",
			Action:  "Disaggregated: move a worker to prefill. Aggregated: raise max_num_batched_tokens, route by prefix, or add a worker.",
			Bad:     level(signal.PhasePrefill, 1.4), Good: level(signal.PhasePrefill, 0.7)},
		{Name: "InferenceDecodeBound", Severity: alert.Warning, For: 10 * time.Minute,
			Value: pressure(signal.PhaseDecode), Condition: "> 1",
			Summary: "Worker " + of + " misses its objective for the next tokens, or its KV memory is full: {{ $value | humanizePercentage }} of it",
			Meaning: "Inter-token latency has been above its objective, or KV use above 90 %, for ten minutes: decode is the bottleneck.",
			Look:    "Dashboard Phases: is the batch large, or does prefill delay decode (What does mixing cost?)? Dashboard KV cache: is there room?",
			Action:  "Prefill delays it: lower max_num_batched_tokens. Else lower max_num_seqs, or move or add a worker to decode.",
			Bad:     level(signal.PhaseDecode, 1.3), Good: level(signal.PhaseDecode, 0.6)},
		{Name: "InferenceGoodputLow", Severity: alert.Critical, For: 10 * time.Minute,
			Value: good + " / " + s.SumRate(signal.RequestCount, by(signal.AttrFleetName)), Condition: "< 0.5",
			Summary: "At most {{ $value | humanizePercentage }} of the requests of fleet {{ $labels." + s.Label(signal.AttrFleetName) + " }} meet both objectives",
			Meaning: "Even the upper bound of goodput is under half of the finished requests: most users wait longer than promised, whatever the estimate's uncertainty.",
			Look:    "InferencePrefillBound and InferenceDecodeBound say which objective is missed; llm_objective_seconds says whether the objectives are yours or implied.",
			Action:  "Shed or divert load now; then act on the phase that is bound.",
			Bad:     goodput(1, 10), Good: goodput(9, 10)},
		{Name: "InferencePrefillDelaysDecode", Severity: alert.Info, For: 10 * time.Minute,
			Value: s.SumRate(signal.InterferenceDelay, w) + " / " + s.SumRate(signal.InterferenceWait, w), Condition: "> 0.3",
			Summary: "Prefill causes {{ $value | humanizePercentage }} of the waiting for tokens on " + of,
			Meaning: "Prompts that are computed in the same steps delay the answers under way, by more than three tenths of all waiting.",
			Look:    "Dashboard Phases, What does mixing cost?: is the inter-token latency without prefill well under the objective?",
			Action:  "Lower max_num_batched_tokens, or separate prefill from decode.",
			Bad:     []alert.Series{delay(signal.InterferenceDelay, 5), delay(signal.InterferenceWait, 10)},
			Good:    []alert.Series{delay(signal.InterferenceDelay, 1), delay(signal.InterferenceWait, 10)}},
	}
}
