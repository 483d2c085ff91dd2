//go:build accept

package exposition

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPublicPages reads the pages of other people's engines in DATA/expositions. Of vLLM's nothing may be unknown, broken or
// dropped, and every page must be readable.
func TestPublicPages(t *testing.T) {
	data := os.Getenv("DATA")
	require.NotEmpty(t, data, "DATA must name the folder of the public data")
	pages, err := filepath.Glob(filepath.Join(data, "expositions", "*.prom"))
	require.NoError(t, err)
	require.NotEmpty(t, pages, "no pages in DATA/expositions")
	vllm := 0
	for _, path := range pages {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b := newBook(t)
			md, report, err := b.Scrape(readPage(t, path), false, start().Add(time.Minute), "")
			require.NoError(t, err)
			checkSound(t, md)
			for _, rm := range md.ResourceMetrics().All() {
				for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
					checkMetric(t, m)
				}
			}
			assert.Zero(t, report.BrokenLines)
			if strings.HasPrefix(filepath.Base(path), "vllm") {
				vllm++
				assert.Empty(t, report.Drift)
				assert.Zero(t, report.BadHistograms+report.NotNumbers+report.RejectedBad)
				assert.Greater(t, report.Points, 3)
				assert.Equal(t, "vllm", b.Engine())
			}
		})
	}
	assert.Positive(t, vllm, "pages of vLLM")
}
