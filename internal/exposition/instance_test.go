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

// TestTheModelOfAFedWorkerChanges: it is the same worker, and nothing more is said of the former model. Only models of which each was
// seen after the other had come serve side by side, be it that they are fed one after another.
func TestTheModelOfAFedWorkerChanges(t *testing.T) {
	type fed struct {
		at    time.Duration
		model string
		want  []string // workers and their models, after this
	}
	for name, feeds := range map[string][]fed{
		"another": {
			{0, "a", []string{"10.0.0.7:8000 a"}}, {10, "a", []string{"10.0.0.7:8000 a"}},
			{20, "b", []string{"10.0.0.7:8000 b"}}, {30, "b", []string{"10.0.0.7:8000 b"}},
		},
		"another, and back": {
			{0, "a", []string{"10.0.0.7:8000 a"}}, {10, "b", []string{"10.0.0.7:8000 b"}}, {20, "b", []string{"10.0.0.7:8000 b"}},
			{30, "a", []string{"10.0.0.7:8000 a"}}, {40, "a", []string{"10.0.0.7:8000 a"}},
		},
		"a third": {
			{0, "a", []string{"10.0.0.7:8000 a"}}, {10, "b", []string{"10.0.0.7:8000 b"}}, {20, "c", []string{"10.0.0.7:8000 c"}},
		},
		"two in parts of one collection": {
			{0, "a", []string{"10.0.0.7:8000 a"}}, {0, "b", []string{"10.0.0.7:8000#b b"}}, {10, "a", []string{"10.0.0.7:8000#a a"}},
			{10, "b", []string{"10.0.0.7:8000#b b"}},
		},
		"two, one after another": {
			{0, "a", []string{"10.0.0.7:8000 a"}}, {1, "b", []string{"10.0.0.7:8000 b"}}, {10, "a", []string{"10.0.0.7:8000 a"}},
			{10, "b", []string{"10.0.0.7:8000#b b"}}, {20, "a", []string{"10.0.0.7:8000#a a"}},
		},
		"two in turn": {
			{0, "a", []string{"10.0.0.7:8000 a"}}, {1, "b", []string{"10.0.0.7:8000 b"}}, {10, "a", []string{"10.0.0.7:8000 a"}},
			{11, "b", []string{"10.0.0.7:8000 b"}}, {20, "a", []string{"10.0.0.7:8000#a a"}}, {21, "b", []string{"10.0.0.7:8000#b b"}},
			{30, "a", []string{"10.0.0.7:8000#a a"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			for i, f := range feeds {
				md, _ := b.Feed(fedCounter(float64(10*i+1), 0, f.at*time.Second, map[string]any{"engine": "0", "model_name": f.model}))
				var got []string
				for _, rm := range md.ResourceMetrics().All() {
					if !namesOf(rm)[signal.TokensGenerated] {
						continue
					}
					id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
					model, _ := rm.Resource().Attributes().Get(signal.AttrModel)
					got = append(got, id.Str()+" "+model.Str())
				}
				assert.Equal(t, f.want, got, "feed %d", i)
			}
		})
	}
}

func namesOf(rm pmetric.ResourceMetrics) map[string]bool {
	names := make(map[string]bool)
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		names[m.Name()] = true
	}
	return names
}
