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
func inputs() derive.Inputs { return derive.NewInputs(counterOf, gaugeOf) }

// counterOf returns how points of the metric are told apart, nil where none is a counter.
func counterOf(metric string) derive.Pick {
	switch metric {
	case signal.KVLookupTokens:
		return scoped(inLookup, inExternalLooks)
	case signal.KVHitTokens:
		return scoped(inHit, inExternalHits)
	case signal.TokensPrompt:
		return derive.ByText(signal.AttrTokenSource, bySource)
	case signal.TokensGenerated:
		return derive.Always(inGenerated)
	case signal.TTFT:
		return derive.Always(inFirstToken)
	case signal.PhaseTime:
		return only(signal.AttrPhase, signal.PhaseInference, inInference)
	case signal.RequestTokens:
		return derive.ByText(signal.AttrTokenType, byType)
	case signal.Preemptions:
		return derive.Always(inPreemptions)
	case signal.KVTransferFailures:
		return only(signal.AttrFailure, signal.FailureExpired, inExpired)
	case signal.StepPrefillTokens:
		return derive.Always(inStepPrefill)
	case signal.StepTime:
		return derive.Always(inStepTime)
	case signal.StepDecodeSequences:
		return derive.Always(inStepSequences)
	case signal.StepDecodeKVTokens:
		return derive.Always(inStepContext)
	}
	return cacheCounterOf(metric)
}

// cacheCounterOf does so for what is said of blocks.
func cacheCounterOf(metric string) derive.Pick {
	switch metric {
	case signal.KVBlockStored:
		return onGPU(inStored)
	case signal.KVBlockRemoved:
		return onGPU(inRemoved)
	case signal.KVGroupPassed:
		return derive.Always(inPassed)
	case signal.KVEvictions:
		return onGPU(inEvicted)
	case signal.KVReuseDistance:
		return derive.Always(inDistance)
	case signal.KVReuseGap:
		return derive.Always(inReuseGap)
	case signal.KVRegretTokens:
		return derive.Always(inRegret)
	case signal.KVReuseTokens:
		return derive.Always(inReuseTokens)
	case signal.KVStoredTokens:
		return byCause(inStoredBy)
	case signal.KVRoutingTokens:
		return byCause(inRoutedBy)
	case signal.KVBlockLifetime:
		return derive.Always(inLifetime)
	case signal.KVBlockIdle:
		return derive.Always(inIdle)
	}
	return nil
}

// gaugeOf does so for gauges.
func gaugeOf(metric string) derive.Pick {
	switch metric {
	case signal.KVUtilization:
		return derive.Always(inUsage)
	case signal.Running:
		return derive.Always(inRunning)
	case signal.Waiting:
		return derive.ByText(signal.AttrWaitReason, byReason)
	case signal.KVBlocks:
		return derive.ByText(signal.AttrKVState, byState)
	case signal.KVDecodeTokens:
		return derive.Always(inDecodeTokens)
	case signal.KVEventsKnown:
		return derive.Always(inKnown)
	case signal.KVGroupResident:
		return func(a pcommon.Map) int {
			if i, ok := groupOf(a); ok {
				return inGroup + i
			}
			return -1
		}
	case signal.KVBlockResident:
		return func(a pcommon.Map) int {
			if t, ok := tierOf(a); ok {
				return inResident + int(t)
			}
			return -1
		}
	}
	return nil
}

func scoped(local, external int) derive.Pick {
	return derive.ByText(signal.AttrCacheScope, func(scope string) int {
		if scope == signal.CacheScopeExternal {
			return external
		}
		return local
	})
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

func byReason(reason string) int {
	switch reason {
	case signal.WaitDeferred:
		return inDeferred
	case signal.WaitCapacity:
		return inCapacity
	}
	return -1
}

func byState(state string) int {
	switch state {
	case signal.KVUsed:
		return inUsed
	case signal.KVEvictable:
		return inEvictable
	}
	return -1
}

func byCause(first int) derive.Pick {
	return derive.ByText(signal.AttrMissCause, func(cause string) int {
		for i := range kvcache.Causes {
			if kvcache.Cause(i).String() == cause {
				return first + i
			}
		}
		return -1
	})
}

func only(attribute, value string, input int) derive.Pick {
	return derive.ByText(attribute, func(text string) int {
		if text == value {
			return input
		}
		return -1
	})
}

// onGPU picks an input that is of the GPU, or of no tier.
func onGPU(input int) derive.Pick {
	return func(a pcommon.Map) int {
		if t, ok := tierOf(a); ok && t != kvcache.GPU {
			return -1
		}
		return input
	}
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
