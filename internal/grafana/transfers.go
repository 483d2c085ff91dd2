package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func transfers(s promql.Scope) board.Dashboard {
	return board.Dashboard{
		File: "transfers", Title: "Transfers",
		Help: "KV transfers between workers: as NIXL tells them, as the engines do, and what the host's links carried meanwhile.",
		Rows: []board.Row{
			{Title: "Is the KV transfer healthy?", Panels: transferHealth(s)},
			{Title: "What explains their duration?", Panels: transferModel(s)},
			{Title: "Which road do transfers take?", Panels: transferRoad(s)},
			{Title: "What do the engines say of it?", Panels: engineTransfers(s)},
			{Title: "Can we trust the telemetry?", Panels: transferTelemetry(s)},
		},
	}
}

func transferHealth(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Duration of a transfer", Kind: board.Lines, Unit: board.Seconds,
			Help:    "From post to the poll that found it complete, over all agents. A step up at the same size: another road (next row), or a congested one. p99 alone: hiccups; look at errors of the links.",
			Queries: percentiles(s, signal.NIXLTransferTime)},
		{Title: "Throughput of a transfer", Kind: board.Lines, Unit: board.ByteRate,
			Help: "Bytes over duration of each transfer; from rings only. Under 1 GB/s between hosts with RDMA is what a silent fallback to TCP looks like.",
			Queries: []board.Query{
				{Expr: s.Quantile(0.1, signal.NIXLThroughput, nil), Legend: "slowest tenth"},
				{Expr: s.Quantile(0.5, signal.NIXLThroughput, nil), Legend: "median"},
			}},
		{Title: "Bytes moved", Kind: board.Stack, Unit: board.ByteRate,
			Help:    "By transfers that the agents initiated. Falls to nothing while requests go on: decode workers compute prompts themselves (dashboard Disaggregation).",
			Queries: one(s.SumRate(signal.NIXLTransferIO, by(signal.AttrNetDirection)), s.Legend("transfer, {"+signal.AttrNetDirection+"}"))},
		{Title: "Time to post", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Part of the duration that the processor spends. High: very many small descriptors; use larger blocks or a layout in which a block is one piece.",
			Queries: percentiles(s, signal.NIXLTransferPost)},
		{Title: "Size of a transfer", Kind: board.Lines, Unit: board.Bytes,
			Help:    "Durations grow with it. It moved: prompts are longer, or transfers go by layer instead of whole.",
			Queries: percentiles(s, signal.NIXLTransferSize)},
		{Title: "Errors", Kind: board.Lines, Unit: board.PerSecond,
			Help: "As NIXL counts them. None is no proof of health: NIXL does not count a peer that it lost. Any: read the log of the agent's engine, and see whether its peer lives.",
			Queries: quiet(s.SumRate(signal.NIXLErrors, by(signal.AttrErrorType)), s.Legend("{"+signal.AttrErrorType+"}"),
				"NIXL tells of an error only once there was one")},
	}
}

func transferRoad(s promql.Scope) []board.Panel {
	link := by(signal.AttrInterface, signal.AttrHWID, signal.AttrNetDirection)
	name := s.Legend("{" + signal.AttrInterface + "}{" + signal.AttrHWID + "} {" + signal.AttrNetDirection + "}")
	return []board.Panel{
		{Title: "Transport, by evidence", Kind: board.Table, Unit: board.Count,
			Help: "Agents by transport. counters compares bytes of agents and links, log reads UCX's own table. tcp where there is RDMA: check UCX_TLS and UCX_NET_DEVICES of the engine, and whether the container sees the RDMA devices.",
			Queries: one(s.Over("count", signal.NIXLTransport, s.Value(signal.NIXLTransport, promql.In(signal.AttrEvidence, signal.EvidenceCounters+"|"+signal.EvidenceLog)),
				signal.AttrTransport, signal.AttrEvidence), "")},
		{Title: "Use of the links", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Share of a link's rate. One rail near 100 % beside idle ones: raise UCX_MAX_RMA_RAILS. All near 100 %: the network is the limit; transfer less, or place prefill and decode closer.",
			Queries: one(s.Max(signal.NIXLLinkUse, link), name)},
		{Title: "Bytes over the links", Kind: board.Lines, Unit: board.ByteRate,
			Help:    "Whoever sent them. Bytes on an Ethernet interface while the RDMA ports rest: transfers go over TCP.",
			Queries: one(s.SumRate(signal.NIXLLinkIO, link), name)},
		{Title: "Links down", Kind: board.Stat, Unit: board.Count, Width: 12,
			Limits:  []board.Limit{{From: 1, Color: board.Critical}},
			Help:    "Links that are there and not up. Of a rail: transfers share the others, at less bandwidth. Look at the cable, the switch port and dmesg.",
			Queries: one(s.Over("count", signal.NIXLLinkUp, s.Value(signal.NIXLLinkUp)+" == 0")+" or vector(0)", "down")},
		{Title: "RDMA faults and congestion", Kind: board.Lines, Unit: board.PerSecond, Width: 12,
			Help:    "By counter, as the driver calls it. out_of_sequence, timeouts, retries: a lossy fabric; check PFC and ECN on RoCE. Rising with slow transfers they are the cause.",
			Queries: one(s.SumRate(signal.NIXLRDMAErrors, by(signal.AttrHWID, signal.AttrRDMACounter)), s.Legend("{"+signal.AttrHWID+"} {"+signal.AttrRDMACounter+"}"))},
	}
}

func engineTransfers(s promql.Scope) []board.Panel {
	share := s.Over("sum", signal.KVTransferTime, s.Total(signal.KVTransferTime)) + " / " + s.Over("sum", signal.TTFT, s.Total(signal.TTFT))
	return []board.Panel{
		{Title: "Duration, by backend", Kind: board.Lines, Unit: board.Seconds,
			Help:    "p90 on the side that observes it, by what moves the KV. Longer than NIXL's own duration: the engine polls late, its step takes too long.",
			Queries: one(s.Quantile(0.9, signal.KVTransferTime, by(signal.AttrKVBackend)), s.Legend("{"+signal.AttrKVBackend+"} p90"))},
		{Title: "Transfer time over time to first token", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Sum of transfer durations over the sum of TTFT: the most that faster transfers could save, as parts that overlap count in full. Under a tenth the network is not your problem.",
			Queries: one(share, "transfer over TTFT")},
		{Title: "Failures", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "transfer: failed, the request is computed again or lost. notification: the blocks stay pinned. expired: nobody fetched the blocks in time, decode is too slow; raise the lease or add decode workers.",
			Queries: one(s.SumRate(signal.KVTransferFailures, by(signal.AttrFailure)), s.Legend("{"+signal.AttrFailure+"}"))},
	}
}

func transferTelemetry(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Agents that live", Kind: board.Lines, Unit: board.Count,
			Help:    "Agents of which the process is there. One less: an engine ended or crashed; its last transfers are still counted.",
			Queries: one(s.Sum(signal.NIXLAgentUp, by(signal.AttrHostName)), s.Legend("{"+signal.AttrHostName+"}"))},
		{Title: "Silence of agents", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Longest time since an agent told anything. Grows while requests run: its telemetry thread hangs, or it does not transfer.",
			Queries: one(s.Max(signal.NIXLLastEventAge, by(signal.AttrHostName)), s.Legend("{"+signal.AttrHostName+"}"))},
		{Title: "Largest fill of a ring, and lost events", Kind: board.Lines, Unit: board.PlainRatio,
			Help: "A full ring loses events, so that figures above are too small. Raise NIXL_TELEMETRY_BUFFER_SIZE, or let the receiver consume (mode), or use prometheus_mp stores.",
			Queries: []board.Query{
				{Expr: s.Max(signal.NIXLRingUsage, by(signal.AttrHostName)), Legend: s.Legend("fill, {" + signal.AttrHostName + "}")},
				{Expr: s.SumRate(signal.NIXLEventsDropped, by(signal.AttrReason)), Legend: s.Legend("lost per second, {" + signal.AttrReason + "}")},
			}},
		{Title: "Restarts of agents", Kind: board.Lines, Unit: board.Count, Width: 12,
			Help:    "Times that agents began anew within the last hour. More than you did yourself: engines crash.",
			Queries: one(s.Over("sum", signal.NIXLAgentRestarts, s.Increase(signal.NIXLAgentRestarts, "1h")), "restarts")},
		{Title: "Registered memory", Kind: board.Lines, Unit: board.Bytes, Width: 12,
			Help:    "Registered less deregistered, since agents were first seen. Rising without end: registrations leak.",
			Queries: one(s.Sum(signal.NIXLMemory, by(signal.AttrHostName)), s.Legend("{"+signal.AttrHostName+"}"))},
	}
}
