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

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// publicPage is what must be read on a page of somebody else's engine.
type publicPage struct {
	engine string
	want   map[string]float64 // by metric and a part of its attributes
}

func publicPages() map[string]publicPage {
	return map[string]publicPage{
		"vllm-v1-dp2-1.prom":        {engine: "vllm"},
		"vllm-v0.11-lmcache-1.prom": {engine: "vllm", want: map[string]float64{signal.TTFT: 45, signal.TokensCached + " remote": 1529}},
		"sglang-prefill-1.prom": {engine: "sglang", want: map[string]float64{
			signal.Waiting: 1, signal.DisaggQueue + " " + signal.QueuePrefillBootstrap: 2, signal.KVTransferTime: 12,
			signal.RequestStageTime + " prefill_bootstrap": 10,
		}},
		"trtllm-1.x-representative-1.prom": {engine: "tensorrt_llm", want: map[string]float64{
			signal.RequestCount + " stop": 95, signal.KVUtilization: 0.62, signal.TTFT: 100, signal.TPOT: 100,
		}},
		"triton-trtllm-2026-07-1.prom": {engine: "triton", want: map[string]float64{
			signal.Waiting: 1, signal.Running: 1, signal.RunningLimit: 512, signal.KVUtilization: 0.4875, signal.KVBlockSize: 64,
			signal.KVCapacityTokens: 64 * 6239, signal.MemoryUsage + " gpu": 1610236,
		}},
	}
}

// TestPublicPages reads the pages of other people's engines in DATA/expositions: nothing is unknown, broken or dropped, and the
// figures are those of the page.
func TestPublicPages(t *testing.T) {
	data := os.Getenv("DATA")
	require.NotEmpty(t, data, "DATA must name the folder of the public data")
	pages, err := filepath.Glob(filepath.Join(data, "expositions", "*.prom"))
	require.NoError(t, err)
	require.NotEmpty(t, pages, "no pages in DATA/expositions")
	known := 0
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
			p, ok := publicPages()[filepath.Base(path)]
			if !ok {
				return
			}
			known++
			assert.Equal(t, p.engine, b.Engine())
			assert.Empty(t, report.Drift)
			assert.Zero(t, report.BadHistograms+report.NotNumbers+report.RejectedBad)
			for what, want := range p.want {
				name, attribute, _ := strings.Cut(what, " ")
				got, _ := sumOf(md, name, attribute)
				assert.Equal(t, want, got, what)
			}
		})
	}
	assert.Equal(t, len(publicPages()), known, "pages that are known")
}
