package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// A forecast is worth no more than those before it, and little where the model does not even rehearse what is there.
func TestAForecastIsAsGoodAsItsModel(t *testing.T) {
	tests := map[string]struct {
		low, high float64 // of the present workers, rehearsed; measured are 2.5
		record    float64 // negative for none
		score     float64 // 0 for none
		want      float64
		off       bool
	}{
		"within its interval":         {2, 3, -1, 0, 0.9, false},
		"just outside":                {2.6, 3, -1, 0, 0.9, false},
		"off":                         {3.2, 4, -1, 0, doubted, true},
		"off to the other side":       {1, 1.2, -1, 0, doubted, true},
		"overloaded as rehearsed":     {0, 0, -1, 0, 0.9, false},
		"overloaded as measured too":  {1, 1.2, -1, 0.3, 0.9, false},
		"forecasts that held":         {2, 3, 0.85, 0, 0.9, false},
		"forecasts of which half did": {2, 3, 0.4, 0, 0.45, false},
		"one forecast, which did not": {2, 3, 0, 0, 0.27, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testConfig(), topologyRules()...)
			b.windows(20, func() {
				alive(b)
				forecast(b, true)
				for bound, v := range map[string]float64{signal.BoundLow: tt.low, signal.BoundMid: (tt.low + tt.high) / 2, signal.BoundHigh: tt.high} {
					b.level(FleetRef("chat"), signal.TopologyGoodput, v, signal.AttrTopology, signal.TopologyCurrent, signal.AttrBound, bound)
				}
				if tt.score > 0 {
					b.level(FleetRef("chat"), signal.DisaggregationScore, tt.score)
				}
				if tt.record >= 0 {
					b.level(FleetRef("chat"), signal.TopologyRecord, tt.record)
				}
			})
			var f *Finding
			for _, e := range b.events {
				if e.Rule == "topology" && e.Name == Raised {
					f = &e.Finding
				}
			}
			require.NotNil(t, f)
			assert.InDelta(t, tt.want, f.Confidence, 1e-9)
			if tt.off {
				assert.Contains(t, f.Action.Text, "2.5 are measured: try it on a part before you change all.")
			} else {
				assert.NotContains(t, f.Action.Text, "rehearses the present workers")
			}
		})
	}
}
