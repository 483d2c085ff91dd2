package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

const (
	mostRouted     = 0.1 // of the tokens looked up
	mostDuplicates = 0.3 // of the fleet's cached blocks
	// mostAware is how much of the way from chance to always a route may go towards the prefixes before it is taken to know them. Routes
	// that do not reach 0.1, a router that weighs prefixes against load 0.45 to 0.55 (docs/kv-cache.md).
	mostAware = 0.3
	// routerAware is how much of that way such a router goes.
	routerAware = 0.5
	// leastWarm is for how many seconds a fleet is observed before what it finds is foretold: until then prefixes are met for the first time.
	leastWarm = 300
)

// routing is where the prefixes of a fleet's prompts lay when they were asked for, as shares of the tokens looked up.
type routing struct {
	hits   float64 // on the worker that the request went to
	routed float64 // on another worker only
	chance float64 // share of the workers that hold what is asked for, if any does: how often a route that does not care would find it
}

// found is the share of what was there that was found.
func (g routing) found() float64 { return g.hits / max(g.hits+g.routed, 1e-9) }

// aware is how far the route goes from chance, 0, to always finding what is there, 1.
func (g routing) aware() float64 { return max(0, (g.found()-g.chance)/max(1-g.chance, 1e-9)) }

// with is the hit ratio with a route that goes so far.
func (g routing) with(aware float64) float64 {
	return (g.hits + g.routed) * (g.chance + (1-g.chance)*aware)
}

// routingOf reads the routing of a fleet.
func routingOf(r *Reading) (g routing, ok bool) {
	routed, a := r.Rate(signal.KVRoutingTokens)
	looked, b := r.Rate(signal.KVLookupTokens, signal.AttrCacheScope, signal.CacheScopeLocal)
	hits, c := fleetHitRatio(r)
	workers := float64(len(r.Workers()))
	if !a || !b || !c || looked <= 0 || workers < 2 {
		return g, false
	}
	held, d := r.Rate(signal.KVHeldTokens)
	holders, e := r.Rate(signal.KVHolderTokens)
	if !d || !e || held <= 0 {
		return g, false
	}
	return routing{hits: hits, routed: min(routed/looked, 1-hits), chance: min(1, holders/held/workers)}, true
}

// checkPrefixRouting finds a fleet whose workers compute what others of them hold, since requests are routed without a look at it. Once
// they are routed with one, what is still computed twice is the price of balance, and no advice.
func checkPrefixRouting(r *Reading) Outcome {
	g, ok := routingOf(r)
	duplicates, told := r.Level(signal.KVDuplicateRatio)
	switch {
	case !ok:
		return Withhold("no_fleet_view")
	case r.Observed() < leastWarm:
		return Withhold(withheldEarly)
	}
	const enough = mostRouted / 2
	wanted := r.Over(g.routed, mostRouted) || told && r.Over(duplicates, mostDuplicates) && g.routed > enough
	if !wanted || g.aware() >= mostAware {
		return Nothing()
	}
	to := min(1, max(g.hits, g.with(routerAware)))
	f := Finding{
		Severity: Warning, Title: "Workers compute prefixes that other workers hold.", Confidence: 0.7,
		Evidence: []Quantity{
			Quantity{Name: "Prompt tokens computed while another worker held them", Value: g.routed, Unit: "1", Metric: signal.KVRoutingTokens}.Against(mostRouted),
			{Name: "Hit ratio of the fleet", Value: g.hits, Unit: "1", Metric: signal.KVHitTokens},
			Quantity{Name: "Way from chance to always finding what is there", Value: g.aware(), Unit: "1", Metric: signal.KVRoutingTokens}.Against(mostAware),
		},
		Action: Action{Text: "Route requests by prefix, or share one pool of KV between the workers."},
		// A router weighs prefixes against load. One that does not would find all of it, and fewer copies leave room for more.
		Predicted: &Effect{
			Name: "hit ratio of the fleet", Unit: "1", From: g.hits, To: to, Low: (g.hits + to) / 2, High: min(1, max(to, g.with(1))),
		},
	}
	if live, ok := fleetUse(r, signal.KVUseLive); ok && live > crowded {
		f.Predicted = nil // hardly anything is cached anywhere, so it depends on the load
	}
	if told {
		f.Evidence = append(f.Evidence, Quantity{Name: "Cached blocks that are further copies", Value: duplicates, Unit: "1", Metric: signal.KVDuplicateRatio}.Against(mostDuplicates))
	}
	return Found(f)
}

// crowded is the share of the pools that running requests hold from which on there is no cache to speak of.
const crowded = 0.8
