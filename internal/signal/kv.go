package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the llm_engine receiver from KV cache events.
const (
	KVBlockStored     = "llm.engine.kv_cache.block.stored"
	KVBlockRemoved    = "llm.engine.kv_cache.block.removed"
	KVBlockResident   = "llm.engine.kv_cache.block.resident"
	KVBlockResidence  = "llm.engine.kv_cache.block.residence"
	KVReuseDistance   = "llm.engine.kv_cache.reuse.distance"
	KVReuseGap        = "llm.engine.kv_cache.reuse.gap"
	KVReuseTokens     = "llm.engine.kv_cache.reuse.tokens"
	KVStoredTokens    = "llm.engine.kv_cache.stored.tokens"
	KVRegretTokens    = "llm.engine.kv_cache.regret.tokens"
	KVRoutingTokens   = "llm.engine.kv_cache.routing_miss.tokens"
	KVHeldTokens      = "llm.engine.kv_cache.routing.held.tokens"
	KVHolderTokens    = "llm.engine.kv_cache.routing.holder.tokens"
	KVEventsKnown     = "llm.engine.kv_cache.events.known"
	KVEventGaps       = "llm.engine.kv_cache.events.gaps"
	KVEventResyncs    = "llm.engine.kv_cache.events.resyncs"
	KVUnknownRemovals = "llm.engine.kv_cache.block.removed_unknown"
	KVSamplingRate    = "llm.engine.kv_cache.reuse.sampling_rate"
	KVSeenHorizon     = "llm.engine.kv_cache.seen.horizon"
	KVDuplicates      = "llm.kv_cache.duplicate.tokens"
	KVDuplicateRatio  = "llm.kv_cache.duplicate.ratio"
	Coverage          = "llm.estimate.coverage"
	// SourceMissing is emitted by every receiver that knows an input which would sharpen an estimate and is off.
	SourceMissing   = "llm.source.missing"
	SourceMessages  = "llm.source.messages"
	SourceLost      = "llm.source.lost"
	SourceConnected = "llm.source.connected"
)

// Point attributes of what comes from streams.
const (
	AttrMissCause  = "llm.miss.cause"
	AttrSource     = "llm.source"
	AttrSourceHint = "llm.source.hint"
	AttrOutcome    = "outcome"
)

// Values of AttrSource.
const (
	SourceKVEvents      = "kv_events"
	SourceForwardPasses = "forward_passes"
)

// Values of AttrEstimate for what the receiver derives.
const (
	EstimateKVReuse      = "kv_reuse"
	EstimateKVDuplicates = "kv_duplicates"
)

// KVEventMetrics lists what the llm_engine receiver makes of KV cache events, and says of its streams.
func KVEventMetrics() []Metric {
	const c = "llm_engine"
	tier, source := []string{AttrCacheTier}, []string{AttrSource}
	return append([]Metric{
		{KVBlockStored, Sum, "{block}", tier, c, "Blocks that the engine told it stored: device (the GPU), host, disk, remote. Some tell blocks again that a request found."},
		{KVBlockRemoved, Sum, "{block}", tier, c, "Blocks that were evicted. A cache that is cleared evicts none."},
		{KVBlockResident, UpDownCounter, "{block}", tier, c,
			"Different blocks that are there. Left out while those of the tier are not known: each turns over by itself."},
		{KVBlockResidence, Histogram, "s", tier, c, "Storing of a block to its eviction."},
		{KVReuseDistance, Histogram, "{block}", nil, c,
			"LRU stack depth of every prompt block that was looked for: it is a hit in a cache of so many blocks. The last bucket has the blocks never seen, and those farther than its bound."},
		{KVReuseGap, Histogram, "s", nil, c,
			"How long ago a block that a request found had been used before, as far as events show it. With its count and the share of blocks that is looked at as for llm.engine.kv_cache.reuse.distance."},
		{KVReuseTokens, Sum, "{token}", nil, c,
			"Tokens of blocks that requests found, as far as events show it. A request that stores no block shows nothing."},
		{KVStoredTokens, Sum, "{token}", []string{AttrMissCause}, c,
			"Tokens stored, by why they were not there: compulsory (not seen within the horizon), capacity (evicted), reset (the cache was cleared), loaded (from a lower tier), concurrent (it was there: two requests at once, or told again), generated (output, no miss), unknown (events are missing)."},
		{KVRegretTokens, Sum, "{token}", nil, c, "Tokens stored again within the horizon of their block's eviction."},
		{KVRoutingTokens, Sum, "{token}", []string{AttrMissCause}, c,
			"Tokens stored while another worker of the fleet held their block, by why they were not here. They are among those stored."},
		{KVHeldTokens, Sum, "{token}", nil, c,
			"Prompt tokens that any worker of the fleet held in its GPU's cache when they were looked for here, as far as events show it."},
		{KVHolderTokens, Sum, "{token}", nil, c,
			"The same times the workers that held them. Over those and the number of workers it is the share that a route without regard to prefixes finds."},
		{KVEventsKnown, Gauge, "1", nil, c, "1 while the blocks resident in the GPU are known, 0 after lost events until the cache is cleared or has turned over, and while the engine is not heard: from the loss of its connection to the first message on the next."},
		{KVEventGaps, Sum, "{gap}", nil, c, "Times that events were lost or not understood, so that the blocks were not known."},
		{KVEventResyncs, Sum, "{resync}", nil, c, "Times that a tier's blocks were known again because it had turned over."},
		{KVUnknownRemovals, Sum, "{block}", nil, c,
			"Evicted blocks that nobody had stored: of before the first event or of lost events, or the second copy of a block that two requests computed at once."},
		{KVSamplingRate, Gauge, "1", nil, c, "Share of the blocks whose stack depth is measured; 1 is exact."},
		{KVSeenHorizon, Gauge, "s", nil, c, "How far back a forgotten block still counts as seen."},
		{KVDuplicates, Gauge, "{token}", nil, c, "Tokens that workers of the fleet hold beyond the first copy. On the resource of the fleet, with its coverage."},
		{KVDuplicateRatio, Gauge, "1", nil, c, "Share of the fleet's cached blocks that are further copies."},
		coverage(c),
		{SourceMessages, Sum, "{message}", []string{AttrSource, AttrOutcome}, c,
			"Messages of a stream: taken, replayed, duplicate, malformed (all or a part), foreign (events of a kind that is not known), refused (taken, but blocks of it found no memory), misframed, version, invalid; and replay_failed, requests for lost messages that brought less than was missing or were not made any more."},
		{SourceLost, Sum, "{message}", source, c, "Messages that are lost for good, as the gaps in their numbers show."},
		{SourceConnected, Gauge, "1", source, c, "1 while a stream's publisher is connected."},
	}, kvGroupEventMetrics()...)
}
