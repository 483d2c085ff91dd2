package kvfragmentationprocessor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// newestOf is the newest value of every derived series, by resource, name and attributes.
func newestOf(sinks ...*consumertest.MetricsSink) map[string]float64 {
	all := map[string]float64{}
	for _, sink := range sinks {
		eachDerived(sink, func(r pcommon.Resource, m pmetric.Metric) {
			for _, dp := range points(m).All() {
				key := fmt.Sprint(derive.Text(r.Attributes(), signal.AttrServiceInstanceID), " ", m.Name(), dp.Attributes().AsRaw())
				all[key] = derive.Number(dp)
			}
		})
	}
	return all
}

// TestHalvesOfAFleetAreTheWhole: state is of one worker, so that two collectors with half of the workers each say what one with all of
// them says, series by series. A backend that adds up sums and rooms of a fleet then gets the same.
func TestHalvesOfAFleetAreTheWhole(t *testing.T) {
	fleet := func() (all []*engine) {
		for i := range 4 {
			e := newEngine(fmt.Sprint(i))
			e.thrash, e.resident, e.hybrid = 0.2*float64(i), 700+100*float64(i), i%2 == 1
			all = append(all, e)
		}
		return all
	}
	whole, left, right := new(consumertest.MetricsSink), new(consumertest.MetricsSink), new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), whole)
	play(t, p, c, 200, fleet()...)
	one, other := fleet(), fleet()
	p, c = newTestProcessor(t, testConfig(), left)
	play(t, p, c, 200, one[:2]...)
	p, c = newTestProcessor(t, testConfig(), right)
	play(t, p, c, 200, other[2:]...)

	want := newestOf(whole)
	require.Greater(t, len(want), 4*40)
	assert.Equal(t, want, newestOf(left, right))
	room := 0.0
	for key, v := range want {
		if strings.Contains(key, " "+signal.KVTokens+"map[") {
			room += v
		}
	}
	assert.InDelta(t, 4*16_000, room, 1e-6, "what the pools of a fleet are used for adds up to them")
}
