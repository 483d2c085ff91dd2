package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the kv_fragmentation processor: what it derives per worker.
const (
	KVTokens            = "llm.kv_cache.tokens"
	KVMemory            = "llm.kv_cache.memory"
	KVTierTokens        = "llm.kv_cache.tier.tokens"
	KVDuplicateMemory   = "llm.kv_cache.duplicate.memory"
	HBMMemory           = "llm.hbm.memory"
	KVFragmentation     = "llm.kv_cache.fragmentation"
	KVFreeLowest        = "llm.kv_cache.free.lowest"
	KVHitRatio          = "llm.kv_cache.hit.ratio"
	KVHitRatioPredicted = "llm.kv_cache.hit.ratio.predicted"
	KVMissTokens        = "llm.kv_cache.miss.tokens"
	KVEvictedBlocks     = "llm.kv_cache.evictions"
	KVThrash            = "llm.kv_cache.thrash.ratio"
	KVStorm             = "llm.kv_cache.storm"
	KVEvictionSurge     = "llm.kv_cache.eviction.surge"
	KVWasteTokens       = "llm.kv_cache.waste.tokens"
	KVWasteTime         = "llm.kv_cache.waste.time"
	KVWasteEnergy       = "llm.kv_cache.waste.energy"
	KVSavedTokens       = "llm.kv_cache.saved.tokens"
	KVSavedTime         = "llm.kv_cache.saved.time"
	KVSavedPower        = "llm.kv_cache.saved.power"
	KVSavedTTFT         = "llm.kv_cache.saved.ttft"
)

// Point attributes of what the kv_fragmentation processor derives.
const (
	AttrKVUse      = "llm.kv.use"
	AttrHBMUse     = "llm.hbm.use"
	AttrKVWaste    = "llm.kv.waste"
	AttrCacheScale = "llm.cache.scale" // of the pool: 0.5, 1, 2, 4
)

// Values of AttrKVUse.
const (
	KVUseLive         = "live"
	KVUseTailWaste    = "tail_waste"
	KVUseReserved     = "reserved"
	KVUsePinned       = "pinned"
	KVUseCachedUseful = "cached_useful"
	KVUseCachedDead   = "cached_dead"
	KVUseFree         = "free"
	KVUseUnattributed = "unattributed"
)

// Values of AttrHBMUse.
const (
	HBMUseWeights      = "weights"
	HBMUseRuntime      = "runtime"
	HBMUseKVPool       = "kv_pool"
	HBMUseOther        = "other_process"
	HBMUseOutside      = "outside"
	HBMUseUnattributed = "unattributed"
)

// Values of AttrKVWaste.
const (
	WasteThrash     = "thrash"
	WastePreemption = "preemption"
	WasteLease      = "lease"
)

// Values of AttrMissCause that the kv_fragmentation processor gives.
const (
	MissCompulsory = "compulsory"
	MissCapacity   = "capacity"
	MissRouting    = "routing"
	MissReset      = "reset"
	MissLoaded     = "loaded"
	MissPartial    = "partial"
	MissUnknown    = "unknown"
)

// Values of AttrWaitReason that components look at.
const (
	WaitCapacity = "capacity"
	WaitDeferred = "deferred"
)

// KVFragmentationMetrics lists what the kv_fragmentation processor emits.
func KVFragmentationMetrics() []Metric {
	const c = "kv_fragmentation"
	use, scale, waste := []string{AttrKVUse}, []string{AttrCacheScale}, []string{AttrKVWaste}
	return append([]Metric{
		{KVTokens, Gauge, "{token}", use, c,
			"Room of the KV pool by use, in tokens; adds up to the pool. live: tokens of running requests, shared ones once; tail_waste: the rest of their last blocks; reserved: for KV on its way; pinned: prompts that wait to be fetched; cached_useful and cached_dead: held by nobody, and will be hit or evicted; unattributed: held by nobody, and not known what; free: without content."},
		{KVMemory, Gauge, "By", use, c, "The same in bytes, over all GPUs of the worker, where the bytes of a token's KV are known."},
		{KVTierTokens, Gauge, "{token}", []string{AttrCacheTier}, c, "Tokens cached in a tier below the GPU, as events show them."},
		{KVDuplicateMemory, Gauge, "By", nil, c,
			"Held by workers of the fleet beyond the first copy. On the resource of the fleet, and beside what the pools are used for: it is a part of it."},
		{HBMMemory, Gauge, "By", []string{AttrHBMUse}, c,
			"Memory of the worker's GPUs by use; adds up to it. outside is free or the driver's; unattributed is the engine's where pool or weights are not known."},
		{KVFragmentation, Gauge, "1", nil, c,
			"Share of the KV pool that serves no tokens, now or later: 1 - (live + cached_useful + free) / pool. Dead cache counts only while blocks are evicted, requests wait for blocks or are preempted."},
		{KVFreeLowest, Gauge, "1", nil, c, "Least share of the pool that was free in the last hour; absent in the first hour."},
		{KVHitRatio, Gauge, "1", []string{AttrCacheScope}, c, "Share of the prompt tokens looked up in a prefix cache that were found, over the trailing minute."},
		{KVHitRatioPredicted, Gauge, "1", scale, c,
			"Hit ratio of the GPU's cache if the pool were so many times its size, over the horizon; at 1 what it was."},
		{KVMissTokens, Sum, "{token}", []string{AttrMissCause}, c,
			"Prompt tokens not found, by why: compulsory (never seen), capacity (evicted), routing (never seen here, and another worker has it), reset (lost when the cache was cleared), loaded (from a lower tier), partial (in no full block), unknown."},
		{KVEvictedBlocks, Sum, "{block}", []string{AttrCacheTier}, c, "Cached blocks that were evicted, from events, or else as the engine counts them; without those that lay out of a sliding window."},
		{KVThrash, Gauge, "1", nil, c, "Share of the tokens stored that had been evicted shortly before, over the last three windows or 15 s."},
		{KVStorm, Gauge, "1", nil, c, "1 during an eviction storm, 0 outside; absent where it cannot be known."},
		{KVEvictionSurge, Gauge, "1", nil, c, "Rate of evictions over its median in calm windows of the last ten minutes."},
		{KVWasteTokens, Sum, "{token}", waste, c,
			"Tokens computed again that had been computed before: evicted too early (thrash), of preempted requests (preemption; with KV events only what no full block held, the rest is thrash), of prompts whose lease ended before they were fetched (lease)."},
		{KVWasteTime, Sum, "s", waste, c, "What they cost: GPU seconds where GPUs are joined, else worker seconds, at the price of a prompt token."},
		{KVWasteEnergy, Sum, "J", waste, c, "What they cost in energy."},
		{KVSavedTokens, Gauge, "{token}/s", scale, c, "Prompt tokens a second that would not be computed if the pool were so many times its size; below 0 for a smaller one."},
		{KVSavedTime, Gauge, "1", scale, c, "The same in GPU seconds a second, or worker seconds without joined GPUs."},
		{KVSavedPower, Gauge, "W", scale, c, "The same in joules a second."},
		{KVSavedTTFT, Gauge, "s", scale, c, "By how much the mean time to the first token would be less, by computing less; what queues would lose beyond it is not in it."},
		confidence(c),
		withheld(c),
	}, kvGroupMetrics()...)
}
