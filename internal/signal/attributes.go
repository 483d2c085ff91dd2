package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Resource attributes of a worker: one engine core, which is one data-parallel rank.
const (
	AttrServiceName       = "service.name"
	AttrServiceInstanceID = "service.instance.id" // host:port, with /dp<rank> where a target has several ranks, and #<model> where one rank serves several
	AttrEngineName        = "llm.engine.name"     // vllm, sglang, ...
	AttrModel             = "gen_ai.request.model"
	AttrFleetName         = "llm.fleet.name"
	AttrHostName          = "host.name"
	AttrRole              = "llm.engine.role" // on the resource only when known before the first emission (D3)
	AttrServerAddress     = "server.address"
	AttrServerPort        = "server.port"
	AttrObserver          = "llm.observer" // what tells of engines and is none: frontend, router, cache, transfer; absent for an engine
)

// Point attributes.
const (
	AttrRoleSource     = "llm.engine.role.source"
	AttrEngineVersion  = "llm.engine.version"
	AttrPhase          = "llm.phase"
	AttrWaitReason     = "llm.wait.reason"
	AttrFinishReason   = "llm.finish_reason"
	AttrErrorType      = "error.type"
	AttrTokenSource    = "llm.token.source"
	AttrTokenType      = "gen_ai.token.type"
	AttrCacheScope     = "llm.cache.scope"
	AttrCacheTier      = "llm.cache.tier"
	AttrIODirection    = "llm.io.direction"
	AttrKVBackend      = "llm.kv.backend"
	AttrFailure        = "llm.failure"
	AttrSpec           = "llm.spec"
	AttrEstimate       = "llm.estimate"
	AttrEstimateMethod = "llm.estimate.method"
	AttrReason         = "reason"
	AttrObjective      = "llm.objective.signal"
	AttrQuantile       = "quantile"
	AttrImplied        = "implied"
)

// Point attributes of what an engine says about its parts.
const (
	AttrRejectReason   = "llm.reject.reason"
	AttrLoRAState      = "llm.lora.state"
	AttrSleepState     = "llm.sleep.state"
	AttrSpecPosition   = "llm.spec.position" // of a token in its draft, from 0
	AttrToolMode       = "llm.tool.mode"
	AttrToolOutcome    = "llm.tool.outcome"
	AttrToolRequest    = "llm.tool.request_type"
	AttrLookupMode     = "llm.lookup.mode"
	AttrCacheResult    = "llm.cache.result"
	AttrStoreOperation = "llm.store.operation"
	AttrStoreStatus    = "llm.store.status"
	AttrStage          = "llm.stage"           // of a request, by the engine's name for it
	AttrKVState        = "llm.kv.state"        // of a KV block
	AttrKVPool         = "llm.kv.pool"         // full, swa, mamba: pools of a model whose layers differ
	AttrKVWait         = "llm.kv.wait"         // what a KV transfer waits for
	AttrDisaggQueue    = "llm.disagg.queue"    // of a disaggregated worker
	AttrMemoryUse      = "llm.memory.use"      // of memory that the engine took
	AttrCacheTierFrom  = "llm.cache.tier.from" // where blocks that move come from
)

// Attributes of EngineInfo that an engine's configuration tells.
const (
	AttrEngineVariant     = "llm.engine.variant"        // v0, v1 or rust for vLLM
	AttrCacheDataType     = "llm.engine.kv_cache.dtype" // of the KV cache, as configured
	AttrPrefixCaching     = "llm.engine.prefix_caching" // boolean
	AttrMemoryUtilization = "llm.engine.gpu_memory_utilization"
	AttrTensorParallel    = "llm.engine.parallel.tensor"   // GPUs that share each layer
	AttrPipelineParallel  = "llm.engine.parallel.pipeline" // groups of layers
	AttrDataType          = "llm.engine.dtype"             // of the weights
	AttrQuantization      = "llm.engine.quantization"
)

// Values of AttrPhase.
const (
	PhaseQueue        = "queue"
	PhasePrefill      = "prefill"
	PhaseDecode       = "decode"
	PhaseInference    = "inference"
	PhaseMixed        = "mixed" // prefill and decode in the same forward pass
	PhaseIdle         = "idle"
	PhaseUnattributed = "unattributed"
)

// Values of AttrRole and AttrRoleSource (D26).
const (
	RolePrefill    = "prefill"
	RoleDecode     = "decode"
	RoleAggregated = "aggregated"
	RoleEncode     = "encode"
	RoleRouter     = "router"
	RoleUnknown    = "unknown"

	RoleSourceConfig   = "config"
	RoleSourceLabel    = "label"
	RoleSourceK8s      = "k8s"
	RoleSourceEngine   = "engine"
	RoleSourceObserved = "observed"
)

// Values of AttrTokenSource.
const (
	TokenSourceLocalCompute = "local_compute"
	TokenSourceLocalHit     = "local_cache_hit"
	TokenSourceTransfer     = "external_kv_transfer"
)

// Values of AttrTokenType.
const (
	TokenTypeInput  = "input"
	TokenTypeOutput = "output"
)

// Values of AttrCacheScope.
const (
	CacheScopeLocal    = "local"
	CacheScopeExternal = "external"
)

// Values of AttrIODirection: read and write for memory, load (into the GPU) and store (out of it) for KV
// tiers, send and receive for transfers.
const (
	IORead  = "read"
	IOWrite = "write"
	IOLoad  = "load"
	IOStore = "store"
	IOSend  = "send"
	IOGet   = "receive"
)

// Values of AttrKVBackend.
const (
	KVBackendNIXL     = "nixl"
	KVBackendMooncake = "mooncake"
	KVBackendLMCache  = "lmcache"
	KVBackendEngine   = "engine" // the engine's own, which does not say what it moves KV with
)

// Values of AttrFailure.
const (
	FailureTransfer     = "transfer"
	FailureNotification = "notification"
	FailureExpired      = "expired"
	FailureBootstrap    = "bootstrap"
)

// Values of AttrFinishReason that components look at; engines have more.
const (
	FinishStop   = "stop"
	FinishLength = "length"
	FinishAbort  = "abort"
)

// Values of AttrCacheTier, from fast to slow: memory of the GPU, of the host, its disks, and what is shared over the network. Engines say
// gpu, cpu, external, storage and more; pages and KV events both come out with these.
const (
	TierDevice = "device"
	TierHost   = "host"
	TierDisk   = "disk"
	TierRemote = "remote"
)

// Values of AttrKVState.
const (
	KVUsed      = "used"
	KVFree      = "free"
	KVEvictable = "evictable"
)

// Values of AttrKVPool.
const (
	PoolFull  = "full"
	PoolSWA   = "swa"
	PoolMamba = "mamba"
)

// Values of AttrKVWait: for the other worker's request, and for blocks to receive.
const (
	WaitBootstrap = "bootstrap"
	WaitAlloc     = "alloc"
)

// Values of AttrDisaggQueue.
const (
	QueuePrefillBootstrap = "prefill_bootstrap"
	QueuePrefillInflight  = "prefill_inflight"
	QueueDecodePrealloc   = "decode_prealloc"
	QueueDecodeTransfer   = "decode_transfer"
)

// Values of AttrMemoryUse.
const (
	MemoryGPU     = "gpu"
	MemoryHost    = "host"
	MemoryPinned  = "pinned"
	MemoryWeights = "weights"
	MemoryKVPool  = "kv_pool"
	MemoryGraphs  = "graphs"
)

// Values of AttrObserver.
const (
	ObserverFrontend = "frontend"
	ObserverRouter   = "router"
	ObserverCache    = "cache"
	ObserverTransfer = "transfer"
)

// Sources lists the values of AttrSource.
func Sources() []string {
	return []string{
		SourceKVEvents, SourceForwardPasses, SourceKVResidency, SourceEffort, SourceNIXL, SourceTraces, SourceRequests, SourceIterations,
		SourceProcesses,
	}
}

// Further values of AttrSource.
const (
	SourceKVResidency = "kv_residency"
	SourceEffort      = "effort"
	SourceNIXL        = "nixl"
	SourceTraces      = "traces"
	SourceRequests    = "requests"
	SourceIterations  = "iterations"
)

// Values of AttrSpec.
const (
	SpecDrafted  = "drafted"
	SpecAccepted = "accepted"
	SpecEmitted  = "emitted"
)

// Values of AttrLoRAState.
const (
	LoRARunning = "running"
	LoRAWaiting = "waiting"
)

// Values of AttrLookupMode.
const (
	LookupSync  = "sync"
	LookupAsync = "async"
)

// Values of AttrCacheResult.
const (
	CacheHit  = "hit"
	CacheMiss = "miss"
	// Of blocks: what of a hit was reused.
	CacheFull    = "full"
	CachePartial = "partial"
)

// Values of AttrObjective.
const (
	ObjectiveTTFT = "ttft"
	ObjectiveITL  = "itl"
)
