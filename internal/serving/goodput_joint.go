package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// Seen is what request spans say of the requests that finished in a stretch of time.
type Seen struct {
	// Finished is how many there were by the engine's counters, Told how many of them a span tells of, Met how many of the latter met
	// both objectives.
	Finished, Told, Met float64
}

// mostTold is how many spans there may be for a finished request: windows cut counters by interpolation, spans by their end.
const mostTold = 1.1

// Joint narrows goodput by request spans, which tell of each request whether it met both objectives. Requests without a span, which
// sampling left out, may have met them or not, so that whatever the sampling prefers the bounds hold:
//
//	rate met / finished <= goodput <= rate (met + finished - told) / finished
//
// With a span for each the bounds are one. rate is that of finished requests, 1/s. ok is false when spans say nothing: there are none, or
// more than requests.
func (g Goodput) Joint(rate float64, s Seen) (joint Goodput, ok bool) {
	if !(s.Told >= 1) || s.Told > mostTold*s.Finished+1 || s.Met > s.Told {
		return g, false
	}
	all := max(s.Finished, s.Told)
	low, high := rate*s.Met/all, rate*(s.Met+all-s.Told)/all
	joint = Goodput{Low: max(g.Low, low), High: min(g.High, high)}
	if joint.Low > joint.High {
		// Frechet's are interpolated within buckets; these count.
		joint.Low, joint.High = low, high
	}
	joint.Mid = min(max(rate*s.Met/s.Told, joint.Low), joint.High)
	return joint, true
}
