package grafana

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func transferAlerts(s promql.Scope) []alert.Alert {
	h := by(signal.AttrHostName)
	of := "{{ $labels." + s.Label(signal.AttrHostName) + " }}"
	proof := promql.In(signal.AttrEvidence, signal.EvidenceCounters+"|"+signal.EvidenceLog)
	road := func(transport string) []alert.Series {
		return []alert.Series{data(s, signal.NIXLTransport, alert.Steady(1), host(promql.Is(signal.AttrTransport, transport), promql.Is(signal.AttrEvidence, signal.EvidenceCounters))...)}
	}
	bucket := func(le string, perSecond float64) alert.Series {
		return data(s, signal.NIXLTransferTime, alert.Rising(perSecond), host(promql.Is("le", le))...)
	}
	w := by(signal.AttrFleetName, signal.AttrServiceInstanceID, signal.AttrFailure)
	failure := func(perSecond float64) []alert.Series {
		return []alert.Series{data(s, signal.KVTransferFailures, alert.Rising(perSecond), worker(promql.Is(signal.AttrFailure, signal.FailureExpired))...)}
	}
	return []alert.Alert{
		{Name: "InferenceTransfersOverTCP", Severity: alert.Warning, For: 5 * time.Minute,
			Value:     s.Over("count", signal.NIXLTransport, s.Value(signal.NIXLTransport, proof, promql.Is(signal.AttrTransport, signal.TransportTCP)), h...),
			Condition: "> 0", Quiet: "a transport has a series only where the evidence speaks for it",
			Summary: "KV transfers of {{ $value }} agents on " + of + " go over TCP",
			Meaning: "Bytes on the links, or UCX's own table, say TCP. Where there is RDMA this is a silent fallback that costs one to two orders of magnitude in bandwidth, and no error tells of it.",
			Look:    "nixl_agent_info: UCX_TLS and UCX_NET_DEVICES of the engine. In the container: ls /dev/infiniband, ulimit -l, ibv_devinfo.",
			Action:  "Give the container its RDMA devices and unlimited locked memory, remove tcp from UCX_TLS so that a fallback fails loudly, restart the engine. Without RDMA hardware: remove this rule.",
			Bad:     road(signal.TransportTCP), Good: road(signal.TransportRDMA)},
		{Name: "InferenceTransferHiccups", Severity: alert.Warning, For: 10 * time.Minute,
			Value: s.Quantile(0.99, signal.NIXLTransferTime, h) + " / " + s.Quantile(0.5, signal.NIXLTransferTime, h), Condition: "> 20",
			Summary: "One KV transfer in a hundred on " + of + " takes {{ $value | humanize }} times as long as the median",
			Meaning: "Some transfers stall. Stalls queue up behind each other and become much longer in time to first token than they were on the wire.",
			Look:    "Dashboard Transfers: RDMA faults, use of the links; whether only one peer is concerned.",
			Action:  "RDMA faults: have the fabric checked (PFC, ECN, cables). One peer: restart it. Saturated link: InferenceLinkSaturated.",
			Bad:     []alert.Series{bucket("0.01", 0.95), bucket("10", 1), bucket("+Inf", 1)},
			Good:    []alert.Series{bucket("0.01", 1), bucket("10", 1), bucket("+Inf", 1)}},
		{Name: "InferenceTransferFailures", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.SumRate(signal.KVTransferFailures, w), Condition: "> 0",
			Summary: "KV transfers fail on {{ $labels." + s.Label(signal.AttrServiceInstanceID) + " }} ({{ $labels." + s.Label(signal.AttrFailure) + " }}): {{ $value | humanize }} a second",
			Meaning: "expired: decode did not fetch the blocks before their lease ended. transfer: it failed on the wire. notification: the other side was not told, and blocks stay pinned. The prompt is computed again, or the request fails.",
			Look:    "expired: queue and KV use of the decode workers. transfer: logs of both sides and InferenceNIXLAgentDead.",
			Action:  "expired: add decode workers or raise the lease. transfer: restart the peer that is named in the log.",
			Bad:     failure(0.2), Good: failure(0)},
		{Name: "InferenceNIXLErrors", Severity: alert.Warning, For: 5 * time.Minute,
			Value:     s.SumRate(signal.NIXLErrors, by(signal.AttrHostName, signal.AttrErrorType)),
			Condition: "> 0", Quiet: "NIXL tells of an error only once there was one",
			Summary: "NIXL counts errors on " + of + ": {{ $labels." + s.Label(signal.AttrErrorType) + " }}",
			Meaning: "Agents count failed operations. A peer that is lost is not among them.",
			Look:    "The log of the agent's engine at the time, and whether its peers live.",
			Action:  "Restart the engine whose agent counts, when it goes on after its peer is back.",
			Bad:     []alert.Series{data(s, signal.NIXLErrors, alert.Rising(0.1), host(promql.Is(signal.AttrErrorType, "backend"))...)},
			Good:    []alert.Series{data(s, signal.NIXLErrors, alert.Steady(3), host(promql.Is(signal.AttrErrorType, "backend"))...)}},
	}
}

func agentAlerts(s promql.Scope) []alert.Alert {
	link := by(signal.AttrHostName, signal.AttrInterface, signal.AttrHWID)
	of := "{{ $labels." + s.Label(signal.AttrHostName) + " }}"
	name := "{{ $labels." + s.Label(signal.AttrInterface) + " }}{{ $labels." + s.Label(signal.AttrHWID) + " }}"
	port := func(metric string, value float64) []alert.Series {
		return []alert.Series{data(s, metric, alert.Steady(value), host(promql.Is(signal.AttrHWID, "mlx5_0:1"))...)}
	}
	slot := promql.Is(signal.AttrNIXLAgentSlot, "0")
	dropped := func(perSecond float64) []alert.Series {
		return []alert.Series{data(s, signal.NIXLEventsDropped, alert.Rising(perSecond), host(slot, promql.Is(signal.AttrReason, signal.DroppedRingFull))...)}
	}
	return []alert.Alert{
		{Name: "InferenceLinkSaturated", Severity: alert.Warning, For: 10 * time.Minute,
			Value: s.Max(signal.NIXLLinkUse, link), Condition: "> 0.9",
			Summary: "Link " + name + " of " + of + " carries {{ $value | humanizePercentage }} of its rate",
			Meaning: "Transfers wait for the wire.",
			Look:    "Dashboard Transfers: do other rails rest? Is the traffic KV (bytes moved) or something else?",
			Action:  "Other rails rest: raise UCX_MAX_RMA_RAILS. Else hand over less: keep short prompts local, use an 8-bit KV data type.",
			Bad:     port(signal.NIXLLinkUse, 0.97), Good: port(signal.NIXLLinkUse, 0.4)},
		{Name: "InferenceLinkDown", Severity: alert.Warning, For: 2 * time.Minute,
			Value: s.Max(signal.NIXLLinkUp, by(signal.AttrHostName, signal.AttrHWID), promql.Not(signal.AttrHWID, "")), Condition: "== 0",
			Summary: "RDMA port {{ $labels." + s.Label(signal.AttrHWID) + " }} of " + of + " is down",
			Meaning: "A port that is there carries nothing. Transfers share the remaining rails, or fall back to TCP.",
			Look:    "ibstat, dmesg and the switch port.",
			Action:  "Reseat or replace the cable; drain the host when it was its last port.",
			Bad:     port(signal.NIXLLinkUp, 0), Good: port(signal.NIXLLinkUp, 1)},
		{Name: "InferenceNIXLAgentDead", Severity: alert.Warning, For: time.Minute,
			Value:     s.Over("min", signal.NIXLAgentUp, s.Value(signal.NIXLAgentUp), signal.AttrHostName, signal.AttrNIXLAgentName, signal.AttrNIXLAgentSlot),
			Condition: "== 0",
			Summary:   "A NIXL agent on " + of + " has died",
			Meaning:   "The process of the agent is gone; the alert ends when it is forgotten (stale_after) or begins anew. Its peers may not notice: NIXL counts no error for a lost peer.",
			Look:      "The log of the engine it belonged to, and InferenceWorkerDown.",
			Action:    "Restart the engine. If peers keep failing with the old agent, restart them as well.",
			Bad:       []alert.Series{data(s, signal.NIXLAgentUp, alert.Steady(0), host(slot)...)},
			Good:      []alert.Series{data(s, signal.NIXLAgentUp, alert.Steady(1), host(slot)...)}},
		{Name: "InferenceNIXLTelemetryLost", Severity: alert.Info, For: 10 * time.Minute,
			Value: s.SumRate(signal.NIXLEventsDropped, by(signal.AttrHostName, signal.AttrReason)), Condition: "> 0",
			Summary: "NIXL telemetry of " + of + " is incomplete ({{ $labels." + s.Label(signal.AttrReason) + " }})",
			Meaning: "Events were lost before they could be read: counts, bytes and durations of transfers are too small.",
			Look:    "Dashboard Transfers, Can we trust the telemetry?: the fill of the rings, and other readers.",
			Action:  "Use the prometheus_mp exporter of NIXL 1.5, raise NIXL_TELEMETRY_BUFFER_SIZE, or set mode: consume where nothing else reads.",
			Bad:     dropped(2), Good: dropped(0)},
	}
}
