package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"
	"math/bits"
)

// Defects of disaggregated serving.
const (
	DefectPurity = iota
	DefectBalance
	DefectTransfer
	DefectLocality
	Defects
)

// FactorNames are the names of the factors, the defects first; the last is what no defect explains.
func FactorNames() [Defects + 1]string {
	return [Defects + 1]string{"purity", "balance", "transfer", "locality", "slo"}
}

// Score says how much of the goodput that these GPUs could have at this load is there.
type Score struct {
	Value   float64              // 0..1, the product of the factors
	Factors [Defects + 1]float64 // each 0..1; 1 is no loss
}

// minAttained keeps logarithms finite: a goodput below a thousandth of the ideal scores 0.001.
const minAttained = 1e-3

// WithheldOverload is why there is no score of a fleet that could not serve its load whatever was mended: next to nothing is no measure.
const WithheldOverload = "overload"

// ScoreOf decomposes the loss.
//
// goodput gives the model's when only the defects in the set remain (bit i: defect i). attained is the goodput that was measured in the
// same unit, or negative when it was not; then it is the model's.
//
// The value is measured goodput over the ideal one, goodput(0). A defect's factor is exp of its Shapley value in the game of the
// logarithms, so that order does not matter and the product of the factors is the model's total also when defects act together. What
// the model does not explain is the last factor; where less was lost than its defects sum to, their factors shrink in proportion. Of less than a
// twentieth of the ideal (nothingServed) it makes no difference how much less: the logarithms of next to nothing are ruled by chance. Losses
// are attributed up to there, and what is lost beyond is divided as they are. ok is false where the ideal is not more than least, requests/s.
func ScoreOf(goodput func(remaining uint) float64, attained, least float64) (out Score, ok bool) {
	var value [1 << Defects]float64
	ideal := 0.0
	for set := range value {
		value[set] = max(0, goodput(uint(set)))
		ideal = max(ideal, value[set])
	}
	out.Value = 1
	for i := range out.Factors {
		out.Factors[i] = 1
	}
	if !(ideal > max(0, least)) {
		return out, false
	}
	for set := range value {
		value[set] /= ideal
	}
	reached := value[len(value)-1]
	if attained >= 0 {
		reached = min(1, attained/ideal)
	}
	for set := range value {
		value[set] = math.Log(max(nothingServed, value[set]))
	}
	shapley := shapleyOf(value[:])
	total := math.Log(max(nothingServed, reached))
	var lost float64
	for _, v := range shapley {
		lost += min(0, v)
	}
	scale := 1.0
	if least := min(0, total); lost < least {
		scale = least / lost
	}
	var explained float64
	beyond := 1.0
	if all := math.Log(max(minAttained, reached)); all < total {
		beyond = all / total
	}
	for i, v := range shapley {
		v = scale * min(0, v)
		explained += v
		out.Factors[i] = math.Exp(beyond * v)
	}
	out.Factors[Defects] = math.Exp(beyond * min(0, total-explained))
	product := 1.0
	for _, f := range out.Factors {
		product *= f
	}
	out.Value = product
	return out, true
}

// WithheldCollapsed is why it is not said what a fleet loses most to that serves next to nothing.
const WithheldCollapsed = "collapsed"

// aboutAsMuch is the share of the largest loss, in logarithms, from which on another is about as large.
const aboutAsMuch = 0.8

// Decided reports whether the largest loss is known from the others. Of a fleet that serves next to nothing it is not where another is about as
// large, since mending either would do, or where no defect explains it.
func (s Score) Decided() bool {
	worst := s.Worst()
	if worst < 0 || s.Value >= nothingServed {
		return true
	}
	for i, f := range s.Factors {
		if i != worst && math.Log(f) < aboutAsMuch*math.Log(s.Factors[worst]) {
			return false
		}
	}
	return worst != Defects
}

// shapleyOf are the Shapley values of a game of Defects players, by the value of each coalition.
func shapleyOf(value []float64) (out [Defects]float64) {
	for i := range Defects {
		for set := range value {
			if set>>i&1 == 1 {
				continue
			}
			out[i] += coalitionWeight(bits.OnesCount(uint(set))) * (value[set|1<<i] - value[set])
		}
	}
	return out
}

// coalitionWeight is s! (n-1-s)! / n!: the share of the orders in which a player comes after a given coalition of s others.
func coalitionWeight(s int) float64 {
	factorial := func(k int) float64 { return math.Gamma(float64(k) + 1) }
	return factorial(s) * factorial(Defects-1-s) / factorial(Defects)
}

// Worst is the largest loss, as an index into FactorNames; -1 when nothing is lost.
func (s Score) Worst() int {
	worst, least := -1, 0.999
	for i, f := range s.Factors {
		if f < least {
			worst, least = i, f
		}
	}
	return worst
}
