//go:build cgo && linux

package nvmlreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// What a GPU does not support in MIG mode it does afterwards, also when it never had MIG devices. No sum falls.
func TestAGPUThatLeavesMIGModeTellsEverythingAgain(t *testing.T) {
	for _, model := range []string{"a100", "h100"} {
		t.Run(model, func(t *testing.T) {
			l := newLone(t, model, everything, nil)
			l.begin()
			l.collect(time.Second)
			l.collect(time.Second)
			whole := l.collect(time.Second)
			tasks := []series{
				l.own(signal.HWGPUUtilization, "general"), l.own(signal.HWGPUUtilization, "encoder"), l.own(signal.HWGPUUtilization, "decoder"),
			}
			for _, s := range tasks {
				require.Contains(t, whole, s)
			}
			words := signal.Index(signal.GPUMetrics())
			before := map[series]pmetric.NumberDataPoint{}
			follow := func(points map[series]pmetric.NumberDataPoint) {
				for s, dp := range points {
					if words[s.metric].Instrument != signal.Sum {
						continue
					}
					if last, ok := before[s]; ok && last.StartTimestamp() == dp.StartTimestamp() {
						assert.GreaterOrEqual(t, value(dp), value(last), s)
					}
					before[s] = dp
				}
			}
			follow(whole)

			require.NoError(t, l.state.ConfigureMIG(0, true))
			l.worker.look()
			for range 2 {
				points := l.collect(time.Second)
				for _, s := range tasks {
					assert.NotContains(t, points, s)
				}
				follow(points)
			}
			require.NoError(t, l.state.ConfigureMIG(0, false))
			for range 5 {
				l.worker.look()
				follow(l.collect(time.Minute))
			}
			l.collect(time.Second)
			points := l.collect(time.Second)
			follow(points)
			assert.Equal(t, keys(whole), keys(points))
			energy := l.own(signal.HWEnergy, "")
			assert.Equal(t, whole[energy].StartTimestamp(), points[energy].StartTimestamp())
			l.end()
		})
	}
}
