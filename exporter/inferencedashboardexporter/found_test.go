package inferencedashboardexporter

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	s.Subjects = []subjectView{
		{Kind: kindGPU},
		{Kind: kindWorker, Sections: map[string]sectionView{sectionSources: {signal.SourceMissing: {{Of: []string{"kv_events", "--kv-events-config"}, Value: some(1)}}}}},
	}
	for at := time.Second; at < settled; at += time.Second {
		f.tell(s, start.Add(at))
	}
	require.Zero(t, logs.Len(), "discovery is not done yet")
	for at := settled; at < 10*time.Minute; at += time.Second {
		f.tell(s, start.Add(at))
	}
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, map[string]any{
		"engines": []any{"1 sglang", "2 vllm"}, "gpus": int64(1), "nixl_agents": int64(0), "missing": []any{"kv_events: --kv-events-config"},
	}, logs.All()[0].ContextMap())

	// An engine that comes and goes every second is no flood.
	for i := range 300 {
		s.Workers = s.Workers[:2+i%2]
		f.tell(s, start.Add(10*time.Minute+time.Duration(i)*time.Second))
	}
	assert.LessOrEqual(t, logs.Len(), 1+5)
	assert.Greater(t, logs.Len(), 1)
}

func TestNothingFoundIsSaidToo(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	start := time.Unix(1_800_000_000, 0)
	f := newFound(zap.New(core), start)
	f.tell(emptySnapshot(), start.Add(settled))
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, []any{}, logs.All()[0].ContextMap()["engines"])
}

func TestMissingSourcesAreBounded(t *testing.T) {
	s := emptySnapshot()
	figures := []figureView{}
	for i := range 100 {
		figures = append(figures, figureView{Of: []string{fmt.Sprintf("source-%03d", i)}, Value: some(1)})
	}
	s.Subjects = []subjectView{{Kind: kindWorker, Sections: map[string]sectionView{sectionSources: {signal.SourceMissing: figures}}}}
	names := missingOf(s)
	require.Len(t, names, maxMissing+1)
	assert.Equal(t, "and 80 more", names[maxMissing])
}
