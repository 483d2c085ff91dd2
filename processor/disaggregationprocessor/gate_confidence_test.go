package disaggregationprocessor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// A benefit of 3 that is 2.4 to 3.6 is known as well as one of 1 that is 0.8 to 1.2; of a fleet at its edge, whose split may serve nothing, it is
// told with its interval and is known badly.
func TestABenefitIsAsSureAsItsIntervalIsNarrowBesideIt(t *testing.T) {
	one, three := serving.Gate{Benefit: 1, Low: 0.8, High: 1.2}, serving.Gate{Benefit: 3, Low: 2.4, High: 3.6}
	assert.InDelta(t, gateConfidence(&one), gateConfidence(&three), 1e-9)
	assert.InDelta(t, 0.48, gateConfidence(&one), 0.01, "a tenth is 0.64 standard deviations: the interval is that of 80 %")

	edge := serving.Gate{Verdict: serving.GateRecommend, Benefit: 2.4, Low: 0, High: 9}
	assert.True(t, benefitKnown(&edge))
	assert.InDelta(t, 0.05, gateConfidence(&edge), 0.02)

	for name, g := range map[string]serving.Gate{"few groups": {}, "too few situations": {Benefit: 1.2, High: math.Inf(1)}} {
		assert.False(t, benefitKnown(&g), name)
		assert.Zero(t, gateConfidence(&g), name)
	}
}

// The budget that a gate found is that of workers that serve both phases. As a prefill worker's it would be a poor one.
func TestABudgetIsToldOfFleetsThatAreToBeTogether(t *testing.T) {
	for _, c := range []struct {
		verdict          string
		aggregated, told bool
	}{
		{serving.GateNeutral, true, true},
		{serving.GateAgainst, true, true},
		{serving.GateRecommend, true, false},
		{serving.GateAgainst, false, true},
		{serving.GateNeutral, false, false},
		{serving.GateRecommend, false, false},
	} {
		f := newFleet("chat", "a", testConfig(), signal.Index(signal.DisaggregationMetrics()), workerInputs(), "", func(string) float64 { return 0 })
		out := pmetric.NewMetrics()
		b := f.builder(f.resource, &f.gauges, 1, 2, out)
		emitGate(b, &serving.Gate{Verdict: c.verdict, Budget: 2048}, c.aggregated)
		b.Finish()
		told := false
		eachPoint([]pmetric.Metrics{out}, func(_ map[string]any, m pmetric.Metric, _ pmetric.NumberDataPoint) {
			told = told || m.Name() == signal.TopologyBudget
		})
		assert.Equal(t, c.told, told, "%+v", c)
	}
}
