package promql

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Self is the component of the collector's metrics of itself.
const Self = "self"

// Metrics that the collector tells of itself, as Prometheus has them when its reader is set up as config.yaml does
// (without_type_suffix: false). The first ones are the collector's (go.opentelemetry.io/collector v0.161), the rest those of
// components here, from their metadata.yaml; an otelcol_receiver_... of a signal that no pipeline has is absent.
const (
	SelfAccepted       = "otelcol_receiver_accepted_metric_points_total"
	SelfRefused        = "otelcol_receiver_refused_metric_points_total"
	SelfSent           = "otelcol_exporter_sent_metric_points_total"
	SelfSendFailed     = "otelcol_exporter_send_failed_metric_points_total"
	SelfEnqueueFailed  = "otelcol_exporter_enqueue_failed_metric_points_total"
	SelfQueueSize      = "otelcol_exporter_queue_size"
	SelfQueueCapacity  = "otelcol_exporter_queue_capacity"
	SelfMemory         = "otelcol_process_memory_rss_bytes"
	SelfCPU            = "otelcol_process_cpu_seconds_total"
	SelfLimiterRefused = "otelcol_processor_memory_limiter_refused_metric_points_total"
	SelfScrapes        = "otelcol_receiver_llm_engine_scrapes_total"
	SelfScrapeTime     = "otelcol_receiver_llm_engine_scrape_duration_seconds"
	SelfSeries         = "otelcol_receiver_llm_engine_series"
	SelfSeriesRejected = "otelcol_receiver_llm_engine_series_rejected_total"
	SelfNVMLBlocked    = "otelcol_receiver_nvml_blocked"
	SelfDerivedFailed  = "otelcol_processor_phase_attribution_derived_failed_total"
	SelfWorkerRejected = "otelcol_processor_phase_attribution_rejected_total"
	SelfWorkers        = "otelcol_processor_phase_attribution_workers"
	SelfFleetsRejected = "otelcol_processor_disaggregation_rejected_total"
	SelfFleetsFailed   = "otelcol_processor_disaggregation_derived_failed_total"
	SelfNIXLRejected   = "otelcol_receiver_nixl_files_rejected_total"
	SelfUptime         = "otelcol_process_uptime_seconds_total"
)

// Attributes of those.
const (
	AttrReceiver = "receiver"
	AttrExporter = "exporter"
	AttrOutcome  = "outcome"
	AttrReason   = "reason"
)

// SelfMetrics declares them. Their names are Prometheus' already.
func SelfMetrics() []signal.Metric {
	receiver, exporter := []string{AttrReceiver}, []string{AttrExporter}
	return []signal.Metric{
		{Name: SelfAccepted, Instrument: signal.Sum, Attributes: receiver, Component: Self},
		{Name: SelfRefused, Instrument: signal.Sum, Attributes: receiver, Component: Self},
		{Name: SelfSent, Instrument: signal.Sum, Attributes: exporter, Component: Self},
		{Name: SelfSendFailed, Instrument: signal.Sum, Attributes: exporter, Component: Self},
		{Name: SelfEnqueueFailed, Instrument: signal.Sum, Attributes: exporter, Component: Self},
		{Name: SelfQueueSize, Instrument: signal.UpDownCounter, Attributes: exporter, Component: Self},
		{Name: SelfQueueCapacity, Instrument: signal.UpDownCounter, Attributes: exporter, Component: Self},
		{Name: SelfMemory, Instrument: signal.Gauge, Component: Self},
		{Name: SelfCPU, Instrument: signal.Sum, Component: Self},
		{Name: SelfLimiterRefused, Instrument: signal.Sum, Component: Self},
		{Name: SelfScrapes, Instrument: signal.Sum, Attributes: []string{AttrOutcome}, Component: Self},
		{Name: SelfScrapeTime, Instrument: signal.Histogram, Component: Self},
		{Name: SelfSeries, Instrument: signal.UpDownCounter, Component: Self},
		{Name: SelfSeriesRejected, Instrument: signal.Sum, Component: Self},
		{Name: SelfNVMLBlocked, Instrument: signal.Gauge, Component: Self},
		{Name: SelfDerivedFailed, Instrument: signal.Sum, Component: Self},
		{Name: SelfWorkerRejected, Instrument: signal.Sum, Component: Self},
		{Name: SelfWorkers, Instrument: signal.UpDownCounter, Component: Self},
		{Name: SelfFleetsRejected, Instrument: signal.Sum, Component: Self},
		{Name: SelfFleetsFailed, Instrument: signal.Sum, Component: Self},
		{Name: SelfNIXLRejected, Instrument: signal.Sum, Attributes: []string{AttrReason}, Component: Self},
		{Name: SelfUptime, Instrument: signal.Sum, Component: Self},
	}
}
