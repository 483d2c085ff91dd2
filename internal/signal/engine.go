package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the llm_engine receiver: what an engine said, in one vocabulary.
const (
	Up           = "up"
	EngineInfo   = "llm.engine.info"
	SourceDrift  = "llm.source.drift"
	TTFT         = "gen_ai.server.time_to_first_token"
	TPOT         = "gen_ai.server.time_per_output_token"
	RequestTime  = "gen_ai.server.request.duration"
	ITL          = "llm.engine.inter_token.latency"
	QueueTime    = "llm.engine.request.queue.duration"
	PhaseTime    = "llm.engine.request.phase.duration"
	Running      = "llm.engine.requests.running"
	Waiting      = "llm.engine.requests.waiting"
	RequestCount = "llm.engine.request.count"
	// RequestHandoffs is of prefill workers: what RequestCount has twice.
	RequestHandoffs = "llm.engine.request.handoffs"

	TokensPrompt = "llm.engine.tokens.prompt"
	// TokensUnaccounted holds an engine against itself: documents differ in whether its prompt tokens are those asked for or computed.
	TokensUnaccounted = "llm.engine.tokens.prompt.unaccounted"
	TokensCached      = "llm.engine.tokens.cached"
	TokensGenerated   = "llm.engine.tokens.generated"
	RequestTokens     = "llm.engine.request.tokens"
	ComputedTokens    = "llm.engine.request.prefill.computed_tokens"
	IterationTokens   = "llm.engine.iteration.tokens"
	Preemptions       = "llm.engine.preemptions"

	KVUtilization    = "llm.engine.kv_cache.utilization"
	KVCapacityTokens = "llm.engine.kv_cache.capacity.tokens"
	KVCapacityBlocks = "llm.engine.kv_cache.capacity.blocks"
	KVBlockSize      = "llm.engine.kv_cache.block_size"
	KVLookupTokens   = "llm.engine.kv_cache.lookup.tokens"
	KVHitTokens      = "llm.engine.kv_cache.hit.tokens"
)

// Metrics of the llm_engine receiver that only some engines, versions or flags produce.
const (
	Swapped            = "llm.engine.requests.swapped"
	SleepState         = "llm.engine.sleep.state"
	RequestPreemptions = "llm.engine.request.preemptions"
	RequestRejections  = "llm.engine.request.rejections"
	RequestCorrupted   = "llm.engine.request.corrupted"
	RequestMaxTokens   = "llm.engine.request.max_tokens"
	RequestLongest     = "llm.engine.request.longest_choice.tokens"
	RequestChoices     = "llm.engine.request.choices"
	RequestBestOf      = "llm.engine.request.best_of"
	ModelForwardTime   = "llm.engine.request.model.forward.duration"
	ModelExecuteTime   = "llm.engine.request.model.execute.duration"
	TokensRecomputed   = "llm.engine.tokens.recomputed"
	ToolCallParses     = "llm.engine.tool_call.parses"
	LoRAAdapters       = "llm.engine.lora.adapters"
	LoRAAdapterLimit   = "llm.engine.lora.adapters.limit"
	SpecTokens         = "llm.engine.spec_decode.tokens"
	SpecDrafts         = "llm.engine.spec_decode.drafts"
	SpecAcceptedTokens = "llm.engine.spec_decode.accepted_by_position.tokens"
	FLOPs              = "llm.engine.flops"
	MemoryIO           = "llm.engine.memory.io"
	MultimodalLookups  = "llm.engine.mm_cache.lookup.items"
	MultimodalHits     = "llm.engine.mm_cache.hit.items"
	KVSwapUtilization  = "llm.engine.kv_cache.swap.utilization"
	KVHitTierTokens    = "llm.engine.kv_cache.hit_by_tier.tokens"
	KVBlockLifetime    = "llm.engine.kv_cache.block.lifetime"
	KVBlockIdle        = "llm.engine.kv_cache.block.idle"
	KVBlockReuseGap    = "llm.engine.kv_cache.block.reuse_gap"
	KVTierIO           = "llm.engine.kv_cache.tier.io"
	KVTierIOTime       = "llm.engine.kv_cache.tier.io.duration"
	KVTierIOSize       = "llm.engine.kv_cache.tier.io.size"
	KVTierLookupTime   = "llm.engine.kv_cache.tier.lookup.duration"
	KVTierDeepLookup   = "llm.engine.kv_cache.tier.deep_lookup.duration"
	KVTierFailures     = "llm.engine.kv_cache.tier.allocation.failures"
	KVTierSkipped      = "llm.engine.kv_cache.tier.skipped.stores"
	KVTierPinned       = "llm.engine.kv_cache.tier.pinned"
	KVSparseLookups    = "llm.engine.kv_cache.sparse.lookups"
	KVSparseLoad       = "llm.engine.kv_cache.sparse.load"
	KVTransferTime     = "llm.engine.kv_transfer.duration"
	KVTransferPostTime = "llm.engine.kv_transfer.post.duration"
	KVTransferSize     = "llm.engine.kv_transfer.size"
	KVTransferPieces   = "llm.engine.kv_transfer.descriptors"
	KVTransferFailures = "llm.engine.kv_transfer.failures"
	KVStoreOperations  = "llm.engine.kv_store.operations"
	KVStoreTime        = "llm.engine.kv_store.operation.duration"
	KVStoreKeys        = "llm.engine.kv_store.keys"
	KVStoreFailedKeys  = "llm.engine.kv_store.failed_keys"
	KVStoreIO          = "llm.engine.kv_store.io"
)

// EngineMetrics lists what the llm_engine receiver emits.
func EngineMetrics() []Metric {
	all := append(targetMetrics(), requestMetrics()...)
	all = append(all, kvMetrics()...)
	all = append(all, rareRequestMetrics()...)
	all = append(all, rareKVMetrics()...)
	all = append(all, schedulerMetrics()...)
	return append(all, poolMetrics()...)
}

// targetMetrics are what the receiver itself says of a target and its worker.
func targetMetrics() []Metric {
	const c = "llm_engine"
	return []Metric{
		{Up, Gauge, "1", nil, c, "1 when the last scrape of the target succeeded, else 0."},
		{EngineInfo, Gauge, "1", []string{
			AttrEngineVersion, AttrEngineVariant, AttrRole, AttrRoleSource, AttrCacheDataType, AttrPrefixCaching, AttrMemoryUtilization,
			AttrTensorParallel, AttrPipelineParallel, AttrDataType, AttrQuantization}, c,
			"Always 1; the attributes are facts of the worker that can change while it runs. A fact nobody told is left out."},
		{SourceDrift, Sum, "{family}", []string{AttrEngineName}, c,
			"Metric families with the engine's prefix that the dialect does not know, and known ones that vanished, counted once each."},
		sourceMissing(c),
	}
}

func requestMetrics() []Metric {
	const c = "llm_engine"
	return []Metric{
		{TTFT, Histogram, "s", nil, c, "Arrival of a request to its first token."},
		{TPOT, Histogram, "s", nil, c, "Mean time per output token after the first, one sample per request."},
		{RequestTime, Histogram, "s", nil, c, "Arrival of a request to its last token."},
		{ITL, Histogram, "s", nil, c, "Time between two output tokens of a request, one sample per token after the first."},
		{QueueTime, Histogram, "s", nil, c, "Time a request waited before it was scheduled (last schedule where the engine re-schedules)."},
		{PhaseTime, Histogram, "s", []string{AttrPhase}, c,
			"Time of a request per phase: prefill (scheduled to first token), decode (first to last token), inference (both)."},
		{Running, UpDownCounter, "{request}", nil, c, "Requests in the running batch."},
		{Waiting, UpDownCounter, "{request}", []string{AttrWaitReason}, c,
			"Requests that wait. With a reason where the engine tells one: then the points add up to the total."},
		{RequestCount, Sum, "{request}", []string{AttrFinishReason}, c, "Requests finished, by reason."},
		{RequestHandoffs, Sum, "{request}", nil, c,
			"Requests that a prefill worker handed on, which the worker that decodes them counts too: a fleet finished the sum of llm.engine.request.count less the sum of these."},
		{TokensPrompt, Sum, "{token}", []string{AttrTokenSource}, c,
			"Prompt tokens. With their source where the engine tells it: then the points add up to the total."},
		{TokensUnaccounted, Gauge, "{token}", nil, c,
			"The engine's total of prompt tokens less its tokens by source, where the page has both: 0 while they add up. Else the two do not mean the same in this version."},
		{TokensCached, Sum, "{token}", []string{AttrCacheTier}, c, "Prompt tokens served from a cache."},
		{TokensGenerated, Sum, "{token}", nil, c, "Output tokens, the first token of a request included."},
		{RequestTokens, Histogram, "{token}", []string{AttrTokenType}, c, "Tokens per finished request, input and output."},
		{ComputedTokens, Histogram, "{token}", nil, c, "Prompt tokens computed (prompt less cached) per finished request."},
		{IterationTokens, Histogram, "{token}", nil, c,
			"Tokens credited to an engine step that produced output: its output tokens and the whole computed prompt of each request whose first token it produced."},
		{Preemptions, Sum, "{preemption}", nil, c, "Running requests that were preempted and will be computed again."},
	}
}

func kvMetrics() []Metric {
	const c = "llm_engine"
	return []Metric{
		{KVUtilization, Gauge, "1", nil, c, "Share of KV blocks that running requests hold (cached blocks nobody holds are not in it)."},
		{KVCapacityTokens, Gauge, "{token}", nil, c, "Tokens that the KV pool can hold."},
		{KVCapacityBlocks, Gauge, "{block}", nil, c, "Blocks of the KV pool; where layers of different kinds share it, a token takes several."},
		{KVBlockSize, Gauge, "{token}", nil, c, "Tokens per KV block."},
		{KVLookupTokens, Sum, "{token}", []string{AttrCacheScope}, c, "Tokens looked up in a prefix cache."},
		{KVHitTokens, Sum, "{token}", []string{AttrCacheScope}, c, "Tokens found in a prefix cache."},
	}
}

func rareRequestMetrics() []Metric {
	const c = "llm_engine"
	return []Metric{
		{Swapped, UpDownCounter, "{request}", nil, c, "Requests swapped out to host memory."},
		{SleepState, Gauge, "1", []string{AttrSleepState}, c, "1 for the state the engine is in, 0 for the others."},
		{RequestPreemptions, Histogram, "{preemption}", nil, c, "Preemptions per finished request."},
		{RequestRejections, Sum, "{request}", []string{AttrRejectReason}, c, "Requests refused at admission, by the limit that refused them."},
		{RequestCorrupted, Sum, "{request}", nil, c, "Requests whose logits were not numbers."},
		{RequestMaxTokens, Histogram, "{token}", nil, c, "Output tokens that a request allowed (max_tokens)."},
		{RequestLongest, Histogram, "{token}", nil, c, "Output tokens of the longest choice of a finished request."},
		{RequestChoices, Histogram, "{choice}", nil, c, "Choices that a request asked for (n)."},
		{RequestBestOf, Histogram, "{choice}", nil, c, "Choices that a request generated to select from (best_of)."},
		{ModelForwardTime, Histogram, "s", nil, c, "Time of a request in the model's forward pass."},
		{ModelExecuteTime, Histogram, "s", nil, c, "Time of a request in model execution: forward pass, synchronisation and sampling."},
		{TokensRecomputed, Sum, "{token}", nil, c, "Cached prompt tokens computed again because a prompt was found whole."},
		{ToolCallParses, Sum, "{call}", []string{AttrToolMode, AttrToolOutcome, AttrToolRequest}, c, "Runs of the tool-call parser."},
		{LoRAAdapters, UpDownCounter, "{adapter}", []string{AttrLoRAState}, c, "LoRA adapters with running and with waiting requests."},
		{LoRAAdapterLimit, Gauge, "{adapter}", nil, c, "LoRA adapters that can be active at once."},
		{SpecTokens, Sum, "{token}", []string{AttrSpec}, c, "Speculative decoding: tokens drafted, accepted of those, and emitted."},
		{SpecDrafts, Sum, "{draft}", nil, c, "Speculative decoding: drafts."},
		{SpecAcceptedTokens, Sum, "{token}", []string{AttrSpecPosition}, c, "Speculative decoding: accepted tokens by position in the draft."},
		{FLOPs, Sum, "{flop}", nil, c, "Floating-point operations per GPU, as the engine estimates them from the model's shape."},
		{MemoryIO, Sum, "By", []string{AttrIODirection}, c, "Bytes read from and written to GPU memory per GPU, as the engine estimates them."},
		{MultimodalLookups, Sum, "{item}", nil, c, "Items looked up in the multimodal cache."},
		{MultimodalHits, Sum, "{item}", nil, c, "Items found in the multimodal cache."},
	}
}

func rareKVMetrics() []Metric {
	const c = "llm_engine"
	direction := []string{AttrIODirection}
	store := []string{AttrKVBackend, AttrStoreOperation, AttrStoreStatus}
	return []Metric{
		{KVSwapUtilization, Gauge, "1", nil, c, "Share of the host swap space for KV blocks that is used."},
		{KVHitTierTokens, Sum, "{token}", []string{AttrCacheTier}, c,
			"Tokens found in a prefix cache at admission, by the tier that supplied them."},
		{KVBlockLifetime, Histogram, "s", nil, c, "Allocation of a sampled KV block to its eviction."},
		{KVBlockIdle, Histogram, "s", nil, c, "Last use of a sampled KV block to its eviction."},
		{KVBlockReuseGap, Histogram, "s", nil, c, "Time between two uses of a sampled KV block."},
		{KVTierIO, Sum, "By", direction, c, "KV bytes loaded from and stored to lower tiers."},
		{KVTierIOTime, Sum, "s", direction, c, "Time spent to load from and store to lower tiers."},
		{KVTierIOSize, Histogram, "By", direction, c, "Size of one load or store."},
		{KVTierLookupTime, Histogram, "s", []string{AttrLookupMode}, c,
			"Delay of a lookup in the offload tier: of the call (sync), or until a deferred lookup was resolved (async)."},
		{KVTierDeepLookup, Histogram, "s", []string{AttrLookupMode}, c, "The same for a lookup in the tiers below the offload tier."},
		{KVTierFailures, Sum, "{failure}", nil, c, "Stores that found no room in the offload tier."},
		{KVTierSkipped, Sum, "{store}", nil, c, "Stores to the offload tier that were skipped."},
		{KVTierPinned, Gauge, "1", direction, c,
			"Share of the offload tier that loads and stores pin. With a direction where the engine tells one: then the points add up to the total."},
		{KVSparseLookups, Sum, "{lookup}", []string{AttrCacheResult}, c, "Lookups in the hot buffer of sparse attention, by result."},
		{KVSparseLoad, Sum, "By", nil, c, "Bytes loaded from host memory for sparse attention."},
		{KVTransferTime, Histogram, "s", []string{AttrKVBackend, AttrIODirection}, c, "Duration of a KV transfer between workers, on the side that observes it."},
		{KVTransferPostTime, Histogram, "s", []string{AttrKVBackend}, c, "Time to post a KV transfer."},
		{KVTransferSize, Histogram, "By", []string{AttrKVBackend}, c, "Bytes per KV transfer."},
		{KVTransferPieces, Histogram, "{descriptor}", []string{AttrKVBackend}, c, "Descriptors per KV transfer."},
		{KVTransferFailures, Sum, "{transfer}", []string{AttrKVBackend, AttrFailure}, c,
			"KV transfers that failed, whose notification failed, or whose blocks expired unread."},
		{KVStoreOperations, Sum, "{operation}", store, c, "Operations on a distributed KV store."},
		{KVStoreTime, Histogram, "s", store, c, "Duration of one operation on a distributed KV store."},
		{KVStoreKeys, Sum, "{key}", store, c, "Keys of those operations."},
		{KVStoreFailedKeys, Sum, "{key}", store, c, "Keys of those operations that failed."},
		{KVStoreIO, Sum, "By", store, c, "Bytes of those operations."},
	}
}
