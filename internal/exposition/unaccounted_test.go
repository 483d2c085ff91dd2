package exposition

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestABrokenLineLeavesNoTokensUnaccounted: what cannot be read on this page was counted by the engine all the same.
func TestABrokenLineLeavesNoTokensUnaccounted(t *testing.T) {
	page := func(hits string) string {
		return fmt.Sprintf("# TYPE vllm:prompt_tokens_total counter\n"+
			"vllm:prompt_tokens_total{engine=\"0\",model_name=\"m\"} 1000\n"+
			"# TYPE vllm:prompt_tokens_by_source_total counter\n"+
			"vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"m\",source=\"local_compute\"} 700\n"+
			"vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"m\",source=\"local_cache_hit\"} %s\n", hits)
	}
	b := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(signal.PresetFull) })
	for i, c := range []struct {
		hits string
		told bool
	}{{"250", true}, {"", false}, {"250", true}} {
		md, _, err := b.Scrape(body(page(c.hits)), false, start().Add(time.Duration(i)*10*time.Second), "")
		require.NoError(t, err)
		left, n := sumOf(md, signal.TokensUnaccounted, "")
		assert.Equal(t, c.told, n == 1, "page %d", i)
		if c.told {
			assert.Equal(t, 50.0, left)
		}
	}
}
