package exposition

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// realtime is a page of SGLang after so many tokens of decode and requests that had their first token; those below 0 are not there.
func realtime(decode, streamed, whole int) string {
	var page strings.Builder
	fmt.Fprintf(&page, "# TYPE sglang:realtime_tokens_total counter\nsglang:realtime_tokens_total{mode=\"decode\",model_name=\"m\",tp_rank=\"0\"} %d\n", decode)
	page.WriteString("# TYPE sglang:time_to_first_token_seconds histogram\n")
	for streaming, n := range map[bool]int{true: streamed, false: whole} {
		if n >= 0 {
			fmt.Fprintf(&page, "sglang:time_to_first_token_seconds_bucket{is_streaming=\"%t\",le=\"+Inf\",model_name=\"m\"} %d\n", streaming, n)
			fmt.Fprintf(&page, "sglang:time_to_first_token_seconds_sum{is_streaming=\"%t\",model_name=\"m\"} %d\n", streaming, n)
			fmt.Fprintf(&page, "sglang:time_to_first_token_seconds_count{is_streaming=\"%t\",model_name=\"m\"} %d\n", streaming, n)
		}
	}
	return page.String()
}

// TestFirstTokensAreGenerated: SGLang's running count is of decode alone. Nothing that is missing on a page makes the sum fall, and an
// engine that began anew keeps nothing.
func TestFirstTokensAreGenerated(t *testing.T) {
	for _, tt := range []struct {
		name      string
		pages     []string
		want      string
		restarted bool
	}{
		{"no request yet", []string{realtime(0, -1, -1)}, "0", false},
		{"one before its first token of decode", []string{realtime(0, 1, -1)}, "1", false},
		{"both kinds of requests", []string{realtime(100, 2, 3)}, "105", false},
		{"they go on", []string{realtime(100, 2, 3), realtime(140, 2, 4)}, "146", false},
		{"a kind is missing", []string{realtime(100, 2, 3), realtime(140, -1, 3)}, "145", false},
		{"and the other goes on", []string{realtime(100, 2, 3), realtime(140, -1, 5)}, "147", false},
		{"all requests are missing", []string{realtime(100, 2, 3), realtime(140, -1, -1)}, "145", false},
		{"the engine began anew", []string{realtime(100, 2, 3), realtime(10, 1, -1)}, "11", true},
		{"and answered nobody yet", []string{realtime(100, 2, 3), realtime(0, -1, -1)}, "0", true},
		{"the process began anew and has done more", []string{process(0) + realtime(100, 2, 3), process(105) + realtime(120, 1, -1)}, "121", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, report := play(t, newBook(t), tt.pages...)
			assert.Regexp(t, `llm\.engine\.tokens\.generated sum \{token\} \{\} since \w+ `+tt.want+"\n", got)
			assert.Equal(t, tt.restarted, report.Restarted)
		})
	}
}

// queued is the wait that a rank's scheduler has observed of so many requests.
func queued(rank string, n int) string {
	return strings.ReplaceAll(fmt.Sprintf("# TYPE sglang:queue_time_seconds histogram\nsglang:queue_time_seconds_bucket{L,le=\"+Inf\"} %d\n"+
		"sglang:queue_time_seconds_sum{L} %d\nsglang:queue_time_seconds_count{L} %d\n", n, n, n), "L", `dp_rank="`+rank+`",model_name="m"`)
}

// TestFirstTokensOfRanks: the front end counts those of all ranks together, so each rank's are those that its scheduler took.
func TestFirstTokensOfRanks(t *testing.T) {
	ranks := func(decode0, decode1, streamed int) string {
		return strings.ReplaceAll(realtime(decode0, streamed, 3), `tp_rank="0"`, `dp_rank="0",tp_rank="0"`) +
			fmt.Sprintf("sglang:realtime_tokens_total{mode=\"decode\",model_name=\"m\",dp_rank=\"1\",tp_rank=\"0\"} %d\n", decode1)
	}
	const first, second = "llm.engine.tokens.generated sum {token} {} since 0s %d\n", "llm.engine.tokens.generated sum {token} {} since 10s %d\n"
	got, _ := play(t, newBook(t), ranks(100, 50, 2))
	assert.Contains(t, got, fmt.Sprintf(first, 100), "no rank tells of its requests")
	assert.Contains(t, got, fmt.Sprintf(first, 50))
	before := ranks(100, 50, 2) + queued("0", 4) + queued("1", 1)
	got, _ = play(t, newBook(t), before)
	assert.Contains(t, got, fmt.Sprintf(first, 104))
	assert.Contains(t, got, fmt.Sprintf(first, 51))
	got, _ = play(t, newBook(t), before, ranks(130, 60, 5)+queued("0", 5)+queued("1", 3))
	assert.Contains(t, got, fmt.Sprintf(second, 135))
	assert.Contains(t, got, fmt.Sprintf(second, 63))

	got, _ = play(t, newBook(t), realtime(0, -1, -1)+strings.ReplaceAll(queued("0", 2), `dp_rank="0",`, ""))
	assert.Contains(t, got, fmt.Sprintf(first, 0), "who waits at one that is alone has no token yet")
}

// fedRealtime are the points of one scrape of SGLang, in two batches: what decode made, and the requests that had their first token.
func fedRealtime(at time.Duration, decode float64, firsts uint64) (counter, histogram pmetric.ResourceMetrics) {
	when := pcommon.NewTimestampFromTime(start().Add(at))
	counter = fedCounter(decode, -1, at, map[string]any{"mode": "decode", "model_name": "m", "tp_rank": "0"})
	counter.ScopeMetrics().At(0).Metrics().At(0).SetName("sglang:realtime_tokens_total")
	histogram = pmetric.NewResourceMetrics()
	m := histogram.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("sglang:time_to_first_token_seconds")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := m.Histogram().DataPoints().AppendEmpty()
	p.SetTimestamp(when)
	p.Attributes().PutStr("model_name", "m")
	p.SetCount(firsts)
	p.ExplicitBounds().FromRaw([]float64{1})
	p.BucketCounts().FromRaw([]uint64{firsts, 0})
	return counter, histogram
}

// TestFirstTokensInAnotherBatch: a batch that was split brings what decode made and the first tokens one after the other, in either
// order, and what was counted before the first scrape is in no interval.
func TestFirstTokensInAnotherBatch(t *testing.T) {
	generated := func(b *Book, rm pmetric.ResourceMetrics) string {
		md, _ := b.Feed(rm)
		_, line, _ := strings.Cut(text(md), "llm.engine.tokens.generated sum {token} {} ")
		line, _, _ = strings.Cut(line, "\n")
		return line
	}
	b := newBook(t)
	var got []string
	for i, page := range []struct {
		decode float64
		firsts uint64
	}{{1000, 50}, {1100, 52}, {1200, 55}, {10, 1}, {30, 2}, {60, 4}} {
		counter, histogram := fedRealtime(time.Duration(100+10*i)*time.Second, page.decode, page.firsts)
		got = append(got, generated(b, counter))
		assert.Empty(t, generated(b, histogram))
	}
	assert.Equal(t, []string{"", "since 0s 1150", "since 10s 1252", "since 10s 10", "since 20s 31", "since 30s 62"}, got,
		"one interval late, but for the scrape after the engine began anew")

	b, got = newBook(t), nil
	for i, decode := range []float64{1000, 1100} {
		counter, histogram := fedRealtime(time.Duration(100+10*i)*time.Second, decode, uint64(50+2*i))
		assert.Empty(t, generated(b, histogram))
		got = append(got, generated(b, counter))
	}
	assert.Equal(t, []string{"since 0s 1050", "since 10s 1152"}, got)

	b, got = newBook(t), nil
	for i, decode := range []float64{1000, 1100, 1200} {
		counter, _ := fedRealtime(time.Duration(100+10*i)*time.Second, decode, 0)
		got = append(got, generated(b, counter))
	}
	assert.Equal(t, []string{"", "since 0s 1100", "since 10s 1200"}, got, "nobody sends the histogram")
}

func TestWhatCannotBeAddedIsRefused(t *testing.T) {
	table := func(plus string, kind dialect.Kind, metric string) dialect.Table {
		return dialect.Table{Engine: "x", Prefixes: []string{"x_"}, Rows: []dialect.Row{
			{Name: "x_a", Kind: kind, Metric: metric, Plus: []string{plus}},
			{Name: "x_b", Kind: dialect.Counter, Metric: "llm.engine.tokens.prompt"},
			{Name: "x_h", Kind: dialect.Histogram, Metric: "gen_ai.server.time_to_first_token"},
		}}
	}
	_, err := dialect.Compile(table("x_h", dialect.Counter, "llm.engine.tokens.generated"))
	assert.NoError(t, err)
	for _, plus := range []string{"x_b", "x_nothing"} {
		_, err = dialect.Compile(table(plus, dialect.Counter, "llm.engine.tokens.generated"))
		assert.ErrorContains(t, err, plus)
	}
	_, err = dialect.Compile(table("x_h", dialect.Gauge, "llm.engine.requests.running"))
	assert.ErrorContains(t, err, "x_h")
}
