package phaseattributionprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

func TestASpanFindsItsWorker(t *testing.T) {
	b := newBoard()
	cfg := createDefaultConfig().(*Config)
	add := func(attributes map[string]any) *posting {
		resource := pcommon.NewResource()
		require.NoError(t, resource.Attributes().FromRaw(attributes))
		p := newPosting(cfg, resource, objectives.InForce{})
		b.add(p)
		return p
	}
	vllm := add(map[string]any{signal.AttrEngineName: "vllm", signal.AttrServiceInstanceID: "a:8000", signal.AttrHostName: "a", signal.AttrModel: "x"})
	sglang := add(map[string]any{signal.AttrEngineName: "sglang", signal.AttrServiceInstanceID: "a:30000", signal.AttrHostName: "a"})
	pod := add(map[string]any{signal.AttrEngineName: "vllm", signal.AttrServiceInstanceID: "10.0.0.7:8000", signal.AttrK8sPodUID: "u1"})
	rank0 := add(map[string]any{signal.AttrEngineName: "vllm", signal.AttrServiceInstanceID: "b:8000/dp0"})
	add(map[string]any{signal.AttrEngineName: "vllm", signal.AttrServiceInstanceID: "b:8000/dp1"})
	find := func(engine, model string, attributes map[string]any) (*posting, string) {
		resource := pcommon.NewResource()
		require.NoError(t, resource.Attributes().FromRaw(attributes))
		return choose(b.candidates(resource), engine, model)
	}
	for _, c := range []struct {
		engine, model string
		attributes    map[string]any
		want          *posting
		reason        string
	}{
		{"vllm", "", map[string]any{signal.AttrServiceInstanceID: "a:8000"}, vllm, ""},
		{"vllm", "", map[string]any{signal.AttrHostName: "a"}, vllm, ""},
		{"sglang", "y", map[string]any{signal.AttrHostName: "a"}, sglang, ""},
		{"vllm", "other", map[string]any{signal.AttrHostName: "a"}, nil, unjoinedUnknown},
		{"vllm", "", map[string]any{signal.AttrServiceInstanceID: "some-uuid", signal.AttrK8sPodUID: "u1"}, pod, ""},
		{"vllm", "", map[string]any{signal.AttrServiceInstanceID: "b:8000"}, nil, unjoinedAmbiguous},
		{"vllm", "", map[string]any{signal.AttrServiceName: "unknown_service:python3"}, nil, unjoinedUnknown},
	} {
		p, reason := find(c.engine, c.model, c.attributes)
		assert.Same(t, c.want, p, "%v", c)
		assert.Equal(t, c.reason, reason)
	}
	b.remove(vllm)
	b.remove(rank0)
	_, reason := find("vllm", "", map[string]any{signal.AttrServiceInstanceID: "a:8000"})
	assert.Equal(t, unjoinedUnknown, reason)
	p, _ := find("vllm", "", map[string]any{signal.AttrServiceInstanceID: "b:8000"})
	assert.NotNil(t, p, "one rank is left")
}

func TestInstancesOfOneIDShareAsLongAsOneRuns(t *testing.T) {
	r := newRegistry()
	id := processortest.NewNopSettings(metadata.Type).ID
	b, err := r.acquireMetrics(id)
	require.NoError(t, err)
	_, err = r.acquireMetrics(id)
	require.ErrorContains(t, err, "two metrics pipelines")
	assert.Same(t, b, r.acquireTraces(id))
	r.releaseMetrics(id)
	again, err := r.acquireMetrics(id)
	require.NoError(t, err)
	assert.Same(t, b, again, "traces keep it while metrics restart")
	r.releaseMetrics(id)
	r.releaseTraces(id)
	assert.Empty(t, r.byID)
	assert.NotSame(t, b, r.acquireTraces(id))
}
