package exposition

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestEveryWorkerHasAnInstanceOfItsOwn, be it told by its rank, its model or both. A name once given stays when the others go, but
// for those of another engine.
func TestEveryWorkerHasAnInstanceOfItsOwn(t *testing.T) {
	page := func(workers ...string) string {
		text := "# TYPE vllm:generation_tokens_total counter\n"
		for i := 0; i < len(workers); i += 2 {
			text += fmt.Sprintf("vllm:generation_tokens_total{engine=%q,model_name=%q} 1\n", workers[i], workers[i+1])
		}
		return text
	}
	for _, tt := range []struct {
		pages []string
		want  []string
	}{
		{[]string{page("0", "a")}, []string{"10.0.0.7:8000"}},
		{[]string{page("0", "a", "1", "a")}, []string{"10.0.0.7:8000/dp0", "10.0.0.7:8000/dp1"}},
		{[]string{page("0", "a", "1", "b")}, []string{"10.0.0.7:8000/dp0", "10.0.0.7:8000/dp1"}},
		{[]string{page("0", "a", "0", "b")}, []string{"10.0.0.7:8000#a", "10.0.0.7:8000#b"}},
		{[]string{page("0", "a", "0", "b", "1", "b")}, []string{"10.0.0.7:8000/dp0#a", "10.0.0.7:8000/dp0#b", "10.0.0.7:8000/dp1#b"}},
		{[]string{page("0", "a", "0", "b"), page("0", "a")}, []string{"10.0.0.7:8000#a", "10.0.0.7:8000#b"}},
		// Started again with another model, and with the former one again.
		{[]string{page("0", "a"), page("0", "b")}, []string{"10.0.0.7:8000"}},
		{[]string{page("0", "a"), page("0", "b"), page("0", "a")}, []string{"10.0.0.7:8000"}},
		{[]string{page("0", "a", "1", "a"), page("0", "b", "1", "b")}, []string{"10.0.0.7:8000/dp0", "10.0.0.7:8000/dp1"}},
		{[]string{page("0", "a"), page("0", "b"), page("0", "a", "0", "b")}, []string{"10.0.0.7:8000#a", "10.0.0.7:8000#b"}},
		// Another engine.
		{
			[]string{page("0", "a", "0", "b"), "sglang:num_running_reqs{model_name=\"c\"} 1\n"},
			[]string{"10.0.0.7:8000"},
		},
	} {
		b := newBook(t)
		var got []string
		for i, text := range tt.pages {
			md, _, err := b.Scrape(body(text), false, start().Add(time.Duration(i)*10*time.Second), "")
			require.NoError(t, err)
			got = got[:0]
			for _, rm := range md.ResourceMetrics().All() {
				if _, isWorker := rm.Resource().Attributes().Get(signal.AttrEngineName); isWorker {
					id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
					got = append(got, id.Str())
				}
			}
		}
		assert.ElementsMatch(t, tt.want, got)
	}
}
