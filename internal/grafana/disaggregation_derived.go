package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// What the disaggregation processor derives.

func splitScore(s promql.Scope) []board.Panel {
	fleet := by(signal.AttrFleetName)
	name := s.Legend("{" + signal.AttrFleetName + "}")
	return []board.Panel{
		{Title: "Score", Kind: board.Stat, Unit: board.Ratio, Width: 6,
			Help:    "Goodput over what the same GPUs could have at this load if nothing were wrong. Well under 100 %: the smallest factor beside it says what is.",
			Queries: one(s.Over("min", signal.DisaggregationScore, s.Value(signal.DisaggregationScore), fleet...), name)},
		{Title: "Workers seen over expected", Kind: board.Stat, Unit: board.Ratio, Width: 6,
			Help:    "Below 90 % nothing is said of the whole fleet. Find the workers that are missing: down, or scraped by another collector.",
			Queries: one(s.Sum(signal.FleetObserved, fleet)+" / "+s.Sum(signal.FleetExpected, fleet), name)},
		{Title: "Prompt tokens that decode workers compute", Kind: board.Stat, Unit: board.Ratio, Width: 6,
			Help:    "Leak of prefill into decode. Above a few percent: failed or expired hand-overs, or a threshold that keeps short prompts local.",
			Queries: one(s.Max(signal.DisaggregationLeak, fleet), name)},
		{Title: "Goodput split over aggregated", Kind: board.Stat, Unit: board.PlainRatio, Width: 6,
			Help: "Of the best split over the best aggregated fleet, for this workload and these GPUs, with its 80 % interval. low under 1: a split may lose; high under 1: it loses. A fleet at its limit has a wide one: try it on a copy.",
			Queries: quiet(s.Over("min", signal.DisaggregationBenefit, s.Value(signal.DisaggregationBenefit), signal.AttrFleetName, signal.AttrBound), s.Legend("{"+signal.AttrFleetName+"} {"+signal.AttrBound+"}"),
				"told only of fleets of three worker groups or more")},
		{Title: "Factors of the score", Kind: board.Lines, Unit: board.Ratio,
			Help:    "What each defect leaves of the goodput; their product is the score. purity: the leak. balance: the ratio of workers. transfer, locality: the network and its path. slo: what these do not explain.",
			Queries: one(s.Over("min", signal.DisaggregationFactor, s.Value(signal.DisaggregationFactor), signal.AttrFactor), s.Legend("{"+signal.AttrFactor+"}"))},
	}
}

func splitTopology(s promql.Scope) []board.Panel {
	return []board.Panel{
		{Title: "Workers as they are and as recommended", Kind: board.Table, Unit: board.Count,
			Help:    "Worker groups by role. No recommended ones: none is better enough, for long enough. Move one group at a time, and see whether the forecast comes true.",
			Queries: one(s.Max(signal.TopologyWorkers, by(signal.AttrFleetName, signal.AttrTopology, signal.AttrRole)), "")},
		{Title: "Goodput forecast", Kind: board.Lines, Unit: board.PerSecond,
			Help: "At the measured load, with its 80 % interval. Recommended within the interval of current: it is not worth the change.",
			Queries: one(s.Max(signal.TopologyGoodput, by(signal.AttrFleetName, signal.AttrTopology, signal.AttrBound)),
				s.Legend("{"+signal.AttrFleetName+"} {"+signal.AttrTopology+"}, {"+signal.AttrBound+"}"))},
		{Title: "What one more worker would bring", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Relative goodput that one more group of a role would add. Both near 0: neither is the limit; look at the factors.",
			Queries: one(s.Max(signal.TopologyGain, by(signal.AttrFleetName, signal.AttrRole)), s.Legend("{"+signal.AttrRole+"}, {"+signal.AttrFleetName+"}"))},
		{Title: "Time to first token forecast", Kind: board.Lines, Unit: board.Seconds,
			Help: "By topology. Far from what is measured (dashboard Overview): the forecast does not fit this fleet, and its recommendation should wait.",
			Queries: one(s.Max(signal.TopologyTTFT, by(signal.AttrTopology, signal.AttrQuantile, signal.AttrBound)),
				s.Legend("{"+signal.AttrTopology+"} {"+signal.AttrQuantile+"}, {"+signal.AttrBound+"}"))},
	}
}

func transferModel(s promql.Scope) []board.Panel {
	subject := by(signal.AttrFleetName, signal.AttrHostName)
	name := s.Legend("{" + signal.AttrFleetName + "} {" + signal.AttrHostName + "}")
	return []board.Panel{
		{Title: "Part that does not depend on bytes", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Base over mean duration of a transfer. Above a half, transfers cost more for being many than for their bytes: coalesce them (larger blocks, fewer pieces).",
			Queries: one(s.Max(signal.TransferBaseRatio, subject), name)},
		{Title: "Bandwidth of a transfer", Kind: board.Lines, Unit: board.ByteRate,
			Help:    "Without the base, of one rank. A step down at the same load: another road, or a rail less.",
			Queries: one(s.Over("min", signal.TransferBandwidth, s.Value(signal.TransferBandwidth), subject...), name)},
		{Title: "Share of the first token's time that waits for KV", Kind: board.Lines, Unit: board.Ratio,
			Help:    "For KV and for nothing else. Above a tenth: overlap transfers with computing (by layer), or faster ones.",
			Queries: one(s.Max(signal.TransferExposed, subject), name)},
		{Title: "Hiccups", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "Episodes in which transfers took longer than their number and bytes explain. Often: faults of the fabric (RDMA faults below), or a peer that pauses.",
			Queries: one(s.SumRate(signal.TransferHiccups, subject), name)},
		{Title: "Transport by the best evidence", Kind: board.Table, Unit: board.Count,
			Help:    "conflict: counters or configuration say RDMA while the bandwidth is one that only TCP has; believe the bandwidth.",
			Queries: one(s.Over("count", signal.TransferTransport, s.Value(signal.TransferTransport), signal.AttrFleetName, signal.AttrTransport, signal.AttrEvidence), "")},
		{Title: "Hand-overs given up", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "Prompts whose KV was freed before the decode side came for it. Any: decode is too slow or too full; add decode workers or raise the lease.",
			Queries: one(s.SumRate(signal.TransferExpired, subject), name)},
	}
}
