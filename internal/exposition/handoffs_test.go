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
