package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// defaultQuantile is judged where no objective names one.
const defaultQuantile = 0.9

// Latency is a latency of the trailing time beside its objective. Times are in seconds.
type Latency struct {
	Distribution
	At        percentile.Estimate // at the objective's quantile
	Known     bool                // there are samples
	Objective float64             // 0 where there is none
	Quantile  float64
	Implied   bool    // nobody configured the objective
	Above     float64 // share of the samples above it
	Decided   bool    // Above and the objective are known
}

// Latency returns a latency metric beside its objective, signal.ObjectiveTTFT or signal.ObjectiveITL. A fleet is held to the strictest of
// its workers' objectives.
func (r *Reading) Latency(metric, objective string) Latency {
	l := Latency{Quantile: defaultQuantile}
	for _, one := range append([]*Reading{r}, r.Workers()...) {
		one.objective(objective, &l)
	}
	l.Distribution, l.Known = r.Histogram(metric)
	if !l.Known {
		return l
	}
	l.At, _ = l.Distribution.Quantile(l.Quantile)
	if l.Objective > 0 {
		l.Above, l.Decided = l.Distribution.Above(l.Objective)
	}
	return l
}

// TTFT and ITL are the two latencies with an objective.
func (r *Reading) TTFT() Latency { return r.Latency(signal.TTFT, signal.ObjectiveTTFT) }

// ITL is the time between two tokens, beside its objective.
func (r *Reading) ITL() Latency { return r.Latency(signal.ITL, signal.ObjectiveITL) }

// objective puts a stricter objective of the subject into l.
func (r *Reading) objective(name string, l *Latency) {
	for x := range r.of(signal.Objective) {
		if !r.holds(x) || x.level.value <= 0 || !x.has([]string{signal.AttrObjective, name}) || (l.Objective > 0 && l.Objective <= x.level.value) {
			continue
		}
		l.Objective, l.Quantile, l.Implied = x.level.value, defaultQuantile, false
		for _, a := range x.attributes {
			switch q, err := strconv.ParseFloat(a.Value, 64); {
			case a.Key == signal.AttrQuantile && err == nil && q > 0 && q < 1:
				l.Quantile = q
			case a.Key == signal.AttrImplied:
				l.Implied = a.Value == "true"
			}
		}
	}
}

// Missed reports whether the latency is above its objective at its quantile; decided is false where either is unknown.
func (l Latency) Missed() (missed, decided bool) {
	if !l.Known || l.Objective <= 0 || (l.At.Over && l.At.Value < l.Objective) {
		return false, false
	}
	return l.At.Over || l.At.Value > l.Objective, true
}

// Ratio is the latency over its objective.
func (l Latency) Ratio() (float64, bool) {
	if !l.Known || l.Objective <= 0 {
		return 0, false
	}
	return l.At.Value / l.Objective, true
}

// Quantity is the latency as evidence.
func (l Latency) Quantity(name, metric string) Quantity {
	q := Quantity{Name: name + " " + words.Quantile(l.Quantile), Value: l.At.Value, Unit: "s", Metric: metric}
	if l.Objective > 0 {
		q = q.Against(l.Objective)
	}
	return q
}

// Confidence is that of an estimate, 0 where it was not given.
func (r *Reading) Confidence(estimate string) float64 {
	best := 0.0
	for x := range r.of(signal.EstimateConfidence) {
		if r.holds(x) && x.has([]string{signal.AttrEstimate, estimate}) {
			best = max(best, x.level.value)
		}
	}
	return best
}

// WithheldReason is why an estimate was withheld most often in the trailing time, "" when it was not.
func (r *Reading) WithheldReason(estimate string) string {
	reason, most := "", 0.0
	for x := range r.of(signal.EstimateWithheld) {
		if x.level != nil || !x.has([]string{signal.AttrEstimate, estimate}) {
			continue
		}
		n := r.increaseOf(x).sum
		for _, a := range x.attributes {
			if a.Key == signal.AttrReason && (n > most || n == most && n > 0 && a.Value < reason) {
				reason, most = a.Value, n
			}
		}
	}
	return reason
}
