package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

const (
	methodDistance = "reuse_distance"
	methodRegret   = "regret"
	methodCauses   = "store_causes"
	methodLengths  = "mean_lengths" // requests times their mean length

	// leastReferences are needed for a curve.
	leastReferences = 1000
)

// churn is what a window says of evictions.
type churn struct {
	serving.KVStormState
	given bool
}

func (w *worker) churn(win window.Window, p *pool) (c churn) {
	evicted := win.Totals[inRemoved].Sum - win.Totals[inPassed].Sum
	if win.Covered[inRemoved] <= 0 {
		evicted = win.Totals[inEvicted].Sum
	}
	w.sums.evicted += max(0, evicted)
	switch {
	case w.facts.uncached:
		return c
	case !w.heard(win):
		w.withhold(signal.KVThrash, reasonNoEvents)
		return c
	case !w.eventsKnown(win):
		w.withhold(signal.KVThrash, reasonEventsLost)
		return c
	}
	stored := 0.0
	for i := range kvcache.Causes {
		stored += win.Totals[inStoredBy+i].Sum
	}
	c.KVStormState = w.storm.Add(serving.KVChurn{
		End: float64(win.To) / 1e9, Seconds: win.Seconds(), Stored: stored, Regret: win.Totals[inRegret].Sum, Evicted: evicted,
		Free: p.free, FreeKnown: p.known && p.freeKnown,
	})
	c.given = true
	return c
}

// curve is what another size of the pool would do.
type curve struct {
	serving.KVCurve
	given      bool
	confidence float64
	lookups    float64 // tokens a second
	requests   float64 // a second
	price      price
}

func (w *worker) curve(win window.Window) (c curve) {
	t := &w.long
	if w.facts.uncached {
		return c
	}
	distance := &t.totals[inDistance]
	c.KVCurve = serving.KVCurve{
		Reuse:     serving.KVReuse{Bounds: distance.Bounds, Counts: distance.Counts},
		BlockSize: w.facts.blockSize, Pool: w.facts.pool(w.engine),
	}
	prompts, computed := t.prompts()
	c.Lookups, c.Hits = prompts, t.sum(inLocalHit)
	if c.Hits <= 0 {
		c.Hits = t.sum(inHit)
	}
	switch {
	case c.Pool <= 0:
		w.withhold(signal.KVHitRatioPredicted, reasonNoPool)
		return c
	case !w.heard(win): // what was heard before fades while the lookups go on
		w.withhold(signal.KVHitRatioPredicted, reasonNoEvents)
		return c
	case t.known < warmUpShare*t.seconds:
		w.withhold(signal.KVHitRatioPredicted, reasonEventsLost)
		return c
	case t.seconds < warmUpShare*w.cfg.Horizon.Seconds() || c.Reuse.References() < leastReferences || c.Lookups <= 0:
		w.withhold(signal.KVHitRatioPredicted, reasonWarmingUp)
		return c
	}
	c.Cache = t.resident / t.known
	c.given = true
	c.lookups, c.requests = c.Lookups/t.seconds, t.count(inFirstToken)/t.seconds
	c.price = w.costs.of(computed, t.seconds)
	c.confidence = 0.9 * coverage(t.sum(inReuseTokens), c.Hits)
	return c
}

// coverage is how much of what the engine found the events have shown, or the other way round when they show more; 1 when there is little
// to find.
func coverage(shown, found float64) float64 {
	most := max(shown, found)
	if most < leastPriced {
		return 1
	}
	return min(shown, found) / most
}

// missed divides the window's misses by their causes.
func (w *worker) missed(win window.Window) {
	if w.facts.uncached {
		return
	}
	if !w.heard(win) {
		w.withhold(signal.KVMissTokens, reasonNoEvents)
		return
	}
	sum := func(key int) float64 { return win.Totals[key].Sum }
	stored := func(c kvcache.Cause) float64 { return sum(inStoredBy + int(c)) }
	routed := min(sum(inRoutedBy+int(kvcache.Compulsory)), stored(kvcache.Compulsory))
	_, computed := promptsOf(sum)
	divided := w.misses.Add(computed, win.Totals[inFirstToken].Count, w.facts.blockSize, serving.KVMisses{
		Compulsory: stored(kvcache.Compulsory) + stored(kvcache.Concurrent) - routed,
		Routing:    routed,
		Capacity:   stored(kvcache.Capacity),
		Reset:      stored(kvcache.Reset),
		Loaded:     stored(kvcache.Loaded),
		Unknown:    stored(kvcache.Unknown),
	})
	w.sums.missed.Add(divided)
}

// The kinds of waste.
const (
	wasteThrash = iota
	wastePreemption
	wasteLease
	wastes
)

// wasted is what was computed in vain.
type wasted struct {
	tokens  float64
	seconds priced
	joules  priced
}

// priced is what tokens cost. Those that came before a price was known are priced when it is.
type priced struct{ cost, tokens float64 }

// upTo prices tokens, which never fall, as far as they are not priced yet; 0 is no price.
func (p *priced) upTo(tokens, each float64) {
	if each > 0 {
		p.cost += (tokens - p.tokens) * each
		p.tokens = tokens
	}
}

// byLength is the confidence of waste that is reckoned as a number of requests times their mean length.
const byLength = 0.6

// wasteTrust is the confidence of the waste so far: what events told counts in full, the rest as reckoned; 0 without any.
func (s *sums) wasteTrust() (method string, confidence float64) {
	told, reckoned := s.waste[wasteThrash].tokens, s.waste[wastePreemption].tokens+s.waste[wasteLease].tokens
	if told+reckoned <= 0 {
		return "", 0
	}
	method = methodRegret
	if reckoned > 0 {
		method = methodLengths
	}
	return method, (measured*told + byLength*reckoned) / (told + reckoned)
}

// wasted adds what the window shows to have been computed again: blocks evicted too early; preempted requests; prompts whose lease ended,
// from their mean length.
func (w *worker) wasted(win window.Window) {
	prompts, _ := w.short.prompts()
	prompt := w.short.perRequest(prompts)
	length, _ := w.length(prompt)
	_, computed := w.long.prompts()
	cost := w.costs.of(computed, w.long.seconds)
	for i, tokens := range [wastes]float64{
		wasteThrash:     win.Totals[inRegret].Sum,
		wastePreemption: win.Totals[inPreemptions].Sum * w.again(win, length),
		wasteLease:      win.Totals[inExpired].Sum * prompt,
	} {
		v := &w.sums.waste[i]
		v.tokens += max(0, tokens)
		v.seconds.upTo(v.tokens, cost.seconds)
		v.joules.upTo(v.tokens, cost.joules)
	}
}

// again is how many tokens of a preempted request are computed again, beside those that thrash has. An engine that caches prefixes finds
// what it has not evicted meanwhile, and events show the blocks that it stores again: then it is what was in the last block, which no event
// shows. Otherwise it is taken for all of the request.
func (w *worker) again(win window.Window, length float64) float64 {
	if w.facts.uncached || !w.heard(win) {
		return length
	}
	return min(length, (w.facts.blockSize-1)/2)
}
