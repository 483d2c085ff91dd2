package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// The counters of a worker that the estimators read.
const (
	inLookup = iota
	inHit
	inComputed   // prompt tokens computed here
	inLocalHit   // prompt tokens found in the GPU's cache
	inTransfer   // prompt tokens that came from elsewhere
	inPrompt     // all prompt tokens, where the engine does not tell their source
	inGenerated  // output tokens
	inFirstToken // requests that got their first token
	inPromptSize // of finished requests
	inOutputSize // of finished requests
	inInference  // time that finished requests ran
	inPreemptions
	inExpired  // KV that was given up before it was fetched
	inStored   // blocks in the GPU, from events
	inRemoved  // blocks, from events
	inPassed   // of those, the ones that lay out of a sliding window
	inEvicted  // blocks, as the engine counts them
	inDistance // stack depths
	inReuseGap
	inRegret
	inReuseTokens
	inLifetime // of sampled blocks
	inIdle     // likewise
	inStepPrefill
	inStepTime
	inStepSequences
	inStepContext
	inStoredBy      // tokens stored by kvcache.Cause, from here on
	inRoutedBy      = inStoredBy + kvcache.Causes
	inExternalLooks = inRoutedBy + kvcache.Causes // tokens looked up in caches beyond the GPU
	inExternalHits  = inExternalLooks + 1
	counters        = inExternalHits + 1
)

// The gauges of a worker that the estimators read.
const (
	inUsage = iota
	inRunning
	inDeferred // requests that wait for KV from another worker
	inCapacity // requests that wait for blocks
	inUsed     // blocks
	inEvictable
	inDecodeTokens
	inKnown
	inResident                              // blocks in each kvcache.Tier, from here on
	inGroup    = inResident + kvcache.Tiers // blocks in the GPU of each KV cache group, from here on
	gauges     = inGroup + kvcache.MaxGroups
)

// inputs tells which counter or gauge a point is.
func inputs() derive.Inputs { return derive.Inputs{Counter: counterOf, Gauge: gaugeOf} }

func counterOf(metric string, a pcommon.Map) int {
	switch metric {
	case signal.KVLookupTokens:
		return scoped(a, inLookup, inExternalLooks)
	case signal.KVHitTokens:
		return scoped(a, inHit, inExternalHits)
	case signal.TokensPrompt:
		return bySource(derive.Text(a, signal.AttrTokenSource))
	case signal.TokensGenerated:
		return inGenerated
	case signal.TTFT:
		return inFirstToken
	case signal.PhaseTime:
		return only(a, signal.AttrPhase, signal.PhaseInference, inInference)
	case signal.RequestTokens:
		return byType(derive.Text(a, signal.AttrTokenType))
	case signal.Preemptions:
		return inPreemptions
	case signal.KVTransferFailures:
		return only(a, signal.AttrFailure, signal.FailureExpired, inExpired)
	}
	if key := cacheCounterOf(metric, a); key >= 0 {
		return key
	}
	switch metric {
	case signal.StepPrefillTokens:
		return inStepPrefill
	case signal.StepTime:
		return inStepTime
	case signal.StepDecodeSequences:
		return inStepSequences
	case signal.StepDecodeKVTokens:
		return inStepContext
	}
	return -1
}

// cacheCounterOf tells so for what is said of blocks.
func cacheCounterOf(metric string, a pcommon.Map) int {
	switch metric {
	case signal.KVBlockStored:
		return onGPU(a, inStored)
	case signal.KVBlockRemoved:
		return onGPU(a, inRemoved)
	case signal.KVGroupPassed:
		return inPassed
	case signal.KVEvictions:
		return onGPU(a, inEvicted)
	case signal.KVReuseDistance:
		return inDistance
	case signal.KVReuseGap:
		return inReuseGap
	case signal.KVRegretTokens:
		return inRegret
	case signal.KVReuseTokens:
		return inReuseTokens
	case signal.KVStoredTokens:
		return byCause(a, inStoredBy)
	case signal.KVRoutingTokens:
		return byCause(a, inRoutedBy)
	case signal.KVBlockLifetime:
		return inLifetime
	case signal.KVBlockIdle:
		return inIdle
	}
	return -1
}

func gaugeOf(metric string, a pcommon.Map) int {
	switch metric {
	case signal.KVUtilization:
		return inUsage
	case signal.Running:
		return inRunning
	case signal.Waiting:
		switch derive.Text(a, signal.AttrWaitReason) {
		case signal.WaitDeferred:
			return inDeferred
		case signal.WaitCapacity:
			return inCapacity
		}
	case signal.KVBlocks:
		switch derive.Text(a, signal.AttrKVState) {
		case signal.KVUsed:
			return inUsed
		case signal.KVEvictable:
			return inEvictable
		}
	case signal.KVDecodeTokens:
		return inDecodeTokens
	case signal.KVEventsKnown:
		return inKnown
	case signal.KVGroupResident:
		if i, ok := groupOf(a); ok {
			return inGroup + i
		}
	case signal.KVBlockResident:
		if t, ok := tierOf(a); ok {
			return inResident + int(t)
		}
	}
	return -1
}

func scoped(a pcommon.Map, local, external int) int {
	if derive.Text(a, signal.AttrCacheScope) == signal.CacheScopeExternal {
		return external
	}
	return local
}

func bySource(source string) int {
	switch source {
	case "":
		return inPrompt
	case signal.TokenSourceLocalCompute:
		return inComputed
	case signal.TokenSourceLocalHit:
		return inLocalHit
	}
	return inTransfer
}

func byType(kind string) int {
	switch kind {
	case signal.TokenTypeInput:
		return inPromptSize
	case signal.TokenTypeOutput:
		return inOutputSize
	}
	return -1
}

func byCause(a pcommon.Map, first int) int {
	cause := derive.Text(a, signal.AttrMissCause)
	for i := range kvcache.Causes {
		if kvcache.Cause(i).String() == cause {
			return first + i
		}
	}
	return -1
}

func only(a pcommon.Map, key, value string, input int) int {
	if derive.Text(a, key) == value {
		return input
	}
	return -1
}

// onGPU tells an input that is of the GPU, or of no tier.
func onGPU(a pcommon.Map, input int) int {
	if t, ok := tierOf(a); ok && t != kvcache.GPU {
		return -1
	}
	return input
}

// tierOf reads the tier of a point.
func tierOf(a pcommon.Map) (kvcache.Tier, bool) {
	name := derive.Text(a, signal.AttrCacheTier)
	if name == "" {
		return kvcache.GPU, false
	}
	for i := range kvcache.Tiers {
		if t := kvcache.Tier(i); t.String() == name {
			return t, true
		}
	}
	return kvcache.External, true
}
