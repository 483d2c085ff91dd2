package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the llm_engine receiver that SGLang, TensorRT-LLM, Dynamo and others have beyond vLLM's: the scheduler's and the
// requests'.
const (
	RequestErrors       = "llm.engine.request.errors"
	RequestStageTime    = "llm.engine.request.stage.duration"
	RequestCachedTokens = "llm.engine.request.cached_tokens"
	Scheduled           = "llm.engine.requests.scheduled"
	RunningLimit        = "llm.engine.requests.running.limit"
	DisaggQueue         = "llm.engine.disagg.queue"
	PhaseBusyTime       = "llm.engine.phase.busy_time"
	Iterations          = "llm.engine.iteration.count"
	IterationTime       = "llm.engine.iteration.duration"
	IterationPrefill    = "llm.engine.iteration.prefill.tokens"
	SpecAcceptLength    = "llm.engine.spec_decode.accept_length"
	MemoryUsage         = "llm.engine.memory.usage"
	ContextLimit        = "llm.engine.context.limit"
)

// Metrics of the llm_engine receiver about the KV pools and transfers of those engines, and about caches beside them.
const (
	KVBlocks             = "llm.engine.kv_cache.blocks"
	KVPoolUtilization    = "llm.engine.kv_cache.pool.utilization"
	KVDecodeTokens       = "llm.engine.kv_cache.decode.tokens"
	KVEvictions          = "llm.engine.kv_cache.evictions"
	KVEvictionTime       = "llm.engine.kv_cache.eviction.duration"
	KVReuse              = "llm.engine.kv_cache.reuse.blocks"
	KVCopies             = "llm.engine.kv_cache.copy"
	KVTierUtilization    = "llm.engine.kv_cache.tier.utilization"
	KVTierUsed           = "llm.engine.kv_cache.tier.used.tokens"
	KVTierCapacity       = "llm.engine.kv_cache.tier.capacity.tokens"
	KVTierMoves          = "llm.engine.kv_cache.tier.moves"
	KVTierDropped        = "llm.engine.kv_cache.tier.dropped.tokens"
	KVTransferThroughput = "llm.engine.kv_transfer.throughput"
	KVTransferWait       = "llm.engine.kv_transfer.wait.duration"
	KVTransferIO         = "llm.engine.kv_transfer.io"
	KVTransferCount      = "llm.engine.kv_transfer.count"
	KVTransferTotalTime  = "llm.engine.kv_transfer.time"
	KVStoreUsage         = "llm.engine.kv_store.usage"
	KVStoreCapacity      = "llm.engine.kv_store.capacity"
	KVStoreEntries       = "llm.engine.kv_store.entries"
)

func schedulerMetrics() []Metric {
	const c = "llm_engine"
	return []Metric{
		{RequestErrors, Sum, "{request}", []string{AttrErrorType}, c, "Requests that failed."},
		{RequestStageTime, Histogram, "s", []string{AttrStage}, c,
			"Time of a request in a stage of its way through the engine, by the engine's name for the stage. Stages may overlap."},
		{RequestCachedTokens, Histogram, "{token}", nil, c, "Prompt tokens served from a cache per request."},
		{Scheduled, UpDownCounter, "{request}", []string{AttrPhase}, c, "Requests in the last iteration, by what it did for them."},
		{RunningLimit, Gauge, "{request}", nil, c, "Requests that may run at once."},
		{DisaggQueue, UpDownCounter, "{request}", []string{AttrDisaggQueue}, c,
			"Requests between prefill and decode workers: waiting for the other side, for their KV to leave, for blocks, for their KV to come."},
		{PhaseBusyTime, Sum, "s", []string{AttrPhase}, c,
			"Time of forward passes, as the engine measures it, by what they did; mixed ones did prefill and decode."},
		{Iterations, Sum, "{iteration}", []string{AttrPhase}, c, "Forward passes."},
		{IterationTime, Gauge, "s", nil, c, "Duration of the last iteration."},
		{IterationPrefill, Histogram, "{token}", nil, c, "Prompt tokens computed in an iteration that had some."},
		{SpecAcceptLength, Gauge, "{token}", nil, c,
			"Speculative decoding: tokens per draft and sequence that were kept, the model's own included, as of the engine's last look."},
		{MemoryUsage, Gauge, "By", []string{AttrMemoryUse}, c, "Memory that the engine says it uses, by use. Uses may contain each other."},
		{ContextLimit, Gauge, "{token}", nil, c, "Longest context of a request, prompt and output."},
	}
}

func poolMetrics() []Metric {
	const c = "llm_engine"
	backend := []string{AttrKVBackend}
	return []Metric{
		{KVBlocks, UpDownCounter, "{block}", []string{AttrKVState}, c,
			"KV blocks that requests hold (used), that are free, and that are cached and can be evicted where the engine tells these apart."},
		{KVPoolUtilization, Gauge, "1", []string{AttrKVPool}, c, "Share in use of each KV pool, of models whose layers have several kinds."},
		{KVDecodeTokens, UpDownCounter, "{token}", nil, c, "Lengths of all sequences in decode, added up: their live KV."},
		{KVEvictions, Sum, "{block}", []string{AttrCacheTier}, c, "Cached KV blocks that were evicted, by the tier that lost them."},
		{KVEvictionTime, Histogram, "s", nil, c, "Duration of one eviction."},
		{KVReuse, Sum, "{block}", []string{AttrCacheResult}, c,
			"KV blocks of prompts by what the cache had of them: full, partial (the rest of the block is copied or computed), miss."},
		{KVCopies, Sum, "By", nil, c, "KV bytes copied inside the GPU, when a block is reused in part."},
		{KVTierUtilization, Gauge, "1", []string{AttrCacheTier}, c, "Share in use of a lower tier of the KV cache."},
		{KVTierUsed, Gauge, "{token}", []string{AttrCacheTier}, c, "Tokens in a lower tier of the KV cache."},
		{KVTierCapacity, Gauge, "{token}", []string{AttrCacheTier}, c, "Tokens that a lower tier of the KV cache can hold."},
		{KVTierMoves, Sum, "{block}", []string{AttrIODirection, AttrCacheTierFrom, AttrCacheTier}, c, "KV blocks moved from one tier to another."},
		{KVTierDropped, Sum, "{token}", []string{AttrReason}, c, "Tokens that left the cache without a copy in a lower tier."},
		{KVTransferThroughput, Histogram, "By/s", backend, c, "Throughput of a KV transfer between workers."},
		{KVTransferWait, Histogram, "s", []string{AttrKVBackend, AttrKVWait}, c, "Time a KV transfer waits: for the other side, and for blocks."},
		{KVTransferIO, Sum, "By", []string{AttrKVBackend, AttrIODirection}, c, "KV bytes moved between workers."},
		{KVTransferCount, Sum, "{transfer}", []string{AttrKVBackend, AttrIODirection}, c, "KV transfers between workers."},
		{KVTransferTotalTime, Sum, "s", backend, c, "Time of all KV transfers together, of engines that have no distribution of it."},
		{KVStoreUsage, UpDownCounter, "By", backend, c, "Bytes in a distributed KV store."},
		{KVStoreCapacity, UpDownCounter, "By", backend, c, "Bytes that a distributed KV store can hold."},
		{KVStoreEntries, UpDownCounter, "{key}", backend, c, "Keys in a distributed KV store."},
	}
}
