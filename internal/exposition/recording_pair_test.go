package exposition

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestRecordingOfAPair replays the pages of a prefill and a decode vLLM that handed KV over. Both tell of each request and of its prompt;
// where the prompt's tokens came from tells them apart.
func TestRecordingOfAPair(t *testing.T) {
	dir := filepath.Join(recordings, "pair-vllm-0.32.0-cpu")
	raw, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	require.NoError(t, err)
	var r struct{ Requests [][4]float64 } // prompt and completion tokens as the prefill server told them, and as the decode server did
	require.NoError(t, json.Unmarshal(raw, &r))
	require.NotEmpty(t, r.Requests)
	var prompt, first, rest float64
	for _, q := range r.Requests {
		assert.Equal(t, q[0], q[2])
		prompt, first, rest = prompt+q[0], first+q[1], rest+q[3]
	}
	for role, want := range map[string]struct{ computed, fetched, generated float64 }{
		"prefill": {prompt, 0, first}, "decode": {0, prompt, rest},
	} {
		t.Run(role, func(t *testing.T) {
			b := newBook(t)
			var got map[sample]float64
			for i := range 2 {
				md, report, err := b.Scrape(readPage(t, filepath.Join(dir, fmt.Sprintf("%s-%03d.prom", role, i))), false, start().Add(time.Duration(i)*time.Minute), "")
				require.NoError(t, err)
				report.SeriesRemembered, report.Points = 0, 0
				assert.Equal(t, Report{}, report)
				got = samples(md)
			}
			total := func(metric, attributes, what string) float64 {
				v, ok := got[sample{rank: "0", model: "tiny-llama", metric: metric, attributes: attributes, what: what}]
				require.True(t, ok, "%s %s %s in %v", metric, attributes, what, got)
				return v
			}
			assert.Equal(t, want.computed, total(signal.TokensPrompt, "{llm.token.source=local_compute}", "value"))
			assert.Equal(t, want.fetched, total(signal.TokensPrompt, "{llm.token.source=external_kv_transfer}", "value"))
			assert.Equal(t, want.generated, total(signal.TokensGenerated, "{}", "value"))
		})
	}
}
