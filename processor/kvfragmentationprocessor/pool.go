package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// Methods by which a pool is divided. Those of its blocks; with forward passes the lengths of requests are known too.
const (
	methodEvents       = "kv_events"
	methodEventsPasses = "kv_events_and_passes"
	methodEngine       = "engine_blocks"  // the engine tells cached blocks from free ones
	methodNoCache      = "no_cache"       // prefix caching is off
	methodResidency    = "residency"      // what was written tells the cached blocks, sampled residency which are of use
	methodCounters     = "written_tokens" // what was written tells the cached blocks
)

// Reasons why something is withheld.
const (
	reasonNoPool     = "no_pool"     // size of the pool or what is held of it is not known
	reasonNoEvents   = "no_events"   // it takes KV events
	reasonEventsLost = "events_lost" // KV events were lost and what is resident is not known
	reasonNoReuse    = "no_reuse"    // nothing tells whether cached blocks are used again
	reasonWarmingUp  = "warming_up"
	reasonNoShape    = "no_shape" // bytes of a token's KV are not known
	reasonStale      = "stale"    // a prefill worker whose pool is looked at when it computes, and it does not most of the time
)

const (
	// hopeless is the standard deviation of a use, as a share of the pool, at which nothing is known of the pool.
	hopeless = 0.1
	// leastKnown is the share of the pool that must be explained for a score.
	leastKnown = 0.9
	// leastSampled evictions of sampled blocks say how long blocks lie idle.
	leastSampled = 30
	// warmUpShare of the horizon must be seen before reuse says anything.
	warmUpShare = 0.2
)

// pool is what a window says of the pool.
type pool struct {
	known      bool
	use        serving.KVUse // tokens
	method     string
	confidence float64
	score      float64
	scored     bool
	free       float64 // share of the pool; only if freeKnown

	lowest      float64 // free share in an hour
	lowestKnown bool

	freeKnown, usefulKnown bool // usefulKnown needs freeKnown

	groups []groupUse // where the model has several, and events tell what is resident
}

func (w *worker) pool(win window.Window, l look) (p pool) {
	blocks := w.facts.pool(w.engine)
	if blocks <= 0 || !win.Levels[inUsage].Seen && !win.Levels[inUsed].Seen {
		w.withholdPool(reasonNoPool)
		return p
	}
	if w.stale() {
		w.withholdPool(reasonStale)
		return p
	}
	groups, numbers := w.layers(win)
	facts := serving.KVPool{Blocks: blocks, BlockSize: w.facts.blockSize, Held: l.held, Running: l.running, Groups: groups.lasts()}
	length, off := w.requests(&facts, groups, win, l)
	var gap string
	p.method, p.confidence, gap = w.cached(&facts, win, l)
	p.confidence *= max(0, 1-off/blocks/hopeless)
	use, ok := facts.Divide()
	if !ok {
		w.withholdPool(reasonNoPool)
		return p
	}
	p.known, p.use = true, use
	if groups != nil && l.residentKnown {
		p.groups = w.divideGroups(groups, numbers, &facts, &use, length)
	}
	p.free, p.freeKnown = use.Free/use.Total(), facts.CachedKnown
	if p.freeKnown {
		p.lowest, p.lowestKnown = w.lowest.Add(float64(win.To)/1e9, p.free)
	}
	p.usefulKnown = facts.CachedKnown && facts.UsefulKnown
	score, known := use.Fragmentation(w.pressed())
	if p.scored = known >= leastKnown; p.scored {
		p.score = score
	} else {
		w.withhold(signal.KVFragmentation, gap)
	}
	return p
}

func (w *worker) withholdPool(reason string) {
	w.withhold(signal.KVTokens, reason)
	w.withhold(signal.KVFragmentation, reason)
}

// requests finds out what requests that do not run hold, and what running ones leave empty in their last blocks. It returns the mean length of
// a running request, tokens, and by how much both together may be off, blocks.
func (w *worker) requests(facts *serving.KVPool, groups layers, win window.Window, l look) (length, off float64) {
	t, bs := &w.short, facts.BlockSize
	prompts, _ := t.prompts()
	prompt := t.perRequest(prompts)
	facts.Awaiting = win.Levels[inDeferred].Mean * groups.footprint(prompt, bs)
	off = l.off
	if w.facts.role == signal.RolePrefill {
		facts.Pinned = max(0, l.held-l.running*groups.footprint(prompt, bs))
		// At a look after a step, what finished in it waits to be fetched. For how long it does is told by the workers that fetch it: it may be
		// none of the time, or all of it.
		most := max(0, l.held-win.Levels[inRunning].Mean*groups.footprint(prompt, bs))
		off = math.Hypot(off, (most-facts.Pinned)/math.Sqrt(12))
	}
	length, deviation := w.length(prompt)
	if t.running > 0 {
		room := func(held, running float64) float64 {
			return groups.whole(max(0, held), running, length, (bs-1)/2) * bs / running
		}
		mean := room(t.held-(facts.Awaiting+facts.Pinned)*t.seconds, t.running)
		if l.running > 0 {
			// The room is a mean over time and the length one over requests: of the same requests only while the load is what it was.
			deviation = math.Hypot(deviation, mean-room(l.held-facts.Awaiting-facts.Pinned, l.running))
		}
		facts.Tail = groups.tail(bs, serving.KVTail(bs, mean, length, deviation))
		if length <= 0 {
			deviation = 0
		}
		off = math.Hypot(off, l.running*max(1, groups.lasts())*serving.KVTailError(bs, deviation)/bs)
	}
	return length, off
}

// stale tells whether the gauges of a prefill worker do not speak for the window: engines set them at a step, and what it handed over
// is fetched while it computes nothing.
func (w *worker) stale() bool {
	return w.facts.role == signal.RolePrefill && w.short.sum(inStepTime) < leastBusy*w.short.seconds
}

// leastBusy is the share of the time in steps from which on their gauges speak for all of it.
const leastBusy = 0.7

// length is the mean length of a running request and its deviation, in tokens, from the best that tells it.
func (w *worker) length(prompt float64) (length, deviation float64) {
	t := &w.short
	shared := t.perRequest(max(t.sum(inLocalHit), t.sum(inHit)))
	if n := t.sum(inStepSequences); n > 0 {
		prompts, _ := t.prompts()
		return serving.LengthFromPasses(t.sum(inStepContext), n, prompts, t.count(inFirstToken), shared)
	}
	if n := t.count(inPromptSize); n > 0 {
		prompt = t.sum(inPromptSize) / n
	}
	return serving.LengthFromCounters(prompt, t.output(), shared)
}

// cached finds out about the blocks that nobody holds, from the best that tells of them. A gap is the reason why they are not divided, or not
// known; it is counted here.
func (w *worker) cached(p *serving.KVPool, win window.Window, l look) (method string, confidence float64, gap string) {
	written := w.facts.computed + w.facts.generated
	switch {
	case w.facts.uncached:
		p.CachedKnown, p.UsefulKnown = true, true
		return methodNoCache, 0.85, ""
	case l.residentKnown:
		p.Cached, p.CachedKnown = p.CachedOf(l.resident), true
		method, confidence = methodEvents, 0.85
		if w.short.sum(inStepSequences) > 0 {
			method, confidence = methodEventsPasses, 0.9
		}
	case win.Levels[inEvictable].Seen:
		p.Cached, p.CachedKnown = win.Levels[inEvictable].Mean, true
		method, confidence = methodEngine, 0.85
	case !w.heard(win) && written > 0:
		p.Cached, p.CachedKnown = p.CachedAfter(written), true
		method, confidence = methodCounters, 0.6
	default:
		w.withhold(signal.KVTokens, reasonEventsLost)
		return methodCounters, 0.5, reasonEventsLost
	}
	if gap = w.useful(p, &method, &confidence); gap != "" {
		w.withhold(signal.KVTokens, gap)
	}
	return method, confidence, gap
}

// useful finds out how many of the cached blocks will be hit. By Little's law they are as many as the block-seconds that blocks lay unheld
// before a hit, per second. Where nothing tells, the gap is the reason.
func (w *worker) useful(p *serving.KVPool, method *string, confidence *float64) (gap string) {
	t := &w.long
	gaps, idle := &t.totals[inReuseGap], &t.totals[inIdle]
	held, survival := t.holding(), 0.0
	if evicted := t.sum(inRemoved); evicted > 0 {
		survival = p.Cached * t.seconds / evicted // by Little's law
	}
	unheld := func(v *window.Value) float64 { return serving.UnheldSeconds(v.Bounds, v.Counts, v.Sum, held, survival) }
	switch {
	case p.Cached <= 0:
		p.UsefulKnown = true
	case t.seconds < warmUpShare*w.cfg.Horizon.Seconds():
		return reasonWarmingUp
	case t.known >= t.seconds/2 && len(gaps.Counts) > 0:
		p.Useful, p.UsefulKnown = unheld(gaps)/t.known, true
	case idle.Count >= leastSampled:
		// Reuse is told of blocks when they are evicted, and never of those in heavy use. But dead ones all are: by Little's law there are as
		// many as are evicted a second, which a full pool does as often as it stores, times how long they lay idle.
		_, computed := t.prompts()
		stored := (computed + t.sum(inGenerated)) / w.facts.blockSize / t.seconds
		p.Useful, p.UsefulKnown = max(0, p.Cached-stored*unheld(idle)/idle.Count), true
		*method, *confidence = methodResidency, min(*confidence, 0.5)
	default:
		return reasonNoReuse
	}
	return ""
}

// pressed tells whether somebody wants blocks: cached ones are evicted, requests wait for them, or are preempted.
func (w *worker) pressed() bool {
	t := &w.short
	return t.waited > 0.05*t.seconds || t.sum(inRemoved)-t.sum(inPassed)+t.sum(inEvicted)+t.count(inLifetime) >= 1 || t.sum(inPreemptions) >= 0.5
}

// memory divides the memory of the worker's GPUs.
func (w *worker) memory(gpus *devices) (serving.HBMUse, bool) {
	if len(w.facts.gpus) == 0 {
		return serving.HBMUse{}, false
	}
	h, ok := gpus.memory(w.facts.gpus)
	if !ok {
		return serving.HBMUse{}, false
	}
	h.KVPool, h.Weights = -1, -1
	if b := w.roomSize().bytes; b > 0 && w.facts.room() > 0 {
		h.KVPool = b * w.facts.room()
	}
	if weights := w.weightSize().bytes; weights > 0 {
		h.Weights = weights
	}
	return h.Divide()
}
