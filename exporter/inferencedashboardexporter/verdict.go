package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"cmp"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
)

// The verdict on a fleet
//
// Workers that are stale or down do not count. Of the candidates whose condition holds, the one with the largest predicted goodput
// loss times confidence is the verdict; the rest are said beside it. Ties keep the order of this table.
//
//	candidate      holds when                                              loss                           confidence
//	workers_down   a worker's last scrape failed                           workers down over all          1, a scrape is no estimate
//	prefill_bound  fleet imbalance above +0.2                              requests above the TTFT        of the imbalance
//	                                                                       objective
//	decode_bound   fleet imbalance below -0.2                              tokens above the ITL           of the imbalance
//	                                                                       objective
//	balanced       fleet imbalance within +-0.2, or both objectives are    0                              of the imbalance
//	               met and there is room: then nothing is held back
//	idle           no request ran, waited or got a token for a minute      0                              1
//	unknown        none of these                                           0                              0
//
// The fleet imbalance is the mean of the workers' llm.phase.imbalance, weighted by the requests they run and hold waiting. Where
// every worker has a role of its own (prefill, decode) it is ln(prefill pressure of the prefill pool / decode pressure of the
// decode pool) instead, because a worker with one role has only one of the two pressures.
//
// Its confidence is the mean of llm.estimate.confidence over all workers that count, with the same weights; a worker without an
// estimate counts as 0. So the verdict is never more certain than its estimates.
//
// The first verdict comes before any estimate: from TTFT over its objective against the larger of ITL over its objective and
// KV usage over 0.9, or without objectives from where requests wait: before prefill, or for KV room. It is marked preliminary, as is every verdict from less
// than a minute of data, and a preliminary verdict is LOW.

// code names a verdict.
type code string

const (
	codeWorkersDown  code = "workers_down"
	codePrefillBound code = "prefill_bound"
	codeDecodeBound  code = "decode_bound"
	codeBalanced     code = "balanced"
	codeIdle         code = "idle"
	codeUnknown      code = "unknown"
)

const (
	band          = 0.2            // of the imbalance within which the phases are balanced
	maxImbalance  = 3              // as llm.phase.imbalance is bounded
	fullWindow    = trailingLength // of data before a verdict is more than preliminary
	confidentHigh = 0.8            // HIGH from here
	confidentMed  = 0.5            // MED from here, LOW below
	// defaultQuantile is judged where no objective names one.
	defaultQuantile = 0.9
	kvLimit         = 0.9            // KV usage at which decode has no room
	earlyWorth      = 0.3            // the most that a preliminary verdict is worth
	patience        = trailingLength // without any estimate before the page asks whether the processor is there
)

// standing says how far a verdict may be trusted.
type standing string

const (
	standingFinal       standing = "final"
	standingPreliminary standing = "preliminary"
	standingWithheld    standing = "withheld"
)

// basis says what a verdict rests on.
type basis string

const (
	basisWorkers basis = "worker_imbalance"
	basisPools   basis = "pool_pressure"
	basisEarly   basis = "queues_and_latencies"
	basisNone    basis = ""
)

// candidate is one possible verdict.
type candidate struct {
	code       code
	loss       float64 // predicted share of goodput lost
	confidence float64
}

// judge returns the candidates that hold, the verdict first, with the balance that they rest on. There is always one.
func judge(f fleetFacts) ([]candidate, balance) {
	b := weigh(f)
	var cs []candidate
	if down := f.down; down > 0 {
		cs = append(cs, candidate{codeWorkersDown, float64(down) / float64(f.total()), 1})
	}
	switch idle := isIdle(f.counted); {
	case idle && f.observed < fullWindow:
		cs = append(cs, candidate{codeIdle, 0, earlyWorth})
	case idle:
		cs = append(cs, candidate{codeIdle, 0, 1})
	case b.imbalance.ok && f.met():
		cs = append(cs, candidate{codeBalanced, 0, b.confidence})
	case b.imbalance.ok && b.imbalance.value > band:
		cs = append(cs, candidate{codePrefillBound, f.ttft.above.orZero(), b.confidence})
	case b.imbalance.ok && b.imbalance.value < -band:
		cs = append(cs, candidate{codeDecodeBound, f.itl.above.orZero(), b.confidence})
	case b.imbalance.ok:
		cs = append(cs, candidate{codeBalanced, 0, b.confidence})
	case b.lean != "":
		cs = append(cs, candidate{b.lean, 0, b.confidence})
	}
	if len(cs) == 0 {
		cs = append(cs, candidate{code: codeUnknown})
	}
	slices.SortStableFunc(cs, func(a, b candidate) int {
		return cmp.Compare(b.loss*b.confidence, a.loss*a.confidence)
	})
	return cs, b
}

// isIdle reports whether no worker had anything to do. It takes a report to say so: silence is not idleness.
func isIdle(ws []workerFacts) bool {
	for _, w := range ws {
		if !w.load.ok || w.load.value > 0 || w.samples.orZero() > 0 || w.tokens.orZero() > 0 {
			return false
		}
	}
	return len(ws) > 0
}

// withheldReason returns the reason given by the workers that have no estimate, the most frequent first by name.
func withheldReason(ws []workerFacts) string {
	count := map[string]int{}
	best := ""
	for _, w := range ws {
		if w.withheld == "" || w.imbalance.ok {
			continue
		}
		count[w.withheld]++
		n := count[w.withheld]
		if best == "" || n > count[best] || (n == count[best] && w.withheld < best) {
			best = w.withheld
		}
	}
	return best
}

// standingOf says whether the leading candidate is final, preliminary or withheld. What a failed scrape says is always final.
func standingOf(lead candidate, b balance, f fleetFacts) standing {
	switch {
	case lead.code == codeWorkersDown:
		return standingFinal
	case lead.code == codeUnknown && withheldReason(f.counted) != "":
		return standingWithheld
	case lead.code == codeUnknown, b.basis == basisEarly && lead.code != codeIdle, f.observed < fullWindow:
		return standingPreliminary
	}
	return standingFinal
}

// limitOf reads a limit from a merged distribution.
func limitOf(m percentile.Merged, objective number, quantile float64, implied bool) limit {
	l := limit{objective: objective, quantile: quantile, implied: implied}
	if !objective.ok {
		l.quantile = defaultQuantile
	}
	l.at, l.known = m.Quantile(l.quantile)
	if objective.ok {
		if share, ok := m.Above(objective.value); ok {
			l.above = some(share)
		}
	}
	return l
}
