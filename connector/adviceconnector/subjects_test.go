package adviceconnector

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/advice"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestWhichResourcesAreSubjects(t *testing.T) {
	for name, c := range map[string]struct {
		attributes map[string]any
		up         bool // the llm_engine receiver says whether it answers
		want       advice.Ref
	}{
		"a worker": {
			map[string]any{signal.AttrEngineName: "vllm", signal.AttrServiceInstanceID: "a:1", signal.AttrModel: "m", signal.AttrHostName: "h"}, true,
			advice.Ref{Kind: advice.Worker, Host: "h", Instance: "a:1", Model: "m"},
		},
		"an endpoint that never answered": {
			map[string]any{signal.AttrServiceInstanceID: "a:1", signal.AttrFleetName: "chat"}, true, advice.Ref{Kind: advice.Worker, Instance: "a:1"},
		},
		"a router":       {map[string]any{signal.AttrServiceInstanceID: "a:1", signal.AttrObserver: signal.ObserverRouter}, true, advice.Ref{}},
		"a front end":    {map[string]any{signal.AttrServiceInstanceID: "a:1", signal.AttrEngineName: "dynamo", signal.AttrObserver: signal.ObserverFrontend}, true, advice.Ref{}},
		"any service":    {map[string]any{signal.AttrServiceInstanceID: "a:1"}, false, advice.Ref{}},
		"a GPU":          {map[string]any{signal.AttrHWID: "GPU-1", signal.AttrFleetName: "chat"}, false, advice.Ref{}},
		"a fleet":        {map[string]any{signal.AttrFleetName: "chat"}, false, advice.FleetRef("chat")},
		"an agent":       {map[string]any{signal.AttrNIXLAgentName: "x", signal.AttrProcessPID: 7, signal.AttrHostName: "h"}, false, advice.Ref{Kind: advice.Agent, Host: "h", Instance: "x/7"}},
		"nothing at all": {nil, false, advice.Ref{}},
	} {
		t.Run(name, func(t *testing.T) {
			rm := pmetric.NewMetrics().ResourceMetrics().AppendEmpty()
			assert.NoError(t, rm.Resource().Attributes().FromRaw(c.attributes))
			sm := rm.ScopeMetrics().AppendEmpty()
			if c.up {
				sm.Scope().SetName(engineReceiver)
				sm.Metrics().AppendEmpty().SetName(signal.Up)
			}
			got, ok := identify(rm)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want != advice.Ref{}, ok)
		})
	}
}
