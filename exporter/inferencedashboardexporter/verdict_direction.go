package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// mixingShare is prefill's share of busy time from which a missed ITL objective is said to be in part the price of mixing.
const mixingShare = 0.25

// direction says which side relief has to come from. How is the business of advice rules, which need more than this.
func direction(c code, b balance, f fleetFacts) string {
	switch c {
	case codeWorkersDown:
		if f.down == f.total() {
			return "The last scrape failed. Does the engine run, and is the address right?"
		}
		return "The last scrape failed. The figures below are those of the other workers."
	case codeUnknown:
		if withheldReason(f.counted) != "" {
			return "No verdict rather than a wrong one. The figures below are measured and hold."
		}
	case codePrefillBound:
		return pressure("prefill", "decode", b) + "Relief has to come from the prefill side."
	case codeDecodeBound:
		return pressure("decode", "prefill", b) + decodeRelief(f)
	case codeBalanced:
		return balancedDirection(b, f)
	}
	return ""
}

// pressure says how much harder one phase is pressed than the other.
func pressure(phase, other string, b balance) string {
	switch {
	case !b.imbalance.ok:
		return ""
	case b.basis == basisWorkers:
		return fmt.Sprintf("More capacity for %s would bring more than for %s. ", phase, other)
	case math.Abs(b.imbalance.value) >= maxImbalance:
		return fmt.Sprintf("The pressure on %s is more than 20 times that on %s. ", phase, other)
	}
	return fmt.Sprintf("The pressure on %s is %s times that on %s. ", phase, words.Figure(math.Exp(math.Abs(b.imbalance.value)), 2), other)
}

// decodeRelief keeps the reader from adding decode capacity for what prefill does: where prefill takes much of the time in the
// steps that decode rides in, it lengthens them, and the ITL objective is missed in part because of it.
func decodeRelief(f fleetFacts) string {
	share := f.prefillShare()
	if missed, ok := f.itl.missed(); !ok || !missed || !share.ok || share.value < mixingShare {
		return "Relief has to come from the decode side."
	}
	return fmt.Sprintf("Prefill takes %.0f %% of the busy time and rides in the same steps: part of this ITL is the price of mixing "+
		"the phases.", 100*share.value)
}

func balancedDirection(b balance, f fleetFacts) string {
	if !f.met() || math.Abs(b.imbalance.value) <= band {
		return "Neither phase holds the other back: more load needs more of both."
	}
	phase := "Prefill"
	if b.imbalance.value < 0 {
		phase = "Decode"
	}
	return phase + " is nearer its limit and gives first when load grows."
}
