package rig

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestHostsAreTold holds what hosts send to one recording: each has names and a phase of its own, and all else is as it was recorded.
func TestHostsAreTold(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &Recording{Workers: 8, began: began, length: 2 * AgentInterval, batches: []batch{
		{after: time.Second, md: told(began.Add(time.Second))},
		{after: 9 * time.Second, md: told(began.Add(9 * time.Second))},
	}}
	h := NewHosts(t, r, 2, 2, "127.0.0.1:1")
	h.begin = began.Add(time.Hour)
	require.Len(t, h.schedule, 5, "what is due after the end is not sent")

	names := map[string]bool{}
	for _, host := range h.schedule[:4] {
		rm := host.md().ResourceMetrics().At(0)
		var here string
		for key, value := range rm.Resource().Attributes().All() {
			here += fmt.Sprintf("%s=%s ", key, value.Str())
		}
		names[here] = true
		p := rm.ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0)
		assert.Equal(t, h.begin.Add(host.due), p.Timestamp().AsTime(), "a point is of when it is sent")
		assert.Zero(t, p.StartTimestamp(), "a start that is not known stays so")
		phase, _ := p.Attributes().Get(signal.AttrPhase)
		assert.Equal(t, "decode", phase.Str())
	}
	assert.Len(t, names, 4)
	assert.Contains(t, names, "host.name=host-3 hw.id=GPU-00000003-5307-0881-3d29-e79412af8620 llm.fleet.name=fleet-1 "+
		"nixl.agent.name=00000003-0000-4000-8000-000000000100 service.instance.id=10.0.0.3:8000 ")
}

// told is a batch of an agent.
func told(at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	attributes := rm.Resource().Attributes()
	attributes.PutStr(signal.AttrHostName, "host")
	attributes.PutStr(signal.AttrHWID, "GPU-49b1286a-5307-0881-3d29-e79412af8620")
	attributes.PutStr(signal.AttrFleetName, recordedFleet)
	attributes.PutStr(signal.AttrNIXLAgentName, "f1ee7001-0000-4000-8000-000000000100")
	attributes.PutStr(signal.AttrServiceInstanceID, "127.0.0.1:8000")
	p := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.Attributes().PutStr(signal.AttrPhase, "decode")
	return md
}
