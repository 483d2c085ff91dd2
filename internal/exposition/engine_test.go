package exposition

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	sglangOther = "sglang:num_running_reqs{model_name=\"n\",dp_rank=\"0\"} 2\n"
	sglangPage  = sglangOther + "# TYPE sglang:generation_tokens_total counter\nsglang:generation_tokens_total{model_name=\"n\"} 40\n"
)

// TestAnotherEngineAtTheSameAddress: nothing of the engine before outlives it, though neither tells when its process began.
func TestAnotherEngineAtTheSameAddress(t *testing.T) {
	b := newBook(t)
	_, _ = play(t, b, other+tokens(1000), other+tokens(2000))
	b.Tell(Told{Version: "0.32.0", Role: signal.RolePrefill})
	got, report := play(t, b, other+tokens(3000), sglangPage)
	assert.True(t, report.Restarted)
	assert.Equal(t, "sglang", b.Engine())
	assert.NotContains(t, got, "vllm")
	assert.NotContains(t, got, "0.32.0", "the version of the other")
	assert.Equal(t, 1, strings.Count(got, "resource "))
	assert.Contains(t, got, "resource {gen_ai.request.model=n llm.engine.name=sglang llm.fleet.name=n server.address=10.0.0.7 server.port=8000 "+
		"service.instance.id=10.0.0.7:8000 service.name=sglang}\n  up gauge 1 {} 1\n")
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 10s 40\n", "since the page before")
	assert.Contains(t, got, "llm.engine.requests.running updowncounter {request} {} since 0s 2\n")

	got, report = play(t, b, sglangPage, other+tokens(5), other+tokens(7))
	assert.False(t, report.Restarted)
	assert.Contains(t, got, "service.name=vllm}", "and back")
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 20s 7\n")
	assert.NotContains(t, got, "sglang")
}

// TestAnEngineIsNotReplaced by what serves beside it, by a page that lacks it for a while, nor where nothing of it is emitted.
func TestAnEngineIsNotReplaced(t *testing.T) {
	dynamo := "dynamo_component_inflight_requests{model=\"m\"} 1\n"
	for name, pages := range map[string][]string{
		"beside":           {other, other + dynamo},
		"away for a while": {other + dynamo, dynamo},
		"quiet":            {other, "# EOF\n"},
		"damaged":          {other, dynamo + "broken\n"},
	} {
		b := newBook(t)
		_, report := play(t, b, pages...)
		assert.False(t, report.Restarted, name)
		assert.Equal(t, "vllm", b.Engine(), name)
	}
	b := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(signal.PresetMinimal) })
	asleep := "vllm:engine_sleep_state{engine=\"0\",model_name=\"m\",sleep_state=\"awake\"} 1\n"
	_, report := play(t, b, asleep, asleep+dynamo, asleep)
	assert.False(t, report.Restarted)
	assert.Equal(t, "vllm", b.Engine(), "an engine of which nothing is emitted")
}

// TestAnEngineThatStaysAwayLosesItsName to what else is on the page.
func TestAnEngineThatStaysAwayLosesItsName(t *testing.T) {
	b := newBook(t)
	dynamo := "dynamo_component_inflight_requests{model=\"m\"} 1\n"
	pages := []string{other + dynamo}
	for range 2*sweepEvery + 1 {
		pages = append(pages, dynamo)
	}
	got, _ := play(t, b, pages...)
	assert.Equal(t, "dynamo", b.Engine())
	assert.NotContains(t, got, "vllm")
}
