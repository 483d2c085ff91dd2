package exposition

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzScrape feeds two pages of anything to one book: no panic, no number that is none, no start after its end.
func FuzzScrape(f *testing.F) {
	pages, err := filepath.Glob("testdata/*.prom")
	require.NoError(f, err)
	for _, path := range pages {
		page, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(page, page, false)
		f.Add(page, page[:len(page)/2], true)
	}
	for _, page := range []string{
		"", "\n\n", "#", "# EOF", "vllm:a", "vllm:a{", "{\"vllm:num_requests_running\"} 1\n", "vllm:num_requests_running 1 1 1\n",
		"vllm:num_requests_running{engine=\"\\n\\\\\\\"\"} 1\n", "vllm:iteration_tokens_total_bucket{le=\"nan\"} 1\n", "\x00\nvllm:prompt_tokens_total 1e400\n",
		"vllm:iteration_tokens_total_bucket{le=\"1\"} 1e300\nvllm:iteration_tokens_total_count 1e300\n",
		"vllm:prompt_tokens_total{} 1\nvllm:prompt_tokens_created{} -1\n", "# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total 1\r\n",
	} {
		f.Add([]byte(page), []byte(tokens(1)), false)
		f.Add([]byte(page), []byte(tokens(1)), true)
	}
	f.Fuzz(func(t *testing.T, one, two []byte, openMetrics bool) {
		b := newBook(t, func(s *Settings) { s.MaxSeries = 200 })
		for i, page := range [][]byte{one, two, one} {
			at := start().Add(time.Duration(i) * time.Second)
			md, report, err := b.Scrape(body(string(page)), openMetrics, at, "")
			if err != nil {
				md = b.Down(at)
			}
			require.LessOrEqual(t, report.SeriesRemembered, 200+1)
			require.LessOrEqual(t, report.BrokenLines, maxBrokenLines)
			checkSound(t, md)
		}
	})
}
