package disaggregationprocessor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
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
