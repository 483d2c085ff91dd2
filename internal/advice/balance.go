package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
)

// Basis says what a verdict rests on.
type Basis string

// The bases of a verdict.
const (
	BasisWorkers Basis = "worker_imbalance"
	BasisPools   Basis = "pool_pressure"
	BasisEarly   Basis = "queues_and_latencies"
)

// balance is the fleet imbalance and what it rests on.
type balance struct {
	imbalance  number
	confidence float64
	basis      Basis
	lean       Code // without an imbalance: where queues point, "" for nowhere
}

// weigh returns the fleet imbalance by the best basis there is. Where nobody answers there is none: latencies of the trailing minute outlast
// those that had them.
func (f figures) weigh() balance {
	if len(f.workers) == 0 {
		return balance{}
	}
	parts := f.weights()
	b := f.pools()
	if b.basis == "" {
		b = f.mean(parts)
	}
	if b.basis == "" {
		b = f.early()
	}
	if f.observed < fullWindow {
		b.confidence = min(b.confidence, earlyWorth)
	}
	return b
}

// mean is the weighted mean over the workers that have an estimate.
func (f figures) mean(parts []float64) balance {
	sum, covered, confidence := 0.0, 0.0, 0.0
	for i, w := range f.workers {
		if w.imbalance.ok {
			sum += parts[i] * w.imbalance.value
			covered += parts[i]
			confidence += parts[i] * w.confidence
		}
	}
	if covered <= 0 {
		return balance{}
	}
	return balance{imbalance: some(sum / covered), confidence: confidence, basis: BasisWorkers}
}

// pools compares the prefill pool with the decode pool of a disaggregated fleet: workers with one role give no estimate of which of the
// two holds them back. What presses on decode is also the time from a request's arrival there to its next token: it waits for its KV
// or for room.
func (f figures) pools() balance {
	if !f.disaggregated {
		return balance{}
	}
	kv := 0.0
	for _, w := range f.workers {
		kv = max(kv, w.kv.orZero())
	}
	decode := ratio(f.decodeITL)
	if wait := ratio(f.decodeTTFT); wait.Value > decode.Value {
		decode = wait
	}
	b, ok := serving.Pressures{TTFT: ratio(f.prefillTTFT), ITL: decode, KVUsage: kv}.Balance()
	if !ok {
		return balance{}
	}
	if f.observed < highWindow || f.prefillTTFT.Implied || f.decodeITL.Implied {
		b.Confidence = min(b.Confidence, justBelowHigh)
	}
	return balance{imbalance: some(b.Imbalance), confidence: b.Confidence, basis: BasisPools}
}

const (
	highWindow    = 600 // s of data before a confidence may be HIGH
	justBelowHigh = 0.79
)

// ratio is a latency in units of its objective with its errors.
func ratio(l Latency) serving.Ratio {
	if !l.Known || l.Objective <= 0 {
		return serving.Ratio{}
	}
	// The rank of a sample quantile scatters by sqrt(q(1-q)/n).
	step := math.Sqrt(l.Quantile * (1 - l.Quantile) / max(1, l.Count))
	low, _ := l.Distribution.Quantile(max(0, l.Quantile-step))
	high, _ := l.Distribution.Quantile(min(1, l.Quantile+step))
	width := (l.At.High - l.At.Low) / l.Objective
	if l.At.Over {
		width = math.Inf(1)
	}
	return serving.Ratio{Seen: true, Value: l.At.Value / l.Objective, Low: low.Value / l.Objective, High: high.Value / l.Objective, Width: width}
}

// early leans on latencies, or on queues where no objective is known, before there is an estimate. A withheld estimate is not
// replaced by a weaker one.
func (f figures) early() balance {
	if len(f.workers) == 0 || f.withheld() != "" {
		return balance{}
	}
	kv, waiting := 0.0, 0.0
	for _, w := range f.workers {
		kv = max(kv, w.kv.orZero())
		waiting += w.waiting.orZero()
	}
	prefill, prefillOK := f.ttft.Ratio()
	decode, decodeOK := f.itl.Ratio()
	if prefillOK && decodeOK {
		if ratio := logRatio(prefill, max(decode, kv/kvLimit)); ratio.ok {
			return balance{imbalance: ratio, confidence: earlyWorth, basis: BasisEarly}
		}
	}
	queued := waiting >= float64(len(f.workers))
	switch {
	case queued && kv >= kvLimit:
		return balance{lean: DecodeBound, confidence: earlyWorth, basis: BasisEarly}
	case queued:
		return balance{lean: PrefillBound, confidence: earlyWorth, basis: BasisEarly}
	}
	return balance{}
}

// logRatio returns ln(prefill/decode) within the bounds of llm.phase.imbalance, absent where both are 0.
func logRatio(prefill, decode float64) number {
	if prefill <= 0 && decode <= 0 {
		return number{}
	}
	return some(min(maxImbalance, max(-maxImbalance, math.Log(prefill)-math.Log(decode))))
}
