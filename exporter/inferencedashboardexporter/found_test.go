package inferencedashboardexporter

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestWhatIsFoundIsSaidOnceAndWhenItChanges(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	start := time.Unix(1_800_000_000, 0)
	f := newFound(zap.New(core), start)
	s := emptySnapshot()
	s.Workers = []workerView{{Identity: &identity{Engine: "vllm"}}, {Identity: &identity{Engine: "vllm"}}, {Identity: &identity{Engine: "sglang"}}}
	r := newRegister(10)
	md := pmetric.NewMetrics()
	addGauge(resourceOf(md, map[string]any{signal.AttrHWID: "GPU-1", signal.AttrHostName: "a"}), signal.HWPower, start, 300, nil)
	addGauge(resourceOf(md, workerAttrs()), signal.SourceMissing, start, 1, map[string]any{signal.AttrSource: "kv_events", signal.AttrSourceHint: "--kv-events-config"})
	at := func(after time.Duration) time.Time {
		now := start.Add(after)
		for i := range md.ResourceMetrics().Len() {
			p := md.ResourceMetrics().At(i).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0)
			p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		}
		var rejected tally
		r.observe(md, now, &rejected)
		return now
	}
	for after := time.Second; after < settled; after += time.Second {
		f.tell(s, r, at(after))
	}
	require.Zero(t, logs.Len(), "discovery is not done yet")
	for after := settled; after < 10*time.Minute; after += time.Second {
		f.tell(s, r, at(after))
	}
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, map[string]any{
		"engines": []any{"1 sglang", "2 vllm"}, "gpus": int64(1), "nixl_agents": int64(0), "missing": []any{"kv_events: --kv-events-config"},
	}, logs.All()[0].ContextMap())

	// An engine that comes and goes every second is no flood.
	for i := range 300 {
		s.Workers = s.Workers[:2+i%2]
		f.tell(s, r, at(10*time.Minute+time.Duration(i)*time.Second))
	}
	assert.LessOrEqual(t, logs.Len(), 1+5)
	assert.Greater(t, logs.Len(), 1)
}

func TestNothingFoundIsSaidToo(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	start := time.Unix(1_800_000_000, 0)
	f := newFound(zap.New(core), start)
	f.tell(emptySnapshot(), newRegister(1), start.Add(settled))
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, []any{}, logs.All()[0].ContextMap()["engines"])
}

func TestMissingSourcesAreBounded(t *testing.T) {
	sources := map[string]bool{}
	for i := range 100 {
		sources[fmt.Sprintf("source-%03d", i)] = true
	}
	names := named(sources)
	require.Len(t, names, maxMissing+1)
	assert.Equal(t, "and 80 more", names[maxMissing])
}
