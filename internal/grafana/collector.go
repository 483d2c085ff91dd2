package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func collector(s promql.Scope) board.Dashboard {
	return board.Dashboard{
		File: "collector", Title: "Collector",
		Help: "Whether the collector sees everything, loses nothing, and what it costs. Its own metrics know no fleets: the variables narrow only what it read.",
		Rows: []board.Row{
			{Title: "Does it read everything?", Panels: collectorInput(s)},
			{Title: "Does it lose anything?", Panels: collectorLoss(s)},
			{Title: "What does it cost?", Panels: collectorCost(s)},
		},
	}
}

func collectorInput(s promql.Scope) []board.Panel {
	source := by(signal.AttrSource)
	return []board.Panel{
		{Title: "Scrapes of engines, by outcome", Kind: board.Stack, Unit: board.PerSecond,
			Help:    "Anything but success: see which worker is down (Overview), then its log. too_large or malformed: max_body_bytes, or a page of another kind.",
			Queries: one(s.SumRate(promql.SelfScrapes, by(promql.AttrOutcome)), "{{outcome}}")},
		{Title: "Duration of a scrape", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Near the collection interval: the engine is busy in its API server, or the page is very large.",
			Queries: percentiles(s, promql.SelfScrapeTime)},
		{Title: "Metric families that are not known", Kind: board.Lines, Unit: board.Count,
			Help:    "Of known engines: new ones that the tables do not have, and known ones that vanished. After an update of an engine: look for a newer release of the collector.",
			Queries: one(s.Over("max", signal.SourceDrift, s.Counted(signal.SourceDrift), signal.AttrEngineName), s.Legend("{"+signal.AttrEngineName+"}"))},
		{Title: "Streams that are connected", Kind: board.Lines, Unit: board.Count,
			Help:    "KV events and forward passes. One less: the engine ended, or its port is not reachable.",
			Queries: one(s.Sum(signal.SourceConnected, source), s.Legend("{"+signal.AttrSource+"}"))},
		{Title: "Messages of streams", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "By outcome. malformed, version, foreign: an engine of another release. refused: raise memory_limit of kv_events.",
			Queries: one(s.SumRate(signal.SourceMessages, by(signal.AttrSource, signal.AttrOutcome)), s.Legend("{"+signal.AttrSource+"}: {"+signal.AttrOutcome+"}"))},
		{Title: "Messages lost", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "For good, by the gaps in their numbers. Set a replay endpoint; else the publisher's queue (hwm) is too short for the collector's pauses.",
			Queries: one(s.SumRate(signal.SourceLost, source), s.Legend("{"+signal.AttrSource+"}"))},
	}
}

func collectorLoss(s promql.Scope) []board.Panel {
	receiver, exporter := by(promql.AttrReceiver), by(promql.AttrExporter)
	return []board.Panel{
		{Title: "Points accepted and refused", Kind: board.Lines, Unit: board.PerSecond,
			Help: "Refused ones are tried again by receivers that can, else lost: the memory limiter holds, or a queue is full.",
			Queries: []board.Query{
				{Expr: s.SumRate(promql.SelfAccepted, receiver), Legend: "accepted, {{receiver}}"},
				{Expr: s.SumRate(promql.SelfRefused, receiver), Legend: "refused, {{receiver}}"},
			}},
		{Title: "Points sent and failed", Kind: board.Lines, Unit: board.PerSecond,
			Help: "Failed ones are lost after the retries. Look at the exporter's message in the collector's log: the backend is away, or refuses what it gets.",
			Queries: []board.Query{
				{Expr: s.SumRate(promql.SelfSent, exporter), Legend: "sent, {{exporter}}"},
				{Expr: s.SumRate(promql.SelfSendFailed, exporter), Legend: "failed, {{exporter}}",
					Quiet: "an exporter counts failures only once there was one"},
			}},
		{Title: "Queues", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Share of the sending queue in use. Rising without end: the backend is slower than the data; at 100 % points are lost.",
			Queries: one(s.Sum(promql.SelfQueueSize, exporter)+" / "+s.Sum(promql.SelfQueueCapacity, exporter), "{{exporter}}")},
	}
}

func collectorCost(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Memory", Kind: board.Lines, Unit: board.Bytes,
			Help:    "Resident memory. Near limit_mib of the memory limiter points are refused: raise it, or observe fewer workers with one collector.",
			Queries: one(s.Max(promql.SelfMemory, by("instance")), "{{instance}}")},
		{Title: "Processor", Kind: board.Lines, Unit: board.Count,
			Help:    "Cores in use. More than expected: scrape less often, or see whether a page became very large (series beside it).",
			Queries: one(s.SumRate(promql.SelfCPU, by("instance")), "{{instance}}")},
		{Title: "Series and workers remembered", Kind: board.Lines, Unit: board.Count,
			Help: "Series over all endpoints, and workers that are analysed. Series that grow without end: an engine with a label of requests or users.",
			Queries: []board.Query{
				{Expr: s.Sum(promql.SelfSeries, nil), Legend: "series"},
				{Expr: s.Sum(promql.SelfWorkers, nil), Legend: "workers"},
			}},
	}
}
