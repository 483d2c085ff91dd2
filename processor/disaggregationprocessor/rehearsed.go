package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
)

const (
	// mostReused is how many evaluations may say what the one before them rehearsed.
	mostReused = 4
	// The share of requests in time may have moved by shareErrors standard errors since, as other inputs may, and by shareLeast and shareMost at
	// least and at most.
	shareErrors           = 1.8
	shareLeast, shareMost = 0.01, 0.03
)

// rehearsed is what an evaluation was made of. As long as a fleet's inputs are those within what they are known by, rehearsing them would
// say the same once more, for most of what an evaluation costs.
type rehearsed struct {
	inputs   *serving.Situation // before it was calibrated; nil before the first
	paces    []float64          // that the share was measured by
	share    float64            // of the requests that were in time
	measured bool
	reused   int
}

// holds reports whether the fleet is still as it was rehearsed. While a recommendation is in the making every evaluation is one of its own:
// what is asked for is that they agree.
func (r *rehearsed) holds(f *fleet, s *serving.Situation) bool {
	if r.inputs == nil || r.reused >= mostReused || f.forecast.withheld != "" {
		return false
	}
	if _, candidate := f.adviser.Candidate(); candidate && !f.adviser.Stands() {
		return false
	}
	share, measured := f.share(s, r.paces)
	chance := math.Sqrt(r.share * (1 - r.share) / max(1, r.inputs.Rate*f.past.seconds))
	return measured == r.measured && math.Abs(share-r.share) <= min(shareMost, max(shareLeast, shareErrors*chance)) && s.Near(r.inputs)
}

// share is that of the requests in time, of a fleet of whichever kind.
func (f *fleet) share(s *serving.Situation, paces []float64) (float64, bool) {
	if s.Current.Aggregated > 0 {
		return f.together(paces)
	}
	return f.attained(paces)
}

// again is an evaluation of a fleet that is as it was rehearsed. What goes by time goes on: the record of forecasts, and advice.
func (f *fleet) again(now int64, s *serving.Situation) {
	f.rehearsed.reused++
	n := &f.forecast
	n.leak = s.Leak.Tokens
	if s.Current.Aggregated > 0 {
		return
	}
	f.ungated++
	if share, ok := f.attained(n.paces); ok {
		f.record.See(now, s.Current, s.Rate, share*s.Rate)
	}
	f.record.Claim(now, n.current, s.Rate)
	n.stands = f.advise(now, s.Current, n)
}
