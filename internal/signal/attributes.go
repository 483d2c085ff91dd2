package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Resource attributes of a worker: one engine core, which is one data-parallel rank.
const (
	AttrServiceName       = "service.name"
	AttrServiceInstanceID = "service.instance.id" // host:port, with /dp<rank> where a target has several ranks
	AttrEngineName        = "llm.engine.name"     // vllm, sglang, ...
	AttrModel             = "gen_ai.request.model"
	AttrFleetName         = "llm.fleet.name"
	AttrHostName          = "host.name"
	AttrRole              = "llm.engine.role" // on the resource only when known before the first emission (D3)
	AttrServerAddress     = "server.address"
	AttrServerPort        = "server.port"
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
)

// Attributes of EngineInfo that an engine's configuration tells.
const (
	AttrEngineVariant     = "llm.engine.variant"        // v0, v1 or rust for vLLM
	AttrCacheDataType     = "llm.engine.kv_cache.dtype" // of the KV cache, as configured
	AttrPrefixCaching     = "llm.engine.prefix_caching" // boolean
	AttrMemoryUtilization = "llm.engine.gpu_memory_utilization"
)

// Values of AttrPhase.
const (
	PhaseQueue        = "queue"
	PhasePrefill      = "prefill"
	PhaseDecode       = "decode"
	PhaseInference    = "inference"
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

// Values of AttrIODirection: read and write for memory, load (into the GPU) and store (out of it) for KV tiers.
const (
	IORead  = "read"
	IOWrite = "write"
	IOLoad  = "load"
	IOStore = "store"
)

// Values of AttrKVBackend.
const (
	KVBackendNIXL     = "nixl"
	KVBackendMooncake = "mooncake"
)

// Values of AttrFailure.
const (
	FailureTransfer     = "transfer"
	FailureNotification = "notification"
	FailureExpired      = "expired"
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
)

// Values of AttrObjective.
const (
	ObjectiveTTFT = "ttft"
	ObjectiveITL  = "itl"
)
