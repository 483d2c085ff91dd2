package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

const (
	forgetting   = 0.95 // of the coverage, at each interval in which both totals grew
	leastCovered = 1000 // tokens
)

// coverage holds the hit tokens that events show against those that the engine counts, over the last intervals between pages. Both totals
// are read when a page is: read at different moments, what lies between them would look like a loss.
type coverage struct {
	hits, touched         float64
	lastHits, lastTouched float64
	primed                bool
}

// update takes both totals. The first ones, and those after a restart of the engine, are history. Where one of them did not grow nothing is
// forgotten: events show a hit when the request has been computed, which may be an interval after the engine has counted it, and the same
// tokens must weigh the same on both sides.
func (c *coverage) update(hits, touched float64) {
	if c.primed && hits >= c.lastHits {
		if hits > c.lastHits && touched > c.lastTouched {
			c.hits, c.touched = forgetting*c.hits, forgetting*c.touched
		}
		c.hits += hits - c.lastHits
		c.touched += touched - c.lastTouched
	}
	c.primed, c.lastHits, c.lastTouched = true, hits, touched
}

// share returns the share, if there is enough to tell. When events show more than the engine counts, requests were taken for hits that
// were none, and the share is the inverse.
func (c *coverage) share() (share float64, ok bool) {
	most := max(c.hits, c.touched)
	if most < leastCovered {
		return 0, false
	}
	return min(c.hits, c.touched) / most, true
}
