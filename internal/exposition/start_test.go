package exposition

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// play scrapes pages 10 s apart, from 100 s after start, and returns what the last gave.
func play(t *testing.T, b *Book, pages ...string) (string, Report) {
	t.Helper()
	var got string
	var report Report
	for i, page := range pages {
		md, r, err := b.Scrape(body(page), false, start().Add(time.Duration(100+10*i)*time.Second), "")
		require.NoError(t, err)
		got, report = text(md), r
	}
	return got, report
}

func tokens(n int) string {
	return fmt.Sprintf("# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{engine=\"0\",model_name=\"m\"} %d\n", n)
}

func created(after int) string {
	return fmt.Sprintf("# TYPE vllm:generation_tokens_created gauge\nvllm:generation_tokens_created{engine=\"0\",model_name=\"m\"} %d\n", start().Unix()+int64(after))
}

func process(after int) string {
	return fmt.Sprintf("process_start_time_seconds %d\n", start().Unix()+int64(after))
}

const other = "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 1\n"

// TestStartTimes plays pages at 100 s, 110 s, ... after start. The point shows its start as seconds before the last page.
func TestStartTimes(t *testing.T) {
	for _, tt := range []struct {
		name      string
		pages     []string
		want      string
		restarted bool
	}{
		{"unknown: the first point", []string{tokens(5)}, "since 0s 5", false},
		{"unknown: the first point stays the start", []string{tokens(5), tokens(6), tokens(9)}, "since 20s 9", false},
		{"the process", []string{process(40) + tokens(5)}, "since 1m0s 5", false},
		{"creation before the process", []string{process(40) + tokens(5) + created(50)}, "since 50s 5", false},
		{"creation stays when a page lacks it", []string{tokens(5) + created(50), tokens(6)}, "since 1m0s 6", false},
		{"a process from the future", []string{process(400) + tokens(5)}, "since 0s 5", false},
		{"met later: after the page before", []string{other, other, other + tokens(5)}, "since 10s 5", false},
		{"met later, after a broken page: unknown", []string{other, other + "broken\n", other + tokens(5)}, "since 0s 5", false},
		{"fell: after the point before", []string{tokens(9), tokens(2)}, "since 10s 2", true},
		{"fell, later point", []string{tokens(9), tokens(2), tokens(3)}, "since 20s 3", false},
		{"fell and created anew", []string{tokens(9) + created(50), tokens(2) + created(107)}, "since 3s 2", true},
		{"created anew and grown past the old value", []string{tokens(9) + created(50), tokens(20) + created(107)}, "since 3s 20", true},
		{"created before the last point by a clock that is behind", []string{tokens(9) + created(50), tokens(2) + created(95)}, "since 10s 2", true},
		{"process anew and grown", []string{process(0) + tokens(9), process(104) + tokens(20)}, "since 6s 20", true},
		{"process anew, created as before", []string{process(0) + tokens(9) + created(50), process(104) + tokens(20) + created(50)}, "since 1m0s 20", true},
		{"a process that is told now and then is no restart", []string{tokens(9), process(40) + tokens(20), tokens(21)}, "since 20s 21", false},
		{"creation that is told from the second page on is no restart", []string{tokens(9), tokens(20) + created(104)}, "since 10s 20", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, report := play(t, newBook(t), tt.pages...)
			assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} "+tt.want+"\n")
			assert.Equal(t, tt.restarted, report.Restarted)
		})
	}
}

// TestNoOverlap holds that the intervals of a stream never overlap and that increments add up through resets, which is what keeps
// rates from being doubled or negative.
func TestNoOverlap(t *testing.T) {
	b := newBook(t)
	pages := []string{tokens(5), tokens(7), tokens(2), tokens(2), tokens(9), "broken\n" + other, tokens(1) + created(162), tokens(30) + created(169)}
	var begin, last pcommon.Timestamp
	var value float64
	increments := 0.0
	for i, page := range pages {
		md, _, err := b.Scrape(body(page), false, start().Add(time.Duration(100+10*i)*time.Second), "")
		require.NoError(t, err)
		p, ok := point(md, signal.TokensGenerated)
		if !ok {
			continue
		}
		switch {
		case begin == 0:
			assert.Equal(t, p.Timestamp(), p.StartTimestamp(), "history before the first page belongs to no interval")
		case p.StartTimestamp() == begin:
			assert.GreaterOrEqual(t, p.DoubleValue(), value)
			increments += p.DoubleValue() - value
		default:
			assert.GreaterOrEqual(t, p.StartTimestamp(), last, "page %d", i)
			assert.LessOrEqual(t, p.StartTimestamp(), p.Timestamp())
			increments += p.DoubleValue()
		}
		begin, last, value = p.StartTimestamp(), p.Timestamp(), p.DoubleValue()
	}
	assert.Equal(t, 2.0+2+0+7+1+30, increments)
}

func point(md pmetric.Metrics, name string) (pmetric.NumberDataPoint, bool) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Name() == name && m.Type() == pmetric.MetricTypeSum {
				return m.Sum().DataPoints().At(0), true
			}
		}
	}
	return pmetric.NumberDataPoint{}, false
}

func TestHistogramReset(t *testing.T) {
	page := func(low, all int) string {
		return fmt.Sprintf(strings.ReplaceAll(`# TYPE vllm:request_queue_time_seconds histogram
vllm:request_queue_time_seconds_bucket{L,le="0.3"} %d
vllm:request_queue_time_seconds_bucket{L,le="+Inf"} %d
vllm:request_queue_time_seconds_count{L} %d
vllm:request_queue_time_seconds_sum{L} 1
`, "L", `engine="0",model_name="m"`), low, all, all)
	}
	got, report := play(t, newBook(t), page(5, 8), page(6, 9), page(1, 1))
	assert.True(t, report.Restarted)
	assert.Contains(t, got, "llm.engine.request.queue.duration histogram s {} since 10s count=1 sum=1 <=0.3:1 bounds=1\n")
}
