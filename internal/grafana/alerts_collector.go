package grafana

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const labelInstance = "instance" // of the collector's own metrics

// self is one series of the collector's own metrics.
func self(s promql.Scope, metric, values string, more ...promql.Match) alert.Series {
	return data(s, metric, values, append([]promql.Match{promql.Is(labelInstance, "localhost:8888")}, more...)...)
}

func collectorAlerts(s promql.Scope) []alert.Alert {
	of := "{{ $labels." + labelInstance + " }}"
	instance, receiver, exporter := by(labelInstance), by(labelInstance, promql.AttrReceiver), by(labelInstance, promql.AttrExporter)
	points := func(metric, attribute string, perSecond float64) []alert.Series {
		return []alert.Series{self(s, metric, alert.Rising(perSecond), promql.Is(attribute, "otlp"))}
	}
	queue := func(size float64) []alert.Series {
		return []alert.Series{
			self(s, promql.SelfQueueSize, alert.Steady(size), promql.Is(promql.AttrExporter, "otlp")),
			self(s, promql.SelfQueueCapacity, alert.Steady(1000), promql.Is(promql.AttrExporter, "otlp")),
		}
	}
	return []alert.Alert{
		{Name: "InferenceCollectorAbsent", Severity: alert.Critical, For: 5 * time.Minute,
			Value: "absent(" + s.Value(promql.SelfMemory) + ")", Quiet: "a collector that is there has no value here",
			Summary: "No collector tells anything",
			Meaning: "Prometheus has no metrics of any collector. All other alerts of this file are silent because they are blind.",
			Look:    "The collector's process and log; Prometheus' targets page, or the collector's remote write.",
			Action:  "Restart the collector. Its health check is on :13133.",
			Bad:     []alert.Series{data(s, signal.Up, alert.Steady(1), worker()...)},
			Good:    []alert.Series{self(s, promql.SelfMemory, alert.Steady(1e8))}},
		{Name: "InferenceCollectorExportFails", Severity: alert.Critical, For: 5 * time.Minute,
			Value: s.SumRate(promql.SelfSendFailed, exporter), Condition: "> 0", Quiet: "an exporter counts failures only once there was one",
			Summary: "Collector " + of + " loses {{ $value | humanize }} points a second on their way out ({{ $labels." + promql.AttrExporter + " }})",
			Meaning: "The backend refuses points, or was away longer than the retries. These points are lost.",
			Look:    "The exporter's messages in the collector's log: the status code says which of the two.",
			Action:  "Refused as out of order: one collector per series, target_info off (remote-write.yaml). Away: restore it; use a sending queue with storage.",
			Bad:     points(promql.SelfSendFailed, promql.AttrExporter, 3), Good: points(promql.SelfSendFailed, promql.AttrExporter, 0)},
		{Name: "InferenceCollectorQueueFull", Severity: alert.Warning, For: 10 * time.Minute,
			Value: s.Sum(promql.SelfQueueSize, exporter) + " / " + s.Sum(promql.SelfQueueCapacity, exporter), Condition: "> 0.8",
			Summary: "The queue of exporter {{ $labels." + promql.AttrExporter + " }} of " + of + " is {{ $value | humanizePercentage }} full",
			Meaning: "The backend takes less than there is. When the queue is full, points are lost.",
			Look:    "Points sent and failed (dashboard Collector), and the backend's own load.",
			Action:  "More consumers, larger batches, fewer metrics (preset: minimal), or a faster backend.",
			Bad:     queue(900), Good: queue(10)},
		{Name: "InferenceCollectorRefusesPoints", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.SumRate(promql.SelfRefused, receiver), Condition: "> 0",
			Summary: "Collector " + of + " refuses {{ $value | humanize }} points a second of receiver {{ $labels." + promql.AttrReceiver + " }}",
			Meaning: "A processor or a queue behind the receiver does not take them, most often the memory limiter.",
			Look:    "InferenceCollectorMemoryLimited and InferenceCollectorQueueFull.",
			Action:  "As those say; when neither fires, read the collector's log.",
			Bad:     points(promql.SelfRefused, promql.AttrReceiver, 5), Good: points(promql.SelfRefused, promql.AttrReceiver, 0)},
		{Name: "InferenceCollectorMemoryLimited", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.SumRate(promql.SelfLimiterRefused, instance), Condition: "> 0", Quiet: "the limiter counts only once it refused",
			Summary: "The memory limiter of collector " + of + " refuses {{ $value | humanize }} points a second",
			Meaning: "The collector is at its limit of memory and sends points back so that it survives.",
			Look:    "Series and workers remembered (dashboard Collector): which grew? An engine with very many series?",
			Action:  "Raise limit_mib together with the container's limit, lower max_series or memory_limit of kv_events, or share the workers among several collectors.",
			Bad:     []alert.Series{self(s, promql.SelfLimiterRefused, alert.Rising(5))},
			Good:    []alert.Series{self(s, promql.SelfLimiterRefused, alert.Steady(40))}},
	}
}

func inputAlerts(s promql.Scope) []alert.Alert {
	of := "{{ $labels." + labelInstance + " }}"
	instance := by(labelInstance)
	scrapes := func(failed float64) []alert.Series {
		return []alert.Series{
			self(s, promql.SelfScrapes, alert.Rising(1-failed), promql.Is(promql.AttrOutcome, "success")),
			self(s, promql.SelfScrapes, alert.Rising(failed), promql.Is(promql.AttrOutcome, "timeout")),
		}
	}
	w := by(signal.AttrFleetName, signal.AttrServiceInstanceID, signal.AttrSource)
	stream := worker(promql.Is(signal.AttrSource, signal.SourceKVEvents))
	worked := "{{ $labels." + s.Label(signal.AttrSource) + " }} of {{ $labels." + s.Label(signal.AttrServiceInstanceID) + " }}"
	return []alert.Alert{
		{Name: "InferenceScrapesFail", Severity: alert.Warning, For: 5 * time.Minute,
			Value:     "1 - " + s.SumRate(promql.SelfScrapes, instance, promql.Is(promql.AttrOutcome, "success")) + " / " + s.SumRate(promql.SelfScrapes, instance),
			Condition: "> 0.1",
			Summary:   "{{ $value | humanizePercentage }} of the scrapes of collector " + of + " fail",
			Meaning:   "More than a tenth of the readings of engines brings nothing. Figures have gaps, and estimates wait.",
			Look:      "Scrapes by outcome (dashboard Collector); which workers are down (InferenceWorkerDown).",
			Action:    "timeout: raise timeout and collection_interval. too large: raise max_body_bytes. Refused: the engine is down or the endpoint wrong.",
			Bad:       scrapes(0.4), Good: scrapes(0)},
		{Name: "InferenceWorkersNotAnalysed", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.SumRate(promql.SelfWorkerRejected, instance), Condition: "> 0", Quiet: "counted only once a worker was refused",
			Summary: "Collector " + of + " has more workers than max_workers",
			Meaning: "Batches of further workers pass through but are not analysed: fleets look smaller than they are.",
			Look:    "Workers remembered (dashboard Collector). Do names of workers change at every restart?",
			Action:  "Raise max_workers of phase_attribution, or share the workers among several collectors.",
			Bad:     []alert.Series{self(s, promql.SelfWorkerRejected, alert.Rising(1))},
			Good:    []alert.Series{self(s, promql.SelfWorkerRejected, alert.Steady(2))}},
		{Name: "InferenceStreamDisconnected", Severity: alert.Info, For: 5 * time.Minute,
			Value: s.Max(signal.SourceConnected, w), Condition: "== 0",
			Summary: "The stream " + worked + " is not connected",
			Meaning: "KV events or forward passes of the worker do not arrive; what rests on them is estimated from counters or withheld.",
			Look:    "Does the engine publish (its flags), on this port, on an address that the collector reaches?",
			Action:  "Correct the endpoint, or remove it when the engine does not publish any more.",
			Bad:     []alert.Series{data(s, signal.SourceConnected, alert.Steady(0), stream...)},
			Good:    []alert.Series{data(s, signal.SourceConnected, alert.Steady(1), stream...)}},
		{Name: "InferenceStreamLoses", Severity: alert.Info, For: 10 * time.Minute,
			Value: s.SumRate(signal.SourceLost, w), Condition: "> 0",
			Summary: "Messages of the stream " + worked + " are lost",
			Meaning: "There are gaps in the numbers that replay did not mend. The picture of the KV cache is unknown until it has turned over.",
			Look:    "Messages by outcome (dashboard Collector): replay_failed, refused?",
			Action:  "Set replay_endpoint, raise the publisher's hwm and buffer_steps, give the collector more processor.",
			Bad:     []alert.Series{data(s, signal.SourceLost, alert.Rising(0.2), stream...)},
			Good:    []alert.Series{data(s, signal.SourceLost, alert.Steady(7), stream...)}},
		{Name: "InferenceEngineNotUnderstood", Severity: alert.Info, For: 30 * time.Minute,
			Value: s.Over("max", signal.SourceDrift, s.Counted(signal.SourceDrift), signal.AttrEngineName), Condition: "> 0",
			Summary: "{{ $value }} metric families of {{ $labels." + s.Label(signal.AttrEngineName) + " }} are not known",
			Meaning: "An engine speaks of things that the tables do not have, or is silent on what they expect: a release newer than this collector.",
			Look:    "The collector's log names the families once; docs/engines.md has those that are known.",
			Action:  "Update the collector. Until then figures that rest on a family that vanished are absent, not wrong.",
			Bad:     []alert.Series{data(s, signal.SourceDrift, alert.Steady(3), promql.Is(signal.AttrEngineName, "vllm"))},
			Good:    []alert.Series{data(s, signal.SourceDrift, alert.Steady(0), promql.Is(signal.AttrEngineName, "vllm"))}},
	}
}

func estimateAlerts(s promql.Scope) []alert.Alert {
	of := by(signal.AttrFleetName, signal.AttrEstimate)
	labels := s.Label(signal.AttrFleetName) + ", " + s.Label(signal.AttrEstimate)
	estimate := promql.Is(signal.AttrEstimate, signal.EstimateInterference)
	withheld := data(s, signal.EstimateWithheld, alert.Rising(0.2), worker(estimate, promql.Is(signal.AttrReason, "no_split"))...)
	known := data(s, signal.EstimateConfidence, alert.Steady(0.8), append(worker(estimate), promql.Is(signal.AttrEstimateMethod, "passes"))...)
	return []alert.Alert{
		{Name: "InferenceEstimateWithheld", Severity: alert.Info, For: 30 * time.Minute,
			Value: s.SumRate(signal.EstimateWithheld, of) + " unless on (" + labels + ") (" + s.Max(signal.EstimateConfidence, of) + " > 0)", Condition: "> 0",
			Quiet:   "an estimate that one worker of the fleet has is not missing",
			Summary: "{{ $labels." + s.Label(signal.AttrEstimate) + " }} is withheld for all workers of fleet {{ $labels." + s.Label(signal.AttrFleetName) + " }}",
			Meaning: "No worker of the fleet has had this estimate for half an hour, because an input is missing or what there is does not suffice. Nothing is wrong with the fleet.",
			Look:    "The reason (llm_estimate_withheld_total by reason; docs/estimators.md explains them) and Inputs that are off (dashboard Overview).",
			Action:  "Switch on the input that the hint names, most often forward passes. Not wanted: silence this alert for the fleet.",
			Bad:     []alert.Series{withheld}, Good: []alert.Series{withheld, known}},
	}
}
