package disaggregationprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// Workers are first scraped in the middle of a window, of which they tell a part: a rate over all of it would come out low.
func TestARateIsOfTheTimeThatWorkersTellOf(t *testing.T) {
	cfg := testConfig()
	cfg.Horizon = 24 * time.Hour // nothing fades
	batches := scrapes(t, "pd-balanced", "chat", 40*time.Second, 1)
	p, c := newTestProcessor(t, cfg, new(consumertest.MetricsSink))
	feed(t, p, c, batches)
	type look struct {
		at    time.Time
		count uint64
	}
	first, last := map[int]look{}, map[int]look{}
	for _, b := range batches {
		for _, sm := range b.md.ResourceMetrics().At(0).ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() != signal.TTFT {
					continue
				}
				l := look{b.at, m.Histogram().DataPoints().At(0).Count()}
				if _, seen := first[b.worker]; !seen {
					first[b.worker] = l
				}
				last[b.worker] = l
			}
		}
	}
	want := 0.0
	f := p.fleets.byName["chat"]
	prefill := f.topology().Prefill
	require.Positive(t, prefill)
	for i := range prefill { // they come first
		want += float64(last[i].count-first[i].count) / last[i].at.Sub(first[i].at).Seconds()
	}
	require.Positive(t, want)
	assert.InEpsilon(t, want, f.past.prefill.ttft.Count/f.past.seconds, 0.06)
}

// An engine of another version may have as many buckets, of other bounds.
func TestOtherBoundsBeginAnew(t *testing.T) {
	to := window.Value{Sum: 1, Count: 1, Bounds: []float64{1}, Counts: []float64{1, 0}}
	addValue(&to, window.Value{Sum: 5, Count: 2, Bounds: []float64{2}, Counts: []float64{0, 2}})
	assert.Equal(t, window.Value{Sum: 5, Count: 2, Bounds: []float64{2}, Counts: []float64{0, 2}}, to)
	sum := serving.Buckets{Bounds: []float64{1}, Counts: []float64{1, 0}}
	addBuckets(&sum, serving.Buckets{Bounds: []float64{2}, Counts: []float64{0, 2}}, 1)
	assert.Equal(t, serving.Buckets{Bounds: []float64{2}, Counts: []float64{0, 2}}, sum)
}
