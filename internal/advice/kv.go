package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Limits of the rules on the KV pool.
const (
	mostTail     = 0.08 // of the room of running requests that their last blocks leave empty
	leastHeld    = 0.1  // of the pool that must be held for that to matter
	contiguous   = 1024 // tokens of a block from which on a request has its KV in one piece
	pagedBlock   = 16   // tokens of a block that pages are made of
	mostDead     = 0.5  // of the pool
	littleGain   = 0.02 // of the hit ratio, from twice the pool
	muchGain     = 0.05
	mostThrash   = 0.2
	mostIdle     = 0.3 // of the pool
	mostOutside  = 0.1 // of the GPUs' memory
	hour         = 3600.0
	usedMost     = 0.9
	leaseSeconds = 480
)

// Reasons for which they withhold.
const (
	withheldNoPool  = "pool_not_divided"
	withheldNoCurve = "no_reuse_distances"
	withheldHour    = "less_than_an_hour"
)

// kvRules are those on what a worker's KV pool is used for.
func kvRules() []Rule {
	pool := []string{signal.KVTokens, signal.EngineInfo, signal.KVBlockSize, signal.Running, signal.Waiting, signal.RequestTokens}
	curve := append([]string{
		signal.KVHitRatioPredicted, signal.KVThrash, signal.KVSavedTokens, signal.KVSavedTime, signal.KVSavedPower, signal.KVSavedTTFT,
		signal.KVHitRatio, signal.EstimateConfidence,
	}, pool...)
	return []Rule{
		{ID: "kv-block-size", Subject: Worker, Inputs: pool, Check: checkBlockSize, Measure: tailShare},
		{ID: "kv-paging", Subject: Worker, Inputs: pool, Check: checkPaging, Measure: tailShare},
		{ID: "kv-max-length", Subject: Worker, Inputs: pool, Check: checkMaxLength, Measure: tailShare},
		{ID: "kv-larger-cache", Subject: Worker, Inputs: curve, Check: checkLargerCache, Measure: hitRatio},
		{ID: "kv-dead-cache", Subject: Worker, Inputs: curve, Check: checkDeadCache, Measure: requestsWaiting},
		{ID: "kv-idle-pool", Subject: Worker, Inputs: append(pool, signal.KVFreeLowest), Check: checkIdlePool},
		{
			ID: "kv-memory-share", Subject: Worker, Check: checkMemoryShare, Measure: requestsWaiting,
			Inputs: []string{signal.HBMMemory, signal.KVUtilization, signal.Waiting, signal.EngineInfo},
		},
		{ID: "kv-lease", Subject: Worker, Inputs: []string{signal.KVTransferFailures, signal.EngineInfo}, Check: checkLease, Measure: expiredPerMinute},
		{
			ID: "kv-prefix-caching", Subject: Fleet, Check: checkPrefixCaching, Measure: fleetHitRatio,
			Inputs: []string{signal.EngineInfo, signal.KVLookupTokens, signal.KVHitTokens},
		},
		{
			ID: "kv-prefix-routing", Subject: Fleet, Check: checkPrefixRouting, Measure: fleetHitRatio,
			Inputs: []string{signal.KVRoutingTokens, signal.KVLookupTokens, signal.KVHitTokens, signal.KVDuplicateRatio, signal.KVTokens, signal.KVHeldTokens, signal.KVHolderTokens},
		},
	}
}

// use is the share of the pool that has a use, over the trailing time.
func (r *Reading) use(uses ...string) (share float64, ok bool) {
	total, ok := r.Mean(signal.KVTokens)
	if !ok || total <= 0 {
		return 0, false
	}
	sum := 0.0
	for _, use := range uses {
		v, known := r.Mean(signal.KVTokens, signal.AttrKVUse, use)
		if !known {
			return 0, false
		}
		sum += v
	}
	return sum / total, true
}

// tailShare is the share of running requests' room that their last blocks leave empty.
func tailShare(r *Reading) (float64, bool) {
	tail, ok := r.use(signal.KVUseTailWaste)
	held, known := r.use(signal.KVUseLive, signal.KVUseTailWaste)
	if !ok || !known || held <= 0 {
		return 0, false
	}
	return tail / held, true
}

// tail is what the rules on blocks look at.
type tail struct {
	share, block float64 // share of the room of running requests; tokens
	length       float64 // of a running request, tokens
}

// wasteful returns the tail of a worker's requests if it is large; false with the answer otherwise.
func wasteful(r *Reading) (t tail, answer Outcome, ok bool) {
	share, known := tailShare(r)
	held, _ := r.use(signal.KVUseLive, signal.KVUseTailWaste)
	block, sized := r.Level(signal.KVBlockSize)
	live, _ := r.Mean(signal.KVTokens, signal.AttrKVUse, signal.KVUseLive)
	running, _ := r.Mean(signal.Running)
	switch {
	case !known || !sized:
		return t, Withhold(withheldNoPool), false
	case r.Observed() < fullWindow:
		return t, Withhold(withheldEarly), false
	case held < leastHeld || running <= 0 || live <= 0 || !r.Over(share, mostTail):
		return t, Nothing(), false
	}
	return tail{share, block, live / running}, Outcome{}, true
}

// after is the share with blocks of another size, for lengths that are even over a block.
func (t tail) after(block float64) float64 {
	empty := (block - 1) / 2
	if block > t.length {
		empty = block - t.length
	}
	return empty / (t.length + empty)
}

// finding says that blocks of another size would leave less room empty.
func (t tail) finding(r *Reading, title string, block float64, action Action) Outcome {
	to := t.after(block)
	if to > 0.8*t.share {
		return Nothing()
	}
	running, _ := r.Mean(signal.Running)
	waiting, _ := r.Mean(signal.Waiting)
	severity := Info
	if waiting >= 1 {
		severity = Warning
	}
	return Found(Finding{
		Severity: severity, Title: title, Confidence: 0.8,
		Evidence: []Quantity{
			Quantity{Name: "Room of running requests that is empty", Value: t.share, Unit: "1", Metric: signal.KVTokens}.Against(mostTail),
			{Name: "Block size", Value: t.block, Unit: "{token}", Metric: signal.KVBlockSize},
			{Name: "Mean length of a running request", Value: t.length, Unit: "{token}", Metric: signal.KVTokens},
			{Name: "Requests running", Value: running, Unit: "{request}", Metric: signal.Running},
			{Name: "Requests waiting", Value: waiting, Unit: "{request}", Metric: signal.Waiting},
		},
		Action:    action,
		Predicted: &Effect{Name: "room of running requests that is empty", Unit: "1", From: t.share, To: to, Low: to / 2, High: min(1, 1.5*to+0.02)},
	})
}

// checkBlockSize finds blocks that are large for the requests in them.
func checkBlockSize(r *Reading) Outcome {
	t, answer, ok := wasteful(r)
	if !ok {
		return answer
	}
	if t.block <= pagedBlock || t.block >= contiguous {
		return Nothing() // no smaller block, or another rule's
	}
	return t.finding(r, "Blocks of the KV cache are large for these requests.", pagedBlock, Action{
		Text:   "Use smaller blocks; in a model with layers of several kinds, look at the padding of the page first.",
		Change: r.Change(BlockSize, pagedBlock), Where: r.Engine(), Levers: []Lever{{Fact: signal.KVBlockSize, Rise: -1}},
	})
}

// checkPaging finds an engine that gives each request room for the longest context in one piece.
func checkPaging(r *Reading) Outcome {
	t, answer, ok := wasteful(r)
	if !ok {
		return answer
	}
	if t.block < contiguous {
		return Nothing()
	}
	return t.finding(r, "Each request reserves room for the longest context in one piece.", pagedBlock, Action{
		Text:   "Use paged attention, which hands out small blocks as a request grows.",
		Change: r.Change(BlockSize, pagedBlock), Where: r.Engine(), Levers: []Lever{{Fact: signal.KVBlockSize, Rise: -1}},
	})
}

// checkMaxLength finds an engine that reserves room by the longest context, which hardly any request comes near.
func checkMaxLength(r *Reading) Outcome {
	t, answer, ok := wasteful(r)
	if !ok {
		return answer
	}
	input, a := r.Histogram(signal.RequestTokens, signal.AttrTokenType, signal.TokenTypeInput)
	output, b := r.Histogram(signal.RequestTokens, signal.AttrTokenType, signal.TokenTypeOutput)
	longest, c := input.Quantile(0.999)
	answered, d := output.Quantile(0.999)
	if known := a && b && c && d; t.block < contiguous || !known || longest.Over || answered.Over {
		return Nothing()
	}
	need := math.Exp2(math.Ceil(math.Log2(longest.Value + answered.Value)))
	if need > t.block/2 {
		return Nothing()
	}
	return t.finding(r, "No request comes near the longest context that room is reserved for.", need, Action{
		Text:   fmt.Sprintf("Allow contexts of at most %.0f tokens.", need),
		Change: r.Change(MaxLength, int(need)), Where: r.Engine(), Levers: []Lever{{Fact: signal.KVBlockSize, Rise: -1}},
	})
}

// gain is by how much twice the pool would better the hit ratio.
func (r *Reading) gain() (now, twice float64, ok bool) {
	now, a := r.Level(signal.KVHitRatioPredicted, signal.AttrCacheScale, "1")
	twice, b := r.Level(signal.KVHitRatioPredicted, signal.AttrCacheScale, "2")
	return now, twice, a && b
}

func hitRatio(r *Reading) (float64, bool) {
	return r.Mean(signal.KVHitRatio, signal.AttrCacheScope, signal.CacheScopeLocal)
}

// saved lists what a pool of so many times the size would save.
func (r *Reading) saved(scale string) (qs []Quantity) {
	for _, q := range []Quantity{
		{Name: "Prompt tokens saved", Unit: "{token}/s", Metric: signal.KVSavedTokens},
		{Name: "GPU seconds saved a second", Unit: "1", Metric: signal.KVSavedTime},
		{Name: "Power saved", Unit: "W", Metric: signal.KVSavedPower},
		{Name: "TTFT saved by computing less", Unit: "s", Metric: signal.KVSavedTTFT},
	} {
		if v, ok := r.Level(q.Metric, signal.AttrCacheScale, scale); ok {
			q.Value = v
			qs = append(qs, q)
		}
	}
	return qs
}

// checkLargerCache finds a cache that evicts what it computes again, and that twice the room would help.
func checkLargerCache(r *Reading) Outcome {
	now, twice, ok := r.gain()
	thrash, known := r.Mean(signal.KVThrash)
	switch {
	case !ok || !known:
		return Withhold(withheldNoCurve)
	case !r.Over(twice-now, muchGain) || !r.Over(thrash, mostThrash):
		return Nothing()
	}
	severity := Warning
	if thrash > 0.5 {
		severity = Critical
	}
	return Found(Finding{
		Severity: severity, Title: "Cached blocks are evicted and computed again.", Confidence: r.Confidence(signal.KVHitRatioPredicted),
		Evidence: append([]Quantity{
			Quantity{Name: "Stored again soon after eviction", Value: thrash, Unit: "1", Metric: signal.KVThrash}.Against(mostThrash),
			{Name: "Hit ratio", Value: now, Unit: "1", Metric: signal.KVHitRatioPredicted},
			{Name: "Hit ratio with twice the pool", Value: twice, Unit: "1", Metric: signal.KVHitRatioPredicted},
		}, r.saved("2")...),
		Action: Action{
			Text:   "Add a tier of host memory or disk below the cache (LMCache, or the engine's own offloading) of the pool's size, or route requests by prefix.",
			Change: r.Change(OffloadTier, nil), Where: r.Engine(), Levers: []Lever{{Fact: signal.KVCapacityTokens, Rise: 1}},
		},
		Predicted: &Effect{Name: "hit ratio", Unit: "1", From: now, To: twice, Low: max(now, twice-0.1), High: min(1, twice+0.1)},
	})
}

// checkDeadCache finds a cache that nobody would miss while requests wait for a place in the batch.
func checkDeadCache(r *Reading) Outcome {
	dead, ok := r.use(signal.KVUseCachedDead)
	now, twice, known := r.gain()
	waiting, _ := r.Mean(signal.Waiting)
	running, _ := r.Mean(signal.Running)
	held, _ := r.use(signal.KVUseLive, signal.KVUseTailWaste, signal.KVUseReserved, signal.KVUsePinned)
	switch {
	case !ok || !known:
		return Withhold(withheldNoCurve)
	case !r.Over(dead, mostDead) || twice-now >= littleGain || waiting < 1 || running < 1 || held <= 0:
		return Nothing()
	}
	// What a request holds now is what a further one will: the dead part of the pool has room for so many.
	room := int(running * (1 + 0.8*dead/held))
	return Found(Finding{
		Severity: Warning, Title: "Requests wait while most of the KV pool holds what nobody asks for.", Confidence: 0.8,
		Evidence: []Quantity{
			Quantity{Name: "Pool that is dead cache", Value: dead, Unit: "1", Metric: signal.KVTokens}.Against(mostDead),
			{Name: "Hit ratio gained by twice the pool", Value: twice - now, Unit: "1", Metric: signal.KVHitRatioPredicted},
			{Name: "Requests waiting", Value: waiting, Unit: "{request}", Metric: signal.Waiting},
			{Name: "Requests running", Value: running, Unit: "{request}", Metric: signal.Running},
		},
		Action: Action{
			Text: fmt.Sprintf("Let more requests run at once: the pool has room for %d.", room), Change: r.Change(MaxSequences, room), Where: r.Engine(),
		},
		Predicted: &Effect{Name: "requests waiting", Unit: "{request}", From: waiting, To: 0, Low: 0, High: max(1, waiting/2)},
	})
}

func requestsWaiting(r *Reading) (float64, bool) { return r.Mean(signal.Waiting) }
