package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// Ratio is a latency quantile over its objective, with one standard error either side.
type Ratio struct {
	Seen             bool
	Value, Low, High float64
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
// ok is false when no request got a token.
func (p Pressures) Balance() (b Balance, ok bool) {
	if !p.TTFT.Seen && !p.ITL.Seen {
		return Balance{}, false
	}
	b.Prefill, b.Decode = p.pressures(p.TTFT.Value, p.ITL.Value, p.Queue.Value)
	b.Imbalance = imbalance(b.Prefill, b.Decode)
	highP, lowD := p.pressures(p.TTFT.High, p.ITL.Low, p.Queue.Value)
	lowP, highD := p.pressures(p.TTFT.Low, p.ITL.High, p.Queue.Value)
	// The two errors are independent: their logarithms add in quadrature.
	sd := math.Hypot(logHalf(highP, lowP), logHalf(highD, lowD))
	b.Confidence = sameSide(b.Imbalance, sd)
	return b, true
}

func (p Pressures) pressures(ttft, itl, queue float64) (prefill, decode float64) {
	prefill, decode = ttft, max(itl, p.KVUsage/kvLimit, p.SeqUsage)
	if p.KVUsage >= kvLimit || p.SeqUsage >= 1 {
		decode = max(decode, ttft)
		prefill = max(0, ttft-queue)
	}
	return max(prefill, minPressure), max(decode, minPressure)
}

func imbalance(prefill, decode float64) float64 {
	return max(-maxImbalance, min(maxImbalance, math.Log(prefill/decode)))
}

// logHalf is half the distance of the logarithms.
func logHalf(high, low float64) float64 { return math.Abs(math.Log(high/low)) / 2 }

// sameSide is the probability that the true imbalance is in the same class (prefill, balanced, decode) as x, for an error of
// the given standard deviation.
func sameSide(x, sd float64) float64 {
	if sd <= 0 {
		return 1
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
