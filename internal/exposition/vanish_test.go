package exposition

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestVanishedFamiliesAreDrift: names that change under a running observer show, be it by a family that is there no more.
func TestVanishedFamiliesAreDrift(t *testing.T) {
	waiting := "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 1\n"
	old := "# TYPE vllm:gpu_cache_usage_perc gauge\nvllm:gpu_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.5\n"
	renamed := "# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.5\n"
	for _, tt := range []struct {
		why           string
		before, after string
		pages         int // of after
		want          []string
	}{
		{"still there", tokens(1) + waiting, tokens(2) + waiting, 3 * sweepEvery, nil},
		{"away for a few pages", tokens(1) + waiting, tokens(2), 5, nil},
		{"gone", tokens(1) + waiting, tokens(2), 3 * sweepEvery, []string{"vllm:num_requests_waiting"}},
		{"under its newer name", tokens(1) + old, tokens(2) + renamed, 3 * sweepEvery, nil},
		{"with the whole engine", tokens(1) + waiting, "# TYPE other gauge\nother 1\n", 3 * sweepEvery, nil},
		{"gone with a restart", process(0) + tokens(5) + waiting, process(200) + tokens(1), 3 * sweepEvery, []string{"vllm:num_requests_waiting"}},
		{"a counter that waits for its first request after a restart", process(0) + tokens(5) + waiting, process(200) + waiting, 3 * sweepEvery, nil},
	} {
		b := newBook(t)
		pages := []string{tt.before, tt.before}
		for range tt.pages {
			pages = append(pages, tt.after)
		}
		var vanished []string
		for i, page := range pages {
			_, report, err := b.Scrape(body(page), false, start().Add(time.Duration(500+i)*time.Second), "")
			assert.NoError(t, err)
			vanished = append(vanished, report.Vanished...)
		}
		assert.Equal(t, tt.want, slices.Compact(vanished), tt.why)
		got, _ := play(t, b, tt.after)
		if len(tt.want) > 0 {
			assert.Regexp(t, `llm.source.drift sum \{family\} \{llm.engine.name=vllm\} since \S+ 1\n`, got, tt.why)
		}
	}
}
