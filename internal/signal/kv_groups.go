package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of KV cache groups, of models whose layers differ, and of LoRA adapters. The receiver makes the first of KV events once it has
// heard of a second group or of an adapter, the kv_fragmentation processor the last two.
const (
	KVGroupResident   = "llm.engine.kv_cache.group.block.resident"
	KVGroupRemoved    = "llm.engine.kv_cache.group.block.removed"
	KVGroupPassed     = "llm.engine.kv_cache.group.block.passed"
	KVGroupFound      = "llm.engine.kv_cache.group.block.found"
	KVGroupBlockSize  = "llm.engine.kv_cache.group.block.size"
	KVGroupWindow     = "llm.engine.kv_cache.group.window"
	KVAdapterResident = "llm.engine.kv_cache.lora.resident.tokens"
	KVAdapterStored   = "llm.engine.kv_cache.lora.stored.tokens"
	KVAdapterFound    = "llm.engine.kv_cache.lora.reuse.tokens"

	KVGroupBlocks = "llm.kv_cache.group.blocks"
	KVGroupMemory = "llm.kv_cache.group.memory"
)

// Point attributes of groups and adapters. The kind of a group is in AttrKVPool.
const (
	AttrKVGroup  = "llm.kv.group"  // a KV cache group's number, from 0; at most 7: the last stands for all further ones
	AttrLoRAName = "llm.lora.name" // a LoRA adapter; at most 30 names, then other
)

// KVUseCached is what nobody holds, useful or dead, in AttrKVUse of a group's blocks.
const KVUseCached = "cached"

// KVLoRABase is the value of AttrLoRAName for requests without an adapter.
const KVLoRABase = "base"

// kvGroupEventMetrics lists those of the receiver.
func kvGroupEventMetrics() []Metric {
	const c = "llm_engine"
	group, adapter := []string{AttrKVGroup, AttrKVPool}, []string{AttrLoRAName}
	return []Metric{
		{KVGroupResident, UpDownCounter, "{block}", group, c, "Blocks that are in the GPU, of each KV cache group of a model that has several: a token lies in one block of each."},
		{KVGroupRemoved, Sum, "{block}", group, c, "Blocks that were evicted."},
		{KVGroupPassed, Sum, "{block}", group, c, "Those of them that lay out of the window of attention of all that was stored below them, so that nobody had use for them."},
		{KVGroupFound, Sum, "{block}", group, c,
			"Blocks that requests found, as far as events show it: of a sliding window those that it reaches. A token that is found lies in several groups; llm.engine.kv_cache.reuse.tokens counts it once."},
		{KVGroupBlockSize, Gauge, "{token}", group, c, "Tokens of a block."},
		{KVGroupWindow, Gauge, "{token}", group, c, "Tokens that a sliding window reaches."},
		{KVAdapterResident, UpDownCounter, "{token}", adapter, c, "Tokens in the GPU's cache by the LoRA adapter that they were computed with; base is none."},
		{KVAdapterStored, Sum, "{token}", adapter, c, "Tokens stored by adapter."},
		{KVAdapterFound, Sum, "{token}", adapter, c, "Tokens that requests found by adapter, as far as events show it."},
	}
}

// kvGroupMetrics lists those of the kv_fragmentation processor.
func kvGroupMetrics() []Metric {
	const c = "kv_fragmentation"
	group := []string{AttrKVGroup, AttrKVPool, AttrKVUse}
	return []Metric{
		{KVGroupBlocks, Gauge, "{block}", group, c,
			"Blocks of the pool by KV cache group, where a model has several: live, tail_waste and cached. With what is reserved, pinned and free, which is of no group, they add up to the pool."},
		{KVGroupMemory, Gauge, "By", group, c, "The same in bytes, over all GPUs of the worker."},
	}
}
