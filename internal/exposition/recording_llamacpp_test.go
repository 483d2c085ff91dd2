package exposition

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestRecordingOfLlamaCpp replays pages of a real llama.cpp server: nothing unknown, and the tokens that its clients were told of.
func TestRecordingOfLlamaCpp(t *testing.T) {
	dir := filepath.Join(recordings, "llama_cpp-b10434-cpu")
	r := readRecording(t, dir)
	raw, err := os.ReadFile(filepath.Join(dir, "requests.json"))
	require.NoError(t, err)
	var requests [][3]float64 // prompt, completion and cached tokens
	require.NoError(t, json.Unmarshal(raw, &requests))
	require.Len(t, requests, int(r.Client.Completed.Requests))
	b := newBook(t)
	var got map[sample]float64
	for _, s := range r.Snapshots {
		md, report, err := b.Scrape(readPage(t, filepath.Join(dir, s.File)), false, time.UnixMilli(int64(s.Time*1000)), "")
		require.NoError(t, err)
		report.SeriesRemembered, report.Points = 0, 0
		assert.Equal(t, Report{}, report, s.File)
		got = samples(md)
	}
	total := func(metric, attributes string) float64 {
		v, ok := got[sample{rank: "0", metric: metric, attributes: attributes, what: "value"}]
		require.True(t, ok, "%s %s in %v", metric, attributes, got)
		return v
	}
	computed, cached, generated := 0.0, 0.0, 0.0
	for _, q := range requests {
		computed, cached, generated = computed+q[0]-q[2], cached+q[2], generated+q[1]
	}
	assert.Equal(t, computed, total(signal.TokensPrompt, "{llm.token.source=local_compute}"))
	assert.Equal(t, cached, total(signal.TokensPrompt, "{llm.token.source=local_cache_hit}"))
	assert.Positive(t, cached)
	assert.Equal(t, generated, total(signal.TokensGenerated, "{}"))
	assert.Zero(t, total(signal.Running, "{}"))
	for key := range got {
		assert.NotEqual(t, signal.PhaseBusyTime, key.metric, "slots overlap")
	}
}
