package exposition

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestFedIsAsScraped feeds the families that a scrape forwards untouched, as another receiver would send them, to a second book:
// both say the same.
func TestFedIsAsScraped(t *testing.T) {
	starts := regexp.MustCompile(` since \S+`)
	for _, p := range enginesPlayed() {
		t.Run(p.String(), func(t *testing.T) {
			page, openMetrics := writtenPage(t, p.page(t))
			scraping := newBook(t, func(s *Settings) { s.Raw, s.Vocabulary = true, NewVocabulary(signal.PresetFull) })
			md, _, err := scraping.Scrape(page, openMetrics, start().Add(100*time.Second), "")
			require.NoError(t, err)
			own, raw := pmetric.NewMetrics(), pmetric.NewResourceMetrics()
			md.CopyTo(own)
			last := own.ResourceMetrics().At(own.ResourceMetrics().Len() - 1)
			last.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
				if !strings.HasSuffix(sm.Scope().Name(), "/raw") {
					return false
				}
				sm.MoveTo(raw.ScopeMetrics().AppendEmpty())
				return true
			})
			fed := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(signal.PresetFull) })
			got, report := fed.Feed(raw)
			assert.Zero(t, report.Unreadable)
			checkSound(t, got)
			want := strings.ReplaceAll(starts.ReplaceAllString(text(own), ""), "  up gauge 1 {} 1\n", "")
			if p.frontEnd != "" { // what tells the front end is not in its numbers
				want = strings.ReplaceAll(want, "variant=rust", "variant=v1")
			}
			assert.Equal(t, want, starts.ReplaceAllString(text(got), ""))
		})
	}
}

func fedCounter(v float64, begin, at time.Duration, attributes map[string]any) pmetric.ResourceMetrics {
	rm := pmetric.NewResourceMetrics()
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("vllm:generation_tokens_total")
	m.SetEmptySum().SetIsMonotonic(true)
	m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := m.Sum().DataPoints().AppendEmpty()
	p.SetDoubleValue(v)
	if begin >= 0 {
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(start().Add(begin)))
	}
	p.SetTimestamp(pcommon.NewTimestampFromTime(start().Add(at)))
	if err := p.Attributes().FromRaw(attributes); err != nil {
		panic(err)
	}
	return rm
}

func TestFedStartTimesAndResets(t *testing.T) {
	b := newBook(t)
	labels := map[string]any{"engine": "0", "model_name": "m"}
	md, _ := b.Feed(fedCounter(100, 10*time.Second, 60*time.Second, labels))
	assert.Contains(t, text(md), "llm.engine.tokens.generated sum {token} {} since 50s 100\n", "the start of the source")
	md, _ = b.Feed(fedCounter(130, 10*time.Second, 70*time.Second, labels))
	assert.Contains(t, text(md), "since 1m0s 130\n")
	md, _ = b.Feed(fedCounter(5, 72*time.Second, 80*time.Second, labels))
	assert.Contains(t, text(md), "since 8s 5\n", "a restart")
	assert.NotContains(t, text(md), "  up ")
}

func TestFedLeavesOutWhatItCannotRead(t *testing.T) {
	b := newBook(t)
	rm := fedCounter(1, -1, time.Minute, map[string]any{"model_name": "m"})
	rm.ScopeMetrics().At(0).Metrics().At(0).Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	md, report := b.Feed(rm)
	assert.Equal(t, 1, report.Unreadable)
	assert.Zero(t, md.DataPointCount())

	rm = fedCounter(1, -1, time.Minute, map[string]any{"model_name": "m"})
	rm.ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	md, _ = b.Feed(rm)
	assert.Zero(t, md.DataPointCount(), "stale")

	rm = fedCounter(1, -1, time.Minute, nil)
	rm.ScopeMetrics().At(0).Metrics().At(0).SetName("http_requests_total")
	md, _ = b.Feed(rm)
	assert.Zero(t, md.DataPointCount(), "no engine")
	md, _ = b.Feed(pmetric.NewResourceMetrics())
	assert.Zero(t, md.DataPointCount())
}

// TestFedSeriesAreLimited: what is beyond the limit is counted and not remembered, histograms too.
func TestFedSeriesAreLimited(t *testing.T) {
	b := newBook(t, func(s *Settings) { s.MaxSeries = 100 })
	rm := pmetric.NewResourceMetrics()
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("sglang:per_stage_req_latency_seconds")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range 500 {
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(start()))
		p.Attributes().PutStr("stage", strconv.Itoa(i))
		p.SetCount(1)
		p.ExplicitBounds().FromRaw([]float64{1})
		p.BucketCounts().FromRaw([]uint64{1, 0})
	}
	md, report := b.Feed(rm)
	assert.LessOrEqual(t, report.SeriesRemembered, 100)
	assert.Positive(t, report.RejectedLimit)
	assert.Less(t, len(b.fed), 100)
	checkSound(t, md)
}
