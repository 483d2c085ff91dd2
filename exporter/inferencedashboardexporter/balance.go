package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "math"

// balance is the fleet imbalance and what it rests on.
type balance struct {
	imbalance  number
	confidence float64
	basis      basis
	lean       code // without an imbalance: where queues point, "" for nowhere
}

// weigh returns the fleet imbalance by the best basis there is.
func weigh(f fleetFacts) balance {
	ws := f.counted
	parts := weights(ws)
	b := pools(ws, parts)
	if b.basis == basisNone {
		b = workersBalance(ws, parts)
	}
	if b.basis == basisNone {
		b = early(f, ws)
	}
	if f.observed < fullWindow {
		b.confidence = min(b.confidence, earlyWorth)
	}
	return b
}

// workersBalance is the weighted mean over the workers that have an estimate.
func workersBalance(ws []workerFacts, parts []float64) balance {
	sum, covered, confidence := 0.0, 0.0, 0.0
	for i, w := range ws {
		if w.imbalance.ok {
			sum += parts[i] * w.imbalance.value
			covered += parts[i]
			confidence += parts[i] * w.confidence.orZero()
		}
	}
	if covered <= 0 {
		return balance{}
	}
	return balance{imbalance: some(sum / covered), confidence: confidence, basis: basisWorkers}
}

// pools compares the prefill pool with the decode pool, where every worker belongs to one of them.
func pools(ws []workerFacts, parts []float64) balance {
	var prefill, decode, prefillWeight, decodeWeight, confidence float64
	for i, w := range ws {
		confidence += parts[i] * w.confidence.orZero()
		switch {
		case w.role == "prefill" && w.prefill.ok:
			prefill += parts[i] * w.prefill.value
			prefillWeight += parts[i]
		case w.role == "decode" && w.decode.ok:
			decode += parts[i] * w.decode.value
			decodeWeight += parts[i]
		case w.role != "prefill" && w.role != "decode":
			return balance{}
		}
	}
	if prefillWeight <= 0 || decodeWeight <= 0 {
		return balance{}
	}
	imbalance := logRatio(prefill/prefillWeight, decode/decodeWeight)
	if !imbalance.ok {
		return balance{}
	}
	return balance{imbalance: imbalance, confidence: confidence, basis: basisPools}
}

// early leans on latencies, or on queues where no objective is known, before there is an estimate. A withheld estimate is not
// replaced by a weaker one.
func early(f fleetFacts, ws []workerFacts) balance {
	if len(ws) == 0 || withheldReason(ws) != "" {
		return balance{}
	}
	kv, waiting := 0.0, 0.0
	for _, w := range ws {
		kv = max(kv, w.kv.orZero())
		waiting += w.waiting.orZero()
	}
	prefill, decode := f.ttft.ratio(), f.itl.ratio()
	if prefill.ok && decode.ok {
		if ratio := logRatio(prefill.value, max(decode.value, kv/kvLimit)); ratio.ok {
			return balance{imbalance: ratio, confidence: earlyWorth, basis: basisEarly}
		}
	}
	queued := waiting >= float64(len(ws))
	switch {
	case queued && kv >= kvLimit:
		return balance{lean: codeDecodeBound, confidence: earlyWorth, basis: basisEarly}
	case queued:
		return balance{lean: codePrefillBound, confidence: earlyWorth, basis: basisEarly}
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

// confidenceWord returns the word of a confidence: HIGH, MED or LOW.
func confidenceWord(c float64) string {
	switch {
	case c >= confidentHigh:
		return "HIGH"
	case c >= confidentMed:
		return "MED"
	}
	return "LOW"
}
