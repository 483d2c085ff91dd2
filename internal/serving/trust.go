package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

const (
	// wrong is the relative error of prefill's share of busy time up to which it counts as right. A share below rareShare is held to the
	// error of that one, half a point of busy time: a share of 1 % that is off by a third changes nothing.
	wrong, rareShare = 0.1, 0.05
	// tellingPoints is the half-width of the 90 % interval of a share, absolute, up to which it is worth telling however wide that is in
	// relation to it.
	tellingPoints = 0.03
	// countError is the standard deviation, absolute, of a share that is read off counts: prompts that share a step and chunks of one are
	// not told apart, which matters the more the rarer steps with prefill are.
	countError = 0.012
)

// methodDeviation is the standard deviation of a share's relative error that no amount of data removes: base for a worker that is always
// busy, idle more of it for one that never is, since its busy time is read off latencies and its steps are least alike. Set so that
// confidences hold over 500 random scenarios (docs/estimators.md, "Honesty").
func methodDeviation(base, idle, busyShare, share float64) float64 {
	return math.Hypot(base+idle*(1-busyShare), countError/share)
}

// trust is the probability that a share with an error of that relative standard deviation is right.
func trust(share, deviation float64) float64 {
	return estimate.Within(wrong*max(1, rareShare/share), deviation)
}

// telling reports whether a share with that half-width of its 90 % interval, relative, says anything.
func telling(share, halfWidth, widest float64) bool {
	return halfWidth <= widest || halfWidth*share <= tellingPoints // not a number is neither
}
