package grafana

import (
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// What the kv_fragmentation processor derives.

func kvUse(s promql.Scope) []board.Panel {
	worker := by(signal.AttrServiceInstanceID)
	return []board.Panel{
		{Title: "Pool by use", Kind: board.Share, Unit: board.PlainRatio,
			Help:    "Room of the KV pools by use. cached_dead: held by nobody and never hit, harmless until blocks are short. tail_waste: last blocks that are not full, a smaller block size helps. reserved, pinned: KV on its way between workers.",
			Queries: one(s.Sum(signal.KVTokens, by(signal.AttrKVUse)), s.Legend("{"+signal.AttrKVUse+"}"))},
		{Title: "Fragmentation", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Share of the pool that serves no tokens, now or later. Above a third: tail_waste asks for a smaller block size, reserved for a lower max_model_len or paged attention, pinned for faster hand-over, cached_dead for prefix caching off or another router.",
			Queries: one(s.Max(signal.KVFragmentation, worker), perWorker(s))},
		{Title: "GPU memory by use", Kind: board.Stack, Unit: board.Bytes,
			Help:    "Of workers with joined GPUs. other_process: somebody else is on the GPU. outside: room that gpu_memory_utilization leaves; it may be given to the pool.",
			Queries: one(s.Sum(signal.HBMMemory, by(signal.AttrHBMUse)), s.Legend("{"+signal.AttrHBMUse+"}"))},
	}
}

func kvSize(s promql.Scope) []board.Panel {
	scale := by(signal.AttrCacheScale)
	legend := s.Legend("{" + signal.AttrCacheScale + "} times")
	return []board.Panel{
		{Title: "Hit ratio at other sizes of the pool", Kind: board.Bars, Unit: board.Ratio,
			Help:    "Mean over the workers, at so many times the pool's size. Where it hardly rises from 1 to 2, memory is better spent on something else.",
			Queries: one(s.Over("avg", signal.KVHitRatioPredicted, s.Value(signal.KVHitRatioPredicted), scale...), legend)},
		{Title: "Prompt tokens a second saved at other sizes", Kind: board.Bars, Unit: board.Count,
			Help:    "That need not be computed, over all workers; below 0 for a smaller pool. Compare with the prompt tokens of dashboard Overview before buying memory.",
			Queries: one(s.Sum(signal.KVSavedTokens, scale), legend)},
		{Title: "Prompt tokens that missed, by cause", Kind: board.Stack, Unit: board.Count,
			Help:    "capacity: a larger cache or offloading. routing: another worker has it, route by prefix. partial: in no full block, a smaller block size. compulsory: new text, nothing helps.",
			Queries: one(s.SumRate(signal.KVMissTokens, by(signal.AttrMissCause)), s.Legend("{"+signal.AttrMissCause+"}"))},
	}
}

func kvStorm(s promql.Scope) []board.Panel {
	worker := by(signal.AttrServiceInstanceID)
	return []board.Panel{
		{Title: "Eviction storms", Kind: board.Lines, Unit: board.PlainRatio,
			Help:    "1 while evictions surge and what is evicted comes back. Lower the concurrency of long shared prompts, or enlarge the cache; restarts make it worse.",
			Queries: one(s.Max(signal.KVStorm, worker), perWorker(s))},
		{Title: "Thrash", Kind: board.Lines, Unit: board.Ratio,
			Help:    "Share of the tokens stored that had been evicted shortly before, over the last windows. Above a tenth for long: InferenceKVThrashing says what to do.",
			Queries: one(s.Max(signal.KVThrash, worker), perWorker(s))},
		{Title: "Tokens computed twice, by cause", Kind: board.Stack, Unit: board.Count,
			Help:    "thrash: evicted too early. preemption: requests thrown out of the batch, lower max_num_seqs. lease: prompts that nobody fetched in time, add decode workers.",
			Queries: one(s.SumRate(signal.KVWasteTokens, by(signal.AttrKVWaste)), s.Legend("{"+signal.AttrKVWaste+"}"))},
	}
}
