package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// Ratio is a latency quantile over its objective.
type Ratio struct {
	Seen      bool
	Value     float64
	Low, High float64 // one standard error of the sample quantile either side
	// Width is that of the histogram bucket that holds the quantile: it is known no better. +Inf above the last bound.
	Width float64
}

// logError is the standard deviation of the ratio's logarithm: sampling error, and a value that may be anywhere in its bucket
// (uniform: width / sqrt(12)).
func (r Ratio) logError() float64 {
	if !r.Seen || r.Value <= 0 {
		return 0
	}
	if math.IsInf(r.Width, 1) {
		return math.Inf(1)
	}
	sampling := 0.0
	if r.Low > 0 && r.High > 0 {
		sampling = math.Log(r.High/r.Low) / 2
	}
	return math.Hypot(sampling, r.Width/math.Sqrt(12)/r.Value)
}

// Pressures is what presses on a worker.
type Pressures struct {
	TTFT     Ratio   // time to first token
	ITL      Ratio   // inter-token latency
	Queue    Ratio   // waiting before the first schedule, in units of the TTFT objective
	KVUsage  float64 // share of KV blocks held by running requests, 0..1
	SeqUsage float64 // running requests over the engine's limit, 0 when the limit is unknown
}

// Balance says which phase presses harder.
type Balance struct {
	Prefill, Decode float64 // pressures: 1 is at the objective
	Imbalance       float64 // ln(Prefill/Decode) within +-3: positive, prefill holds the worker back
	Confidence      float64 // probability that sampling error has not put the imbalance on the wrong side of a band edge
}

const (
	// BalancedBand is the imbalance within which neither phase is called the bottleneck.
	BalancedBand = 0.2
	// kvLimit is the KV usage at which an engine starts to hold requests back or to preempt them.
	kvLimit      = 0.9
	maxImbalance = 3
	// minPressure keeps the logarithm finite.
	minPressure = 1e-3
)

// Balance compares the pressures of the phases.
//
//	prefill = TTFT / objective
//	decode  = max(ITL / objective, KV usage / 0.9, running / limit)
//
// While decode's resources (KV blocks, batch slots) keep requests from being admitted, the wait for admission is decode's
// doing although it shows in TTFT: the queue's share then counts for decode and not for prefill.
//
// The confidence counts the errors of the latencies that the pressures rest on; KV usage and slots are read exactly. Above the last
// bound of a histogram a latency may be anything, and the confidence is 0.
//
// ok is false unless requests got first tokens and later ones: with one phase unseen there is nothing to compare.
func (p Pressures) Balance() (b Balance, ok bool) {
	if !p.TTFT.Seen || !p.ITL.Seen {
		return Balance{}, false
	}
	b.Prefill, b.Decode = p.pressures()
	b.Imbalance = imbalance(b.Prefill, b.Decode)
	decodeError := 0.0
	switch b.Decode {
	case p.ITL.Value:
		decodeError = p.ITL.logError()
	case p.TTFT.Value: // the wait for admission counts for decode
		decodeError = p.TTFT.logError()
	}
	// The errors are independent: their logarithms add in quadrature.
	b.Confidence = sameSide(b.Imbalance, math.Hypot(p.TTFT.logError(), decodeError))
	return b, true
}

func (p Pressures) pressures() (prefill, decode float64) {
	prefill, decode = p.TTFT.Value, max(p.ITL.Value, p.KVUsage/kvLimit, p.SeqUsage)
	if p.KVUsage >= kvLimit || p.SeqUsage >= 1 {
		decode = max(decode, p.TTFT.Value)
		prefill = max(0, p.TTFT.Value-p.Queue.Value)
	}
	return max(prefill, minPressure), max(decode, minPressure)
}

func imbalance(prefill, decode float64) float64 {
	return max(-maxImbalance, min(maxImbalance, math.Log(prefill/decode)))
}

// sameSide is the probability that the true imbalance is in the same class (prefill, balanced, decode) as x, for an error of
// the given standard deviation.
func sameSide(x, sd float64) float64 {
	switch {
	case sd <= 0:
		return 1
	case math.IsInf(sd, 1) || math.IsNaN(sd):
		return 0
	}
	above := func(edge float64) float64 { return estimate.Below((x - edge) / sd) }
	switch {
	case x > BalancedBand:
		return above(BalancedBand)
	case x < -BalancedBand:
		return 1 - above(-BalancedBand)
	default:
		return above(-BalancedBand) - above(BalancedBand)
	}
}
