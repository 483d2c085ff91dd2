package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func kv(s promql.Scope) board.Dashboard {
	return board.Dashboard{
		File: "kv", Title: "KV cache",
		Help: "What fills the KV cache, what it is good for, and what a larger one would bring.",
		Rows: []board.Row{
			{Title: "What fills it?", Panels: kvUse(s)},
			{Title: "Is there room?", Panels: kvRoom(s)},
			{Title: "Does the cache help?", Panels: kvHits(s)},
			{Title: "What would another size bring?", Panels: kvSize(s)},
			{Title: "Is it thrashing?", Panels: append(kvThrash(s), kvStorm(s)...)},
		},
	}
}

func kvRoom(s promql.Scope) []board.Panel {
	worker := by(signal.AttrServiceInstanceID)
	return []board.Panel{
		{Title: "KV blocks held by running requests", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Near 100 %: the next step preempts. Raise gpu_memory_utilization, lower max_num_seqs or max_model_len, use a smaller KV data type, or add a worker.",
			Queries: one(s.Max(signal.KVUtilization, worker), perWorker(s))},
		{Title: "Size of the pool", Kind: board.Lines, Unit: board.Count,
			Help:    "Tokens that the pool holds. Workers that should be equal and differ: something else uses their GPU's memory, or their settings differ.",
			Queries: one(s.Max(signal.KVCapacityTokens, worker), perWorker(s))},
		{Title: "Preemptions", Kind: board.Lines, Unit: board.PerSecond,
			Help:    "Running requests that lost their blocks and are computed again. Each costs its whole prompt once more. Fewer sequences or more KV memory end it.",
			Queries: one(s.SumRate(signal.Preemptions, worker), perWorker(s))},
	}
}

func kvHits(s promql.Scope) []board.Panel {
	ratio := s.SumRate(signal.KVHitTokens, by(signal.AttrCacheScope)) + " / " + s.SumRate(signal.KVLookupTokens, by(signal.AttrCacheScope))
	curve := s.Buckets(signal.KVReuseDistance, nil) + " / on () group_left () " + s.Over("sum", signal.KVReuseDistance, s.Count(signal.KVReuseDistance))
	return []board.Panel{
		{Title: "Hit ratio", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Tokens found over tokens looked for, by scope. Low: the prompts share little, the cache is too small (curve beside it), or the router scatters prefixes (misses below).",
			Queries: one(ratio, s.Legend("{"+signal.AttrCacheScope+"}"))},
		{Title: "Hit ratio if the cache had so many blocks", Kind: board.Bars, Unit: board.Ratio,
			Help:    "From the distances of reuse: the bar at your number of blocks is about what you have, the bar at twice as many what doubling would bring. When bars stop growing, more memory brings nothing. From KV events.",
			Queries: one(curve, "{{le}} blocks")},
		{Title: "Tokens stored, by why they were not there", Kind: board.Stack, Unit: board.Count,
			Help:    "capacity: evicted before it was needed again, a larger cache helps. compulsory: seen for the first time, nothing helps. reset: the cache was cleared. generated: answers, no misses. From KV events.",
			Queries: one(s.SumRate(signal.KVStoredTokens, by(signal.AttrMissCause)), s.Legend("{"+signal.AttrMissCause+"}"))},
		{Title: "Stored while another worker had it", Kind: board.Lines, Unit: board.Count,
			Help:    "Tokens per second computed although another worker of the fleet held them. Much: route by prefix.",
			Queries: one(s.SumRate(signal.KVRoutingTokens, by(signal.AttrServiceInstanceID)), perWorker(s))},
		{Title: "Held more than once in the fleet", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Share of the cached blocks that are further copies. High with a low hit ratio: route by prefix; the fleet's caches would hold more that differs.",
			Queries: one(s.Max(signal.KVDuplicateRatio, by(signal.AttrFleetName)), s.Legend("{"+signal.AttrFleetName+"}"))},
		{Title: "Are the events complete?", Kind: board.Lines, Unit: board.PlainRatio,
			Help:    "1 while all resident blocks are known. 0 after lost messages or a lost connection: what is derived from events waits until the cache has turned over. Set a replay endpoint.",
			Queries: one(s.Over("min", signal.KVEventsKnown, s.Value(signal.KVEventsKnown), signal.AttrServiceInstanceID), perWorker(s))},
	}
}

func kvThrash(s promql.Scope) []board.Panel {
	worker := by(signal.AttrServiceInstanceID)
	// Answers are stored too; what was generated was not stored again.
	regret := s.SumRate(signal.KVRegretTokens, worker) + " / " +
		s.SumRate(signal.KVStoredTokens, worker, promql.Not(signal.AttrMissCause, missGenerated))
	return []board.Panel{
		{Title: "Evicted too early", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Prompt tokens stored again soon after their block was evicted, of all that were stored. Above a tenth the cache works against itself: enlarge it, offload to host memory, or route so that prefixes stay together.",
			Queries: one(regret, perWorker(s))},
		{Title: "Blocks stored and evicted", Kind: board.Lines, Unit: board.Count,
			Help: "As many evicted as stored is normal for a full cache. Both rising while requests do not: thrashing.",
			Queries: []board.Query{
				{Expr: s.SumRate(signal.KVBlockStored, by(signal.AttrCacheTier)), Legend: s.Legend("stored, {" + signal.AttrCacheTier + "}")},
				{Expr: s.SumRate(signal.KVBlockRemoved, by(signal.AttrCacheTier)), Legend: s.Legend("evicted, {" + signal.AttrCacheTier + "}")},
			}},
		{Title: "How long a block stays", Kind: board.Lines, Unit: board.Seconds,
			Help:    "Storing of a block to its eviction. Shorter than the pause between two turns of a conversation: turns do not find their prefix any more.",
			Queries: percentiles(s, signal.KVBlockResidence)},
	}
}
