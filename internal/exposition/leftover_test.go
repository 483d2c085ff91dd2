package exposition

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestSeriesThatFitNoWorkerAreTold: an engine that names its model otherwise in some series is still the only one on the page.
func TestSeriesThatFitNoWorkerAreTold(t *testing.T) {
	got, report := play(t, newBook(t), "sglang:num_running_reqs{model_name=\"m\",dp_rank=\"0\"} 2\n"+
		"# TYPE sglang:num_requests_total counter\nsglang:num_requests_total{model_name=\"served-name\"} 5\n")
	assert.Empty(t, report.Drift)
	assert.Equal(t, 1, strings.Count(got, "resource "))
	assert.Contains(t, got, "gen_ai.request.model=m ")
	assert.Contains(t, got, "llm.engine.request.count sum {request} {} since 0s 5\n")
}

// TestNamesThatClashStayApart: two models on one worker's page are no one stream.
func TestNamesThatClashStayApart(t *testing.T) {
	got, _ := play(t, newBook(t), "sglang:num_running_reqs{model_name=\"m\",dp_rank=\"0\"} 2\n"+
		"sglang:num_running_reqs{model_name=\"other\"} 7\n")
	assert.Equal(t, 2, strings.Count(got, "resource "))
	assert.Equal(t, 2, strings.Count(got, "llm.engine.requests.running updowncounter"))
	assert.Equal(t, 1, strings.Count(got, "  up gauge"), "one worker")
}

// TestEverySeriesIsTold writes counters whose labels tell the rank, the model, both or none: the value of each is in a point.
func TestEverySeriesIsTold(t *testing.T) {
	families := []string{"sglang:num_requests_total", "sglang:num_retracted_requests_total", "sglang:generation_tokens_total"}
	metrics := []string{signal.RequestCount, signal.Preemptions, signal.TokensGenerated}
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		want := make(map[float64]string)
		var page strings.Builder
		for i, family := range families {
			fmt.Fprintf(&page, "# TYPE %s counter\n", family)
			for _, key := range randomKeys(rng) {
				value := float64(1000*(i+1) + len(want))
				want[value] = metrics[i]
				fmt.Fprintf(&page, "%s{%s} %v\n", family, key, value)
			}
		}
		b := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(signal.PresetFull) })
		md, report, err := b.Scrape(body(page.String()), false, start().Add(100*time.Second), "")
		require.NoError(t, err)
		require.Zero(t, report.RejectedLimit+report.RejectedLong+report.RejectedBad+report.ShortPoints+len(report.Drift))
		require.Equal(t, want, sumValues(md), "seed %d:\n%s", seed, page.String())
	}
}

// randomKeys returns label sets of one family, each with a rank or a model or both or neither.
func randomKeys(rng *rand.Rand) []string {
	ranks, models := []string{"", `dp_rank="0"`}, []string{"", `model_name="m"`, `model_name="n"`}
	if rng.IntN(2) == 0 {
		ranks = append(ranks, `dp_rank="1"`)
	}
	var keys []string
	for _, rank := range ranks {
		for _, model := range models {
			if rng.IntN(3) == 0 {
				keys = append(keys, strings.Trim(rank+","+model, ","))
			}
		}
	}
	return keys
}

func sumValues(md pmetric.Metrics) map[float64]string {
	values := make(map[float64]string)
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Type() != pmetric.MetricTypeSum || !m.Sum().IsMonotonic() || m.Name() == signal.SourceDrift {
				continue
			}
			for _, p := range m.Sum().DataPoints().All() {
				values[p.DoubleValue()] = m.Name()
			}
		}
	}
	return values
}
