package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// outlook is what splitting comes to over disturbed situations, in goodputs of the best aggregated fleet.
type outlook struct {
	expected   float64 // mean benefit
	gain, loss float64 // means of what splitting serves more, and less
	better     float64 // share of the draws in which it is better
}

// worth reports whether a trial is: more than a tenth is expected of it, and several times as much is to be won as to be lost. Close to the limit of
// a fleet a per cent in costs decides whether a split serves all or nothing in time, so that its benefit has no lower end to speak of; a fleet of
// which hardly a request is in time has little to lose by that, and one that serves most of them has all. A few lucky draws are none.
func (o outlook) worth() bool {
	return o.expected > gateHigh && o.gain >= gateWorth*o.loss && o.better >= leastBetter
}

// leastBetter is the share of the draws in which splitting must be better for a trial.
const leastBetter = 1.0 / 3

// outlook rehearses disturbed situations, and finds the 80 % interval of the benefit: quantiles, since goodput near a limit is anything but normal. The
// interval holds what draws of costs and demand do not: that a share of requests in time is rehearsed, or was measured for minutes only.
func (s *Situation) outlook(g *Gate) (o outlook) {
	var benefits, doubted []float64
	for _, d := range s.disturbed() {
		apart, ok := d.near(g.Split)
		d.Budget = g.Budget
		together, also := d.Rehearse(Topology{Aggregated: s.Current.Groups()})
		if !ok || !also {
			continue
		}
		alone, of := together.Goodput, d
		if s.Measured > 0 && s.Current.Aggregated > 0 { // what was measured is not disturbed
			alone, of = s.togetherMeasured(g), s
		}
		benefits = append(benefits, quotient(apart.Goodput, alone))
		doubted = append(doubted, quotient(d.doubtedSplit(apart, g.Split), of.offOdds(alone, d.togetherOff)))
	}
	if len(benefits) < draws/2 {
		g.Low, g.High = 0, math.Inf(1)
		return outlook{expected: 1, better: 1, loss: 1}
	}
	low, high := around(benefits, g.Benefit)
	g.scatter = high - low
	g.Low, g.High = around(doubted, g.Benefit)
	each := 1 / float64(len(benefits))
	for _, b := range benefits {
		o.expected += each * b
		o.gain += each * max(0, b-1)
		o.loss += each * max(0, 1-b)
		if b > gateEven {
			o.better += each
		}
	}
	return o
}

const (
	// attainedError is the standard deviation of the error of a share of requests in time, in its log odds: of a split as rehearsed, and of an
	// aggregated fleet as measured over minutes. Set on seeds 8 and 9 of A7 (docs/disaggregation.md).
	attainedError = 0.45
	// lastedSpread is by which factor an overload may have lasted longer or shorter than overloadLasts, as a standard deviation.
	lastedSpread = 10
)

// offOdds is a goodput whose share of the requests in time is off by so many attainedErrors: where next to all or none are, it is known well.
func (s *Situation) offOdds(goodput, off float64) float64 {
	const least = 1e-9
	share := min(1-least, max(least, goodput/s.Rate))
	return s.Rate / (1 + (1-share)/share*math.Exp(-attainedError*off))
}

// doubtedSplit is the goodput of a draw's split with what is not known of it. Of one that is overloaded it is a matter of since when.
func (s *Situation) doubtedSplit(r Rehearsal, t Topology) float64 {
	goodput := s.offOdds(r.Goodput, s.apartOff)
	over := s.overload(s.Workload, t)
	if over <= 1 || s.TTFT <= 0 {
		return goodput
	}
	lasted := overloadLasts * math.Pow(lastedSpread, -s.apartOff)
	return max(goodput, s.Rate*min(1, s.TTFT/(1-1/over)/lasted))
}
