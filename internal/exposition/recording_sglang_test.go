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

// TestRecordingOfSGLang replays pages of a real SGLang on a CPU: nothing unknown, and the tokens that its clients were told of.
func TestRecordingOfSGLang(t *testing.T) {
	dir := filepath.Join(recordings, "sglang-0.5.23-cpu")
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
	has := func(want float64, metric, attributes, what string) {
		v, ok := got[sample{rank: "0", model: "tiny-llama", metric: metric, attributes: attributes, what: what}]
		assert.True(t, ok, "%s %s", metric, attributes)
		assert.InDelta(t, want, v, 0, "%s %s", metric, attributes)
	}
	n, prompts, cached, generated := float64(len(requests)), 0.0, 0.0, 0.0
	for _, q := range requests {
		prompts, cached, generated = prompts+q[0], cached+q[2], generated+q[1]
	}
	require.Positive(t, cached)
	has(prompts-cached, signal.TokensPrompt, "{llm.token.source=local_compute}", "value")
	has(cached, signal.TokensPrompt, "{llm.token.source=local_cache_hit}", "value")
	has(cached, signal.KVHitTokens, "{llm.cache.scope=local}", "value")
	has(prompts, signal.KVLookupTokens, "{llm.cache.scope=local}", "value")
	has(prompts, signal.RequestTokens, "{gen_ai.token.type=input}", "sum")
	has(generated, signal.RequestTokens, "{gen_ai.token.type=output}", "sum")
	// realtime_tokens_total leaves out the first token of each, which comes of prefill.
	has(generated, signal.TokensGenerated, "{}", "value")
	has(n, signal.RequestCount, "{}", "value")
	has(n, signal.TTFT, "{}", "count")
	has(n, signal.TPOT, "{}", "count")
	has(0, signal.Running, "{}", "value")
	has(3200, signal.KVCapacityTokens, "{}", "value")
	has(16, signal.KVBlockSize, "{}", "value")
}
