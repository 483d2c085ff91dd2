package phaseattributionprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestWhatIsAnotherLife(t *testing.T) {
	a := incarnation{role: "decode", pod: "A", container: "c", pid: 7}
	assert.False(t, a.becomes(a))
	assert.False(t, a.becomes(incarnation{}), "a resource that tells less")
	assert.False(t, incarnation{}.becomes(a), "what is told for the first time")
	for _, b := range []incarnation{{role: "prefill"}, {pod: "B"}, {container: "d"}, {pid: 8}} {
		assert.True(t, a.becomes(b), b)
		assert.True(t, b.becomes(a), b)
	}
}

// A pod that takes the place of another at the same address is the worker from then on: its resource is on what is derived, and spans find it.
func TestAnEngineThatBeganAnotherLifeIsFollowed(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := createDefaultConfig().(*Config)
	cfg.GPUs = []GPURule{{IDs: []string{"GPU-0"}}}
	cfg.Deployments = []DeploymentRule{{Model: "llama-3-70b", TensorParallel: 1}}
	p, c := newTestProcessor(t, cfg, sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	e.pod = "A"
	playGPUs(t, p, c, 60, e, "GPU-0")
	require.Equal(t, serving.MethodRoofline, confidenceMethod(sink))
	before, _ := last(sink, signal.PhaseGPUTime, signal.AttrPhase, signal.PhasePrefill)

	e.pod = "B"
	sink.Reset()
	playGPUs(t, p, c, 1, e, "GPU-0")
	gone, ok := last(sink, signal.PhaseImbalance, "", "")
	require.True(t, ok)
	assert.True(t, gone.Flags().NoRecordedValue(), "of the old one")
	sink.Reset()
	playGPUs(t, p, c, 8, e, "GPU-0")
	assert.Equal(t, 1, p.workers.Len())
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			if pod, ok := rm.Resource().Attributes().Get(signal.AttrK8sPodUID); ok {
				require.Equal(t, "B", pod.Str())
			}
		}
	}
	after, ok := last(sink, signal.PhaseGPUTime, signal.AttrPhase, signal.PhasePrefill)
	require.True(t, ok, "its GPU is joined again")
	assert.Greater(t, after.StartTimestamp(), before.StartTimestamp())
	assert.Equal(t, serving.MethodRoofline, confidenceMethod(sink), "what was learnt is not lost")
	resource := pcommon.NewResource()
	for pod, n := range map[string]int{"A": 0, "B": 1} {
		resource.Attributes().PutStr(signal.AttrK8sPodUID, pod)
		assert.Len(t, p.board.candidates(resource), n, pod)
	}
}

// Pages of two lives that come at once end in one worker.
func TestLivesThatOverlapLeaveOneWorker(t *testing.T) {
	p, _ := newTestProcessor(t, createDefaultConfig().(*Config), consumertest.NewNop())
	done := make(chan struct{})
	for _, pod := range []string{"A", "B", "A", "B"} {
		go func() {
			defer func() { done <- struct{}{} }()
			e := newEngine("a:8000", 1_700_000_000*second)
			e.pod = pod
			for range 20 {
				e.advance(e.now + int64(5*time.Second))
				assert.NoError(t, p.ConsumeMetrics(context.Background(), e.page()))
			}
		}()
	}
	for range 4 {
		<-done
	}
	assert.Equal(t, 1, p.workers.Len())
	assert.Len(t, p.joins.workers, 1)
}
