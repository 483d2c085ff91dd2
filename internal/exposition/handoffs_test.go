package exposition

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestADisaggregatedRequestCountsOnce: both workers count it, the one that only prefilled says that it handed it on.
func TestADisaggregatedRequestCountsOnce(t *testing.T) {
	page := func(reasons ...any) string {
		text := "# TYPE vllm:request_success_total counter\n"
		for i := 0; i < len(reasons); i += 2 {
			text += fmt.Sprintf("vllm:request_success_total{engine=\"0\",finished_reason=%q,model_name=\"m\"} %d\n", reasons[i], reasons[i+1])
		}
		return text
	}
	requests := func(role string, pages ...string) (finished, handed float64, last pmetric.Metrics) {
		b := newBook(t)
		b.set.Identity.Role = role
		for i, text := range pages {
			md, _, err := b.Scrape(body(text), false, start().Add(time.Duration(10*i)*time.Second), "")
			require.NoError(t, err)
			last = md
		}
		for _, m := range last.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if m.Name() != signal.RequestCount && m.Name() != signal.RequestHandoffs {
				continue
			}
			for _, p := range m.Sum().DataPoints().All() {
				if m.Name() == signal.RequestCount {
					finished += p.DoubleValue()
				} else {
					handed += p.DoubleValue()
				}
			}
		}
		return finished, handed, last
	}
	prefilled, handed, _ := requests(signal.RolePrefill, page("length", 90, "stop", 10, "abort", 3))
	decoded, none, _ := requests(signal.RoleDecode, page("length", 20, "stop", 80))
	assert.Equal(t, 100.0, handed)
	assert.Zero(t, none)
	assert.Equal(t, 103.0, prefilled+decoded-handed, "one hundred, and three that nobody decoded")
	_, none, _ = requests("", page("length", 90))
	assert.Zero(t, none, "nobody knows what it is")

	_, handed, md := requests(signal.RolePrefill, page("length", 90), page("length", 5))
	assert.Equal(t, 5.0, handed)
	handoffs, ok := point(md, signal.RequestHandoffs)
	require.True(t, ok)
	count, _ := point(md, signal.RequestCount)
	assert.Equal(t, count.StartTimestamp(), handoffs.StartTimestamp(), "it begins anew with the requests")
}

// TestADamagedPageHandsNothingBack: a broken line takes a part away from sums that are made of several series. They are left out then,
// since one that falls and comes back would count twice.
func TestADamagedPageHandsNothingBack(t *testing.T) {
	page := func(stop string, requests, tokens int) string {
		return fmt.Sprintf("# TYPE vllm:request_success_total counter\n"+
			"vllm:request_success_total{engine=\"0\",finished_reason=\"length\",model_name=\"m\"} %d\n"+
			"vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"m\"} %s\n"+
			"# TYPE vllm:prompt_tokens_total counter\n"+
			"vllm:prompt_tokens_total{engine=\"0\",model_name=\"m\"} %d\n"+
			"# TYPE vllm:prompt_tokens_by_source_total counter\n"+
			"vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"m\",source=\"local_compute\"} %d\n", requests, stop, tokens, tokens)
	}
	b := newBook(t)
	b.set.Identity.Role = signal.RolePrefill
	scrape := func(seconds int, text string) pmetric.Metrics {
		md, _, err := b.Scrape(body(text), false, start().Add(time.Duration(seconds)*time.Second), "")
		require.NoError(t, err)
		return md
	}
	whole := scrape(0, page("10", 90, 1000))
	before, ok := point(whole, signal.RequestHandoffs)
	require.True(t, ok)
	require.Equal(t, 100.0, before.DoubleValue())

	damaged := scrape(10, page("", 91, 1100))
	_, ok = point(damaged, signal.RequestHandoffs)
	assert.False(t, ok)
	_, ok = point(damaged, signal.RequestCount)
	assert.True(t, ok, "what is made of one series is there")

	after, ok := point(scrape(20, page("12", 92, 1200)), signal.RequestHandoffs)
	require.True(t, ok)
	assert.Equal(t, 104.0, after.DoubleValue())
	assert.Equal(t, before.StartTimestamp(), after.StartTimestamp())
}

// TestHandoffsBeginAnewWithAnyOfTheirReasons: a total that falls has a start of its own, be there a reason that never was.
func TestHandoffsBeginAnewWithAnyOfTheirReasons(t *testing.T) {
	page := func(length, stop int) string {
		return fmt.Sprintf("# TYPE vllm:request_success_total counter\n"+
			"vllm:request_success_total{engine=\"0\",finished_reason=\"length\",model_name=\"m\"} %d\n"+
			"vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"m\"} %d\n", length, stop)
	}
	b := newBook(t)
	b.set.Identity.Role = signal.RolePrefill
	for i, c := range []struct {
		length, stop int
		since        time.Duration
	}{{90, 0, 0}, {95, 0, 0}, {5, 0, 10 * time.Second}, {9, 0, 10 * time.Second}} {
		md, _, err := b.Scrape(body(page(c.length, c.stop)), false, start().Add(time.Duration(i)*10*time.Second), "")
		require.NoError(t, err)
		p, ok := point(md, signal.RequestHandoffs)
		require.True(t, ok)
		assert.Equal(t, float64(c.length), p.DoubleValue())
		assert.Equal(t, c.since, p.StartTimestamp().AsTime().Sub(start()), "page %d", i)
	}
}
