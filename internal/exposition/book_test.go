package exposition

import (
	"fmt"
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

func TestDriftCountsEachFamilyOnce(t *testing.T) {
	page := `# TYPE vllm:new_total counter
vllm:new_total{engine="0",model_name="m",a="1"} 1
vllm:new_total{engine="0",model_name="m",a="2"} 1
# TYPE vllm:new_created gauge
vllm:new_created{engine="0",model_name="m",a="1"} 1
# TYPE vllm:fresh_seconds histogram
vllm:fresh_seconds_bucket{le="+Inf",engine="0"} 1
vllm:fresh_seconds_count{engine="0"} 1
vllm:fresh_seconds_sum{engine="0"} 1
# TYPE vllm:num_preemptions_total gauge
vllm:num_preemptions_total{engine="0",model_name="m"} 1
# TYPE other:foreign_total counter
other:foreign_total 1
vllm:avg_prompt_throughput_toks_per_s{model_name="m"} 1
`
	b := newBook(t)
	_, report := play(t, b, other+page)
	assert.Equal(t, []string{"vllm:new", "vllm:fresh_seconds", "vllm:num_preemptions"}, report.Drift)
	pages := make([]string, 2*sweepEvery)
	for i := range pages {
		pages[i] = other + page
	}
	got, report := play(t, b, pages...)
	assert.Empty(t, report.Drift)
	assert.Regexp(t, `llm.source.drift sum \{family\} \{llm.engine.name=vllm\} since \S+ 3\n`, got)
}

func TestPlainFormYieldsToParts(t *testing.T) {
	waiting := "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 5\n"
	parts := `vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 3
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="deferred"} 2
`
	got, _ := play(t, newBook(t), waiting)
	assert.Contains(t, got, "llm.engine.requests.waiting updowncounter {request} {} since 0s 5\n")
	b := newBook(t)
	got, _ = play(t, b, waiting+parts)
	assert.NotContains(t, got, "llm.engine.requests.waiting updowncounter {request} {} ")
	assert.Contains(t, got, "{llm.wait.reason=capacity} since 0s 3\n")
	// A page without the parts does not bring the plain form back: a stream that comes and goes would count twice.
	got, _ = play(t, b, waiting)
	assert.NotContains(t, got, "llm.engine.requests.waiting")
	// A restart into a version without them does.
	got, _ = play(t, b, process(0)+waiting, process(105)+waiting, process(105)+waiting)
	assert.Contains(t, got, "llm.engine.requests.waiting updowncounter {request} {} since ")
}

func TestSeriesLimit(t *testing.T) {
	var page strings.Builder
	page.WriteString(tokens(5))
	for i := range 500 {
		fmt.Fprintf(&page, "vllm:request_success_total{engine=\"0\",model_name=\"m\",finished_reason=\"r%d\"} 1\n", i)
	}
	b := newBook(t, func(s *Settings) { s.MaxSeries = 100 })
	got, report := play(t, b, page.String(), page.String())
	assert.Equal(t, 100, report.SeriesRemembered)
	assert.Equal(t, 401, report.RejectedLimit)
	assert.Contains(t, got, "llm.engine.tokens.generated", "what was known before the limit stays")
	assert.Contains(t, got, "{llm.finish_reason=r98}")
	assert.NotContains(t, got, "{llm.finish_reason=r99}")
}

// TestChurnAtTheLimitKeepsThePage: label sets that are gone do not keep out those that are there.
func TestChurnAtTheLimitKeepsThePage(t *testing.T) {
	b := newBook(t, func(s *Settings) { s.MaxSeries = 100 })
	for i := range 3 * sweepEvery {
		page := tokens(1000 + i)
		for j := range 40 {
			page += fmt.Sprintf("vllm:request_success_total{engine=\"0\",model_name=\"m\",finished_reason=\"r%d\"} 1\n", 40*i+j)
		}
		md, report, err := b.Scrape(body(page), false, start().Add(time.Duration(i)*time.Second), "")
		require.NoError(t, err)
		require.Zero(t, report.RejectedLimit, "page %d", i)
		require.LessOrEqual(t, report.SeriesRemembered, 100)
		require.Equal(t, 40, strings.Count(text(md), "llm.engine.request.count"), "page %d", i)
		p, _ := point(md, signal.TokensGenerated)
		require.Equal(t, start().UnixNano(), int64(p.StartTimestamp()), "what stays is not begun anew")
	}
}

// TestLabelsInAnotherOrderAtTheLimit are still the series that was there.
func TestLabelsInAnotherOrderAtTheLimit(t *testing.T) {
	b := newBook(t, func(s *Settings) { s.MaxSeries = 2 })
	turned := strings.ReplaceAll(tokens(7), `engine="0",model_name="m"`, `model_name="m",engine="0"`)
	got, report := play(t, b, other+tokens(5), other, other+turned)
	assert.Zero(t, report.RejectedLimit)
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 20s 7\n")
}

// TestChurnAtTheLimitOfAFeed does the same with points, of which a histogram takes several places at once.
func TestChurnAtTheLimitOfAFeed(t *testing.T) {
	b := newBook(t, func(s *Settings) { s.MaxSeries = 100 })
	for i := range 3 * sweepEvery {
		rm := pmetric.NewResourceMetrics()
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("vllm:inter_token_latency_seconds")
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for j := range 5 {
			p := m.Histogram().DataPoints().AppendEmpty()
			p.SetTimestamp(pcommon.NewTimestampFromTime(start().Add(time.Duration(i) * time.Second)))
			p.SetCount(3)
			p.ExplicitBounds().FromRaw([]float64{0.1, 1, 10})
			p.BucketCounts().FromRaw([]uint64{1, 1, 1, 0})
			p.Attributes().PutStr("engine", strconv.Itoa(5*i+j))
			p.Attributes().PutStr("model_name", "m")
		}
		md, report := b.Feed(rm)
		require.Zero(t, report.RejectedLimit+report.BadHistograms, "page %d", i)
		require.Equal(t, 5, strings.Count(text(md), "llm.engine.inter_token.latency"), "page %d", i)
		require.NotContains(t, text(md), " sum=", "none was told")
	}
}

func TestWorkerLimit(t *testing.T) {
	var page strings.Builder
	for i := range maxGroups + 10 {
		page.WriteString(strings.ReplaceAll(tokens(i), `engine="0"`, fmt.Sprintf(`engine="%d"`, i)))
	}
	b := newBook(t)
	_, report := play(t, b, page.String(), page.String())
	assert.Len(t, b.groups, maxGroups)
	assert.Equal(t, 10, report.RejectedLimit)
}

func TestLongSeriesIsRejected(t *testing.T) {
	long := fmt.Sprintf("vllm:num_requests_running{engine=\"0\",model_name=\"%s\"} 1\n", strings.Repeat("x", maxSeriesBytes))
	_, report := play(t, newBook(t), tokens(1)+long)
	assert.Equal(t, 1, report.RejectedLong)
}

// TestChurnIsSwept has label sets that come and go, as LoRA's do: memory follows what is on the page.
func TestChurnIsSwept(t *testing.T) {
	b := newBook(t)
	var last Report
	for i := range 4 * sweepEvery {
		page := tokens(i) + fmt.Sprintf("vllm:lora_requests_info{max_lora=\"1\",running_lora_adapters=\"a%d\"} %d\n", i, 1000+i) +
			fmt.Sprintf("vllm:request_success_total{engine=\"%d\",model_name=\"m\",finished_reason=\"x\"} 1\n", i)
		_, report, err := b.Scrape(body(page), false, start().Add(time.Duration(i)*time.Second), "")
		require.NoError(t, err)
		last = report
	}
	assert.LessOrEqual(t, last.SeriesRemembered, 1+2*2*sweepEvery)
	assert.LessOrEqual(t, len(b.groups), 2+2*sweepEvery)
	assert.LessOrEqual(t, len(b.foreign), 10)
}

func TestDown(t *testing.T) {
	b := newBook(t)
	at := start().Add(time.Minute)
	assert.Equal(t, "resource {server.address=10.0.0.7 server.port=8000 service.instance.id=10.0.0.7:8000 service.name=unknown_service}\n"+
		"  up gauge 1 {} 0\n", text(b.Down(at)), "never seen")
	_, _, err := b.Scrape(readPage(t, "testdata/dp2.prom"), false, at, "")
	require.NoError(t, err)
	got := text(b.Down(at.Add(time.Second)))
	assert.Equal(t, 2, strings.Count(got, "up gauge 1 {} 0\n"), "each worker")
	assert.Contains(t, got, "service.instance.id=10.0.0.7:8000/dp1 ")
}

func TestQuietPageIsNoFailure(t *testing.T) {
	b := newBook(t)
	got, _ := play(t, b, "# EOF\n")
	assert.Contains(t, got, "up gauge 1 {} 1\n")
	assert.Empty(t, b.Engine())
	_, _ = play(t, b, tokens(1))
	assert.Equal(t, "vllm", b.Engine())
	got, _ = play(t, b, "# EOF\n")
	assert.Contains(t, got, "llm.engine.name=vllm", "sticky")
	assert.Equal(t, "vllm", b.Engine())
}

func TestBrokenLinesCostThemselves(t *testing.T) {
	var page strings.Builder
	for i := range maxBrokenLines - 1 {
		fmt.Fprintf(&page, "<p>line %d</p>\nvllm:request_success_total{engine=\"0\",model_name=\"m\",finished_reason=\"r%d\"} %d\n\n", i, i, i)
	}
	got, report := play(t, newBook(t), page.String()+tokens(7))
	assert.Equal(t, maxBrokenLines-1, report.BrokenLines)
	assert.Equal(t, maxBrokenLines-1, strings.Count(got, "llm.engine.request.count"))
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 0s 7\n")
}

func TestNotAMetricsPage(t *testing.T) {
	for name, page := range map[string]string{
		"HTML":        "<html>\n<body>\n<h1>It works</h1>\n</body>\n</html>\n",
		"one line":    "not found",
		"blank end":   "<html>\n\n \n",
		"many faults": tokens(5) + strings.Repeat("<p>\n", maxBrokenLines+1),
		"binary":      "\x00\x01\x02\x03",
		"open quotes": tokens(5) + strings.Repeat("vllm:a{b=\"\nvllm:a{b=c\n", 1<<18),
	} {
		b := newBook(t)
		_, _, err := b.Scrape(body(page), false, start(), "")
		assert.ErrorIs(t, err, errMalformed, name)
	}
	b := newBook(t)
	_, _, err := b.Scrape(body("vllm:a 1\n"), true, start(), "")
	require.NoError(t, err, "OpenMetrics cut short costs its end only")
}

func TestZeroByteCostsItsLine(t *testing.T) {
	got, report := play(t, newBook(t), other+"\x00\x00 1\n"+tokens(7))
	assert.Equal(t, 1, report.BrokenLines)
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 0s 7\n")
}

func TestBrokenReport(t *testing.T) {
	_, report := play(t, newBook(t), string(readPage(t, "testdata/faults.prom")))
	report.Points, report.SeriesRemembered = 0, 0
	assert.Equal(t, Report{BrokenLines: 3, RejectedBad: 1, NotNumbers: 2, BadHistograms: 2}, report)
}

// TestRanksKeepTheirName: a target that showed two ranks names them so, also while one is gone.
func TestRanksKeepTheirName(t *testing.T) {
	b := newBook(t)
	both := tokens(5) + strings.ReplaceAll(tokens(6), `engine="0"`, `engine="1"`)
	pages := []string{both}
	for range 2*sweepEvery + 1 {
		pages = append(pages, tokens(5))
	}
	got, _ := play(t, b, pages...)
	assert.Equal(t, 1, strings.Count(got, "resource "))
	assert.Contains(t, got, "service.instance.id=10.0.0.7:8000/dp0")
}

func TestTwoModelsOnOneRank(t *testing.T) {
	got, _ := play(t, newBook(t), tokens(5)+strings.ReplaceAll(tokens(6), `"m"`, `"n"`)+"vllm:cache_config_info{engine=\"0\",block_size=\"16\"} 1\n")
	assert.Contains(t, got, "gen_ai.request.model=m ")
	assert.Contains(t, got, "gen_ai.request.model=n ")
	assert.Equal(t, 1, strings.Count(got, "llm.engine.kv_cache.block_size"))
	assert.NotContains(t, got, "/dp0")
}

// TestADamagedHistogramIsLeftOut: a page that lost one line of a histogram says nothing of that histogram. What is left would look
// like one with other buckets or without a sum, and a consumer would take it for a restart.
func TestADamagedHistogramIsLeftOut(t *testing.T) {
	const page = "# TYPE vllm:inter_token_latency_seconds histogram\n" +
		"vllm:inter_token_latency_seconds_bucket{engine=\"0\",le=\"0.1\",model_name=\"m\"} 4.0\n" +
		"vllm:inter_token_latency_seconds_bucket{engine=\"0\",le=\"1.0\",model_name=\"m\"} 6.0\n" +
		"vllm:inter_token_latency_seconds_bucket{engine=\"0\",le=\"+Inf\",model_name=\"m\"} 7.0\n" +
		"vllm:inter_token_latency_seconds_count{engine=\"0\",model_name=\"m\"} 7.0\n" +
		"vllm:inter_token_latency_seconds_sum{engine=\"0\",model_name=\"m\"} 3.5\n"
	for name, line := range map[string]string{"bucket": `le="1.0"`, "sum": "_sum{", "count": "_count{"} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			got, _ := play(t, b, tokens(5)+page)
			require.Contains(t, got, "llm.engine.inter_token.latency")
			broken := strings.Replace(page, line, "\x00"+line, 1)
			got, report := play(t, b, tokens(6)+broken)
			assert.Equal(t, 1, report.BrokenLines)
			assert.Equal(t, 1, report.ShortPoints)
			assert.NotContains(t, got, "llm.engine.inter_token.latency")
			assert.Contains(t, got, "llm.engine.tokens.generated", "the rest goes on")
			got, report = play(t, b, tokens(7)+page)
			assert.False(t, report.Restarted)
			assert.Contains(t, got, "llm.engine.inter_token.latency")
		})
	}
}

func TestARankThatIsNoLongerOnThePageIsNotUp(t *testing.T) {
	b := newBook(t)
	both := tokens(5) + strings.ReplaceAll(tokens(6), `engine="0"`, `engine="1"`)
	got, _ := play(t, b, both)
	assert.Equal(t, 2, strings.Count(got, "up gauge 1 {} 1"))
	got, _ = play(t, b, tokens(7))
	assert.Equal(t, 1, strings.Count(got, "up gauge 1 {} 1"))
	assert.Equal(t, 1, strings.Count(got, "up gauge 1 {} 0"))
}
