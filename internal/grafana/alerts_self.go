package grafana

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
)

// durabilityAlerts are of points that the collector could not keep, or not derive.
func durabilityAlerts(s promql.Scope) []alert.Alert {
	of := "{{ $labels." + labelInstance + " }}"
	instance, exporter := by(labelInstance), by(labelInstance, promql.AttrExporter)
	rises := func(metric string, perSecond float64, more ...promql.Match) []alert.Series {
		return []alert.Series{self(s, metric, alert.Rising(perSecond), more...)}
	}
	toBackend := promql.Is(promql.AttrExporter, "otlp_http")
	return []alert.Alert{
		{Name: "InferenceCollectorCannotQueue", Severity: alert.Critical, For: time.Minute,
			Value: s.SumRate(promql.SelfEnqueueFailed, exporter), Condition: "> 0", Quiet: "counted only once something could not be queued",
			Summary: "Collector " + of + " refuses {{ $value | humanize }} points a second that exporter {{ $labels." + promql.AttrExporter + " }} cannot queue",
			Meaning: "The queue is full, or the disk under it. What is queued is safe while the collector runs; new points are sent back, and those of scrapes are lost.",
			Look:    "df on the directory of file_storage; InferenceCollectorQueueFull; whether the backend or the gateways answer.",
			Action:  "Bring the backend back, or give the disk room, and do not restart the collector before: on a full disk that may lose the queue. It drains by itself. Then size it (docs/sizing.md).",
			Bad:     rises(promql.SelfEnqueueFailed, 4, toBackend), Good: rises(promql.SelfEnqueueFailed, 0, toBackend)},
		{Name: "InferenceCollectorRestarts", Severity: alert.Warning, For: time.Minute,
			Value: "resets(" + s.Counted(promql.SelfUptime) + "[1h])", Condition: "> 2",
			Summary: "Collector " + of + " started {{ $value }} times within the hour",
			Meaning: "The collector ends again and again: out of memory, a configuration that fails, or a damaged queue file. Between two lives nothing is observed.",
			Look:    "The end of its log before the last start; the kernel's log for the OOM killer; the unit's MemoryMax.",
			Action:  "Out of memory: raise the limit of the unit and limit_mib together. \"Page expected to be\" or \"invalid database\": move the queue's file away (docs/upgrade.md).",
			Bad:     []alert.Series{self(s, promql.SelfUptime, "0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60")},
			Good:    rises(promql.SelfUptime, 1)},
		derivedLost(s, "InferenceEstimatesLost", "workers", promql.SelfDerivedFailed),
		derivedLost(s, "InferenceFleetEstimatesLost", "fleets", promql.SelfFleetsFailed),
		{Name: "InferenceFleetsNotAnalysed", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.SumRate(promql.SelfFleetsRejected, instance), Condition: "> 0", Quiet: "counted only once a fleet was refused",
			Summary: "Gateway " + of + " has more fleets, workers or NIXL agents than it analyses",
			Meaning: "Batches of further ones pass through untouched, and nothing is said of their fleets.",
			Look:    "Do names of fleets or workers change at every restart? Which of max_fleets, max_workers and max_agents is reached (log)?",
			Action:  "Raise the limit of the disaggregation processor, or add a gateway (docs/sharding.md).",
			Bad:     rises(promql.SelfFleetsRejected, 1), Good: rises(promql.SelfFleetsRejected, 0)},
	}
}

// derivedLost is of batches of derived points that a processor did not get rid of.
func derivedLost(s promql.Scope, name, subject, metric string) alert.Alert {
	return alert.Alert{Name: name, Severity: alert.Warning, For: 5 * time.Minute,
		Value: s.SumRate(metric, by(labelInstance)), Condition: "> 0", Quiet: "counted only once a batch was refused",
		Summary: "Estimates of " + subject + " that collector {{ $labels." + labelInstance + " }} made are refused by what comes after",
		Meaning: "The measured points pass, but batches of derived ones do not get through: charts of " + subject + " have gaps.",
		Look:    "InferenceCollectorCannotQueue and InferenceCollectorMemoryLimited; the messages of the exporters in the log.",
		Action:  "As those say.",
		Bad:     []alert.Series{self(s, metric, alert.Rising(1))}, Good: []alert.Series{self(s, metric, alert.Rising(0))}}
}

// sourceAlerts are of inputs of this host that the collector cannot read.
func sourceAlerts(s promql.Scope) []alert.Alert {
	of := "{{ $labels." + labelInstance + " }}"
	files := func(perSecond float64) []alert.Series {
		return []alert.Series{self(s, promql.SelfNIXLRejected, alert.Rising(perSecond), promql.Is(promql.AttrReason, "invalid"))}
	}
	blocked := func(threads float64) []alert.Series {
		return []alert.Series{self(s, promql.SelfNVMLBlocked, alert.Steady(threads))}
	}
	return []alert.Alert{
		{Name: "InferenceNVMLBlocked", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.Max(promql.SelfNVMLBlocked, by(labelInstance)), Condition: "> 0",
			Summary: "{{ $value }} threads of collector " + of + " do not come back from the driver",
			Meaning: "A call into NVML hangs: the GPU or its driver is sick. The other GPUs are still read.",
			Look:    "dmesg for NVRM and Xid; whether nvidia-smi hangs as well; InferenceGPUFailed.",
			Action:  "Drain the host and reset the GPU or reboot; restarting the collector does not help.",
			Bad:     blocked(1), Good: blocked(0)},
		{Name: "InferenceNIXLFilesRejected", Severity: alert.Info, For: 10 * time.Minute,
			Value: s.SumRate(promql.SelfNIXLRejected, by(labelInstance, promql.AttrReason)), Condition: "> 0", Quiet: "counted only once a file was refused",
			Summary: "Collector " + of + " does not read files of NIXL: {{ $labels." + promql.AttrReason + " }}",
			Meaning: "Files in NIXL's directory are not what they should be, or may not be read. Transfers of these agents are not seen.",
			Look:    "The reason. invalid in numbers: does something else write into the directory? permission: the table of privileges.",
			Action:  "permission: the drop-in of docs/install.md. unsupported: update the collector. invalid or limit: clean the directory, and let only engines write there.",
			Bad:     files(1), Good: files(0)},
	}
}
