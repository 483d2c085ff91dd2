package disaggregationprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// What is recommended comes with its forecast, and where the last window says nothing, nothing is recommended.
func TestARecommendationHasAForecast(t *testing.T) {
	f := newFleet("chat", "a", testConfig(), signal.Index(signal.DisaggregationMetrics()), workerInputs(), "", func(string) float64 { return 0 })
	f.forecast = forecast{
		current: serving.Forecast{Topology: serving.Topology{Aggregated: 4}}, stands: true,
		best: serving.Forecast{Topology: serving.Topology{Prefill: 2, Decode: 2}, Rehearsal: serving.Rehearsal{Goodput: 7}},
	}
	recommended := func() map[string]bool {
		out := pmetric.NewMetrics()
		b := f.builder(f.resource, &f.gauges, 1, 2, out)
		f.emitWorkers(b)
		f.emitForecast(b)
		b.Finish()
		told := map[string]bool{}
		eachPoint([]pmetric.Metrics{out}, func(_ map[string]any, m pmetric.Metric, dp pmetric.NumberDataPoint) {
			if v, ok := dp.Attributes().Get(signal.AttrTopology); ok && v.Str() == signal.TopologyRecommended && !dp.Flags().NoRecordedValue() {
				told[m.Name()] = true
			}
		})
		return told
	}
	all := []string{signal.TopologyWorkers, signal.TopologyGoodput, signal.TopologyTTFT, signal.TopologyITL}
	told := recommended()
	for _, name := range all {
		assert.True(t, told[name], name)
	}
	f.unknown = withheldCoverage
	told = recommended()
	for _, name := range all {
		assert.False(t, told[name], name)
	}
}
