package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"cmp"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// emitForecast appends the last evaluation, until the next one takes its place.
func (f *fleet) emitForecast(b *derive.Builder) {
	n := &f.forecast
	if why := cmp.Or(f.unknown, n.withheld); why != "" {
		f.withheld[withholding{signal.TopologyGoodput, why}]++
		return
	}
	if n.current.Groups() == 0 {
		f.withheld[withholding{signal.TopologyGoodput, serving.WithheldWarmUp}]++
		return
	}
	confidence := func(of, method string, v float64) {
		b.Gauge(signal.EstimateConfidence, v, signal.AttrEstimate, of, signal.AttrEstimateMethod, method)
	}
	confidence(signal.TopologyGoodput, methodRehearsal, intervalConfidence(&n.current))
	if n.gated {
		emitGate(b, &n.gate, n.current.Aggregated > 0)
		confidence(signal.DisaggregationBenefit, methodRehearsal, gateConfidence(&n.gate))
	}
	f.emitTopologies(b)
	if n.factored {
		f.emitScore(b, confidence)
	}
	if n.scoreWhy != "" {
		f.withheld[withholding{signal.DisaggregationScore, n.scoreWhy}]++
	}
	if share, ok := f.record.Share(); ok {
		b.Gauge(signal.TopologyRecord, share)
	}
	if n.sided {
		b.Gauge(signal.DisaggregationSide, 1, signal.AttrPhase, n.side.Side)
		b.Gauge(signal.TopologyGain, n.side.PrefillGain, signal.AttrRole, signal.RolePrefill)
		b.Gauge(signal.TopologyGain, n.side.DecodeGain, signal.AttrRole, signal.RoleDecode)
		confidence(signal.DisaggregationSide, methodRehearsal, n.side.Confidence)
	}
}

// emitTopologies appends the forecasts of the fleet as it is and as it might be.
func (f *fleet) emitTopologies(b *derive.Builder) {
	n := &f.forecast
	all := []struct {
		name string
		of   serving.Forecast
	}{{signal.TopologyCurrent, n.current}}
	if best, ok := f.recommended(); ok {
		all = append(all, struct {
			name string
			of   serving.Forecast
		}{signal.TopologyRecommended, best})
	}
	for _, t := range all {
		at := func(name string, v float64, attributes ...string) {
			b.Gauge(name, v, append([]string{signal.AttrTopology, t.name}, attributes...)...)
		}
		at(signal.TopologyGoodput, t.of.GoodputLow, signal.AttrBound, signal.BoundLow)
		at(signal.TopologyGoodput, t.of.Goodput, signal.AttrBound, signal.BoundMid)
		at(signal.TopologyGoodput, t.of.GoodputHigh, signal.AttrBound, signal.BoundHigh)
	}
	for _, t := range all {
		at := func(v, q float64, bound string) {
			b.Gauge(signal.TopologyTTFT, v, signal.AttrTopology, t.name, signal.AttrQuantile, quantileText(q), signal.AttrBound, bound)
		}
		at(t.of.TTFT50, 0.5, signal.BoundMid)
		at(t.of.TTFT90Low, 0.9, signal.BoundLow)
		at(t.of.TTFT90, 0.9, signal.BoundMid)
		at(t.of.TTFT90High, 0.9, signal.BoundHigh)
	}
	for _, t := range all {
		at := func(v, q float64) {
			b.Gauge(signal.TopologyITL, v, signal.AttrTopology, t.name, signal.AttrQuantile, quantileText(q), signal.AttrBound, signal.BoundMid)
		}
		at(t.of.ITL50, 0.5)
		at(t.of.ITL99, 0.99)
	}
}

// emitScore appends what is lost to which defect where one can be told from the others, and the score where that is known to ten points.
func (f *fleet) emitScore(b *derive.Builder, confidence func(of, method string, v float64)) {
	n := &f.forecast
	if n.score.Decided() {
		for i, name := range serving.FactorNames() {
			b.Gauge(signal.DisaggregationFactor, n.score.Factors[i], signal.AttrFactor, name)
		}
		confidence(signal.DisaggregationFactor, methodShapley, doubtConfidence(n.doubt))
	} else {
		f.withheld[withholding{signal.DisaggregationFactor, serving.WithheldCollapsed}]++
	}
	b.Gauge(signal.DisaggregationLeak, n.leak)
	if n.scoreWhy == "" {
		b.Gauge(signal.DisaggregationScore, n.score.Value)
		confidence(signal.DisaggregationScore, methodShapley, doubtConfidence(n.doubt))
	}
}

// maxScoreHalfWidth is the half-width of the score's interval beyond which it is withheld: what was attained is measured; the ideal is a
// forecast, and one that is not known to ten points either side is not used.
const maxScoreHalfWidth = 0.1

// intervalConfidence is the probability that the goodput is within 10 % of the forecast, by its 80 % interval.
func intervalConfidence(c *serving.Forecast) float64 {
	if c.Goodput <= 0 {
		return 0
	}
	return doubtConfidence((c.GoodputHigh - c.GoodputLow) / 2 / c.Goodput)
}

// doubtConfidence is the same by the relative half-width of the 80 % interval.
func doubtConfidence(half float64) float64 {
	const normal80 = 1.2816
	// What the queue model itself is off by is the least.
	return min(0.95, estimate.Within(0.1, max(half/normal80, 0.04)))
}

// benefitKnown reports whether a gate tells of a benefit: both ways were rehearsed, and in enough of the situations that might be true.
func benefitKnown(g *serving.Gate) bool { return g.High > 0 && !math.IsInf(g.High, 1) }

// gateConfidence is the probability that the benefit is within 10 % of what is told. Where a fleet is at its edge the interval begins at nothing,
// and the benefit is a guess whatever the verdict: which way is worth a trial is known sooner than by how much.
func gateConfidence(g *serving.Gate) float64 {
	if !benefitKnown(g) || g.Benefit <= 0 {
		return 0
	}
	return doubtConfidence((g.High - g.Low) / 2 / g.Benefit)
}

// emitGate appends whether to split. The budget is that of aggregated workers, and no good one for prefill workers: it is told where the fleet is to
// be, or may stay, aggregated.
func emitGate(b *derive.Builder, g *serving.Gate, aggregated bool) {
	if benefitKnown(g) {
		b.Gauge(signal.DisaggregationBenefit, g.Low, signal.AttrBound, signal.BoundLow)
		b.Gauge(signal.DisaggregationBenefit, g.Benefit, signal.AttrBound, signal.BoundMid)
		b.Gauge(signal.DisaggregationBenefit, g.High, signal.AttrBound, signal.BoundHigh)
	}
	b.Gauge(signal.DisaggregationGate, 1, signal.AttrGate, g.Verdict, signal.AttrGateWhy, g.Reason)
	together := g.Verdict == serving.GateAgainst || aggregated && g.Verdict != serving.GateRecommend
	if together && g.Budget > 0 {
		b.Gauge(signal.TopologyBudget, g.Budget, signal.AttrTopology, signal.TopologyRecommended)
	}
}
