package exposition

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestEnginesAgreeWithTheTruth: whatever the engine and its version, what it tells of the same work is the same, once per engine core,
// and what it does not tell is absent.
func TestEnginesAgreeWithTheTruth(t *testing.T) {
	truth := []struct {
		metric, attribute string
		want              float64 // of one engine core
	}{
		{signal.TokensPrompt, "", playedPrompt},
		{signal.TokensPrompt, signal.TokenSourceLocalCompute, playedPrompt - playedCached - playedFetched},
		{signal.TokensPrompt, signal.TokenSourceLocalHit, playedCached},
		{signal.TokensPrompt, signal.TokenSourceTransfer, playedFetched},
		{signal.TokensGenerated, "", playedGenerated},
		{signal.RequestCount, "", playedRequests},
		{signal.TTFT, "", playedRequests},
		{signal.RequestTime, "", playedRequests},
		{signal.ITL, "", playedGenerated - playedRequests},
		{signal.TPOT, "", playedRequests},
		{signal.QueueTime, "", playedRequests},
		{signal.PhaseTime, signal.PhaseDecode, playedRequests},
		{signal.RequestTokens, signal.TokenTypeInput, playedRequests},
		{signal.Running, "", 3},
		{signal.KVUtilization, "", 0.25},
		{signal.KVCapacityTokens, "", playedCapacity},
		{signal.KVBlockSize, "", 16},
		{signal.KVBlocks, signal.KVUsed, 25},
		{signal.Preemptions, "", 2},
		{signal.PhaseBusyTime, signal.PhasePrefill, playedRequests * playedStep.Seconds()},
		{signal.SpecTokens, signal.SpecAccepted, 10},
	}
	told := make(map[string]bool)
	for _, p := range enginesPlayed() {
		page, openMetrics := writtenPage(t, p.page(t))
		md, _, err := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(signal.PresetFull) }).Scrape(page, openMetrics, start().Add(100*time.Second), "")
		require.NoError(t, err)
		for _, tr := range truth {
			got, n := sumOf(md, tr.metric, tr.attribute)
			if n == 0 {
				continue
			}
			want := (tr.want - p.untold(tr.metric, tr.attribute)) * float64(max(p.ranks, 1))
			assert.InDelta(t, want, got, 1e-9, "%s: %s %s", p, tr.metric, tr.attribute)
			told[tr.metric+tr.attribute] = true
		}
	}
	assert.Len(t, told, len(truth), "every truth is told by some engine")
}

// untold is what an engine leaves out of a figure, or with a minus counts beyond it.
func (p played) untold(metric, attribute string) float64 {
	vllm := strings.HasSuffix(p.name, "vllm")
	switch {
	case metric == signal.TokensPrompt && attribute == "" && vllm && strings.HasPrefix(p.version, "0.6"),
		metric == signal.TokensPrompt && attribute == "" && vllm && strings.HasPrefix(p.version, "0.8"):
		return playedCached + playedFetched // V0 counts what it computes
	case metric == signal.TokensPrompt && attribute == "" && strings.HasSuffix(p.name, "sglang") && p.version != "0.4.10" && p.version != "0.5.5":
		return playedFetched // a scheduler of SGLang does not count what it fetches
	case metric == signal.KVCapacityTokens && vllm:
		return -16 // the block that vLLM never uses
	}
	return 0
}

// sumOf adds up the points of a metric over all resources, of a histogram the counts, and says how many there were.
func sumOf(md pmetric.Metrics, metric, attribute string) (v float64, n int) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Name() != metric {
				continue
			}
			var numbers pmetric.NumberDataPointSlice
			switch m.Type() {
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					if strings.Contains(attributes(p.Attributes()), attribute) {
						v, n = v+float64(p.Count()), n+1
					}
				}
				continue
			case pmetric.MetricTypeSum:
				numbers = m.Sum().DataPoints()
			default:
				numbers = m.Gauge().DataPoints()
			}
			for _, p := range numbers.All() {
				if strings.Contains(attributes(p.Attributes()), attribute) {
					v, n = v+p.DoubleValue(), n+1
				}
			}
		}
	}
	return v, n
}
