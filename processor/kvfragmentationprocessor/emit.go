package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor/internal/metadata"
)

// part is an amount and what it is of.
type part struct {
	name  string
	value float64
}

func (w *worker) builder(at pcommon.Timestamp, out pmetric.Metrics) *derive.Builder {
	return derive.NewBuilder(w.table, metadata.ScopeName, w.resource, pcommon.Timestamp(w.sums.started), at, &w.gauges, out)
}

// emit appends everything derived from one window.
func (w *worker) emit(win window.Window, d *derived, out pmetric.Metrics) {
	b := w.builder(pcommon.Timestamp(win.To), out)
	w.emitPool(b, d)
	w.emitTiers(b, win)
	w.emitHits(b)
	w.emitChurn(b, d)
	w.emitCurve(b, &d.curve)
	w.emitWaste(b)
	w.emitTrust(b, d)
	b.Finish()
}

// uses lists the parts of a pool that are known, and what is not divided.
func (p *pool) uses() []part {
	u := &p.use
	parts := []part{
		{signal.KVUseLive, u.Live}, {signal.KVUseTailWaste, u.TailWaste}, {signal.KVUseReserved, u.Reserved}, {signal.KVUsePinned, u.Pinned},
	}
	if p.freeKnown {
		parts = append(parts, part{signal.KVUseFree, u.Free})
	}
	if p.usefulKnown {
		return append(parts, part{signal.KVUseCachedUseful, u.CachedUseful}, part{signal.KVUseCachedDead, u.CachedDead})
	}
	return append(parts, part{signal.KVUseUnattributed, u.Unattributed})
}

func (w *worker) emitPool(b *derive.Builder, d *derived) {
	if p := &d.pool; p.known {
		for _, u := range p.uses() {
			b.Gauge(signal.KVTokens, u.value, signal.AttrKVUse, u.name)
		}
		if size := w.roomSize().bytes; size > 0 {
			for _, u := range p.uses() {
				b.Gauge(signal.KVMemory, u.value*size, signal.AttrKVUse, u.name)
			}
		} else {
			w.withhold(signal.KVMemory, reasonNoShape)
		}
		w.emitGroups(b, p)
		if p.lowestKnown {
			b.Gauge(signal.KVFreeLowest, p.lowest)
		}
		if p.scored {
			b.Gauge(signal.KVFragmentation, p.score)
		}
	}
	if !d.hbmKnown {
		return
	}
	for _, u := range []part{
		{signal.HBMUseWeights, d.hbm.Weights}, {signal.HBMUseRuntime, d.hbm.Runtime}, {signal.HBMUseKVPool, d.hbm.KVPool},
		{signal.HBMUseOther, d.hbm.OtherProcess}, {signal.HBMUseOutside, d.hbm.Outside}, {signal.HBMUseUnattributed, d.hbm.Unattributed},
	} {
		b.Gauge(signal.HBMMemory, u.value, signal.AttrHBMUse, u.name)
	}
}

// emitTiers appends what lower tiers hold, once they have held something.
func (w *worker) emitTiers(b *derive.Builder, win window.Window) {
	if !w.heard(win) {
		return
	}
	for t := kvcache.CPU; int(t) < kvcache.Tiers; t++ {
		if l := win.Levels[inResident+int(t)]; l.Seen {
			b.Gauge(signal.KVTierTokens, l.Mean*w.facts.blockSize, signal.AttrCacheTier, t.String())
		}
	}
}

func (w *worker) emitHits(b *derive.Builder) {
	t := &w.short
	for _, s := range []struct {
		scope       string
		looks, hits int
	}{{signal.CacheScopeLocal, inLookup, inHit}, {signal.CacheScopeExternal, inExternalLooks, inExternalHits}} {
		if looks := t.sum(s.looks); looks > 0 && t.sum(s.hits) >= 0 {
			b.Gauge(signal.KVHitRatio, min(1, t.sum(s.hits)/looks), signal.AttrCacheScope, s.scope)
		}
	}
	m := &w.sums.missed
	if m.Total() <= 0 {
		return
	}
	for _, c := range []part{
		{signal.MissCompulsory, m.Compulsory}, {signal.MissCapacity, m.Capacity}, {signal.MissRouting, m.Routing},
		{signal.MissReset, m.Reset}, {signal.MissLoaded, m.Loaded}, {signal.MissPartial, m.Partial}, {signal.MissUnknown, m.Unknown},
	} {
		b.Sum(signal.KVMissTokens, signal.AttrMissCause, c.name).SetDoubleValue(c.value)
	}
}

func (w *worker) emitChurn(b *derive.Builder, d *derived) {
	b.Sum(signal.KVEvictedBlocks, signal.AttrCacheTier, signal.TierDevice).SetIntValue(int64(math.Round(w.sums.evicted)))
	c := &d.churn
	if !c.given {
		return
	}
	if c.Known {
		b.Gauge(signal.KVThrash, c.Thrash)
	}
	storm := 0.0
	if c.Active {
		storm = 1
	}
	b.Gauge(signal.KVStorm, storm)
	if c.Surge > 0 {
		b.Gauge(signal.KVEvictionSurge, c.Surge)
	}
}

// scales are those of the pool that are asked about.
func scales() [4]float64 { return [4]float64{0.5, 1, 2, 4} }

func (w *worker) emitCurve(b *derive.Builder, c *curve) {
	if !c.given {
		return
	}
	now := c.HitRatio()
	var saved [4]float64 // tokens a second
	for i, scale := range scales() {
		predicted := c.Predicted(scale)
		saved[i] = (predicted - now) * c.lookups
		b.Gauge(signal.KVHitRatioPredicted, predicted, signal.AttrCacheScale, scaleName(scale))
	}
	gpus := float64(max(1, len(w.facts.gpus)))
	for _, m := range []struct {
		name  string
		known bool
		times float64
	}{
		{signal.KVSavedTokens, true, 1},
		{signal.KVSavedTime, c.price.seconds > 0, c.price.seconds},
		{signal.KVSavedPower, c.price.joules > 0, c.price.joules},
		{signal.KVSavedTTFT, c.price.seconds > 0 && c.requests > 0, c.price.seconds / gpus / max(c.requests, 1e-9)},
	} {
		for i, scale := range scales() {
			if m.known && scale != 1 {
				b.Gauge(m.name, finite(saved[i]*m.times), signal.AttrCacheScale, scaleName(scale))
			}
		}
	}
}

func scaleName(scale float64) string { return strconv.FormatFloat(scale, 'g', -1, 64) }

func (w *worker) emitWaste(b *derive.Builder) {
	names := [wastes]string{wasteThrash: signal.WasteThrash, wastePreemption: signal.WastePreemption, wasteLease: signal.WasteLease}
	for _, m := range []struct {
		name string
		of   func(wasted) (v float64, known bool)
	}{
		{signal.KVWasteTokens, func(v wasted) (float64, bool) { return v.tokens, v.tokens > 0 }},
		{signal.KVWasteTime, func(v wasted) (float64, bool) { return v.seconds.cost, v.seconds.tokens > 0 }},
		{signal.KVWasteEnergy, func(v wasted) (float64, bool) { return v.joules.cost, v.joules.tokens > 0 }},
	} {
		for i, of := range w.sums.waste {
			if v, known := m.of(of); known {
				b.Sum(m.name, signal.AttrKVWaste, names[i]).SetDoubleValue(v)
			}
		}
	}
}

// measured is the confidence of what is read, and not estimated.
const measured = 0.9

// emitTrust appends confidences of what was given and counts of what was withheld.
func (w *worker) emitTrust(b *derive.Builder, d *derived) {
	trust := func(given bool, estimate, method string, confidence float64) {
		if given {
			b.Gauge(signal.EstimateConfidence, confidence, signal.AttrEstimate, estimate, signal.AttrEstimateMethod, method)
		}
	}
	trust(d.pool.known, signal.KVTokens, d.pool.method, d.pool.confidence)
	token, weights := w.tokenSize(), w.weightSize()
	trust(d.pool.known && token.bytes > 0, signal.KVMemory, token.method, token.trust(d.pool.confidence))
	trust(d.hbmKnown && token.bytes > 0 && weights.bytes > 0, signal.HBMMemory, weights.method, token.trust(weights.trust(measured)))
	trust(d.pool.scored, signal.KVFragmentation, d.pool.method, d.pool.confidence)
	trust(d.churn.given && d.churn.Known, signal.KVThrash, methodRegret, 0.9)
	trust(d.curve.given, signal.KVHitRatioPredicted, methodDistance, d.curve.confidence)
	waste, sure := w.sums.wasteTrust()
	trust(sure > 0, signal.KVWasteTokens, waste, sure)
	m := &w.sums.missed
	trust(m.Total() > 0, signal.KVMissTokens, methodCauses, 0.9*(1-m.Unknown/max(m.Total(), 1)))
	for why, n := range w.sums.withheld {
		b.Sum(signal.EstimateWithheld, signal.AttrEstimate, why.estimate, signal.AttrReason, why.reason).SetIntValue(n)
	}
}
