package exposition

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRawForwardsFamiliesUntouched(t *testing.T) {
	page := `# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="m"} 5
# TYPE vllm:prompt_tokens_created gauge
vllm:prompt_tokens_created{engine="0",model_name="m"} 1.7e9
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1",model_name="m"} 1
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 3
vllm:time_to_first_token_seconds_sum{engine="0",model_name="m"} 2
vllm:time_to_first_token_seconds_count{engine="0",model_name="m"} 3
# TYPE vllm:avg_prompt_throughput_toks_per_s gauge
vllm:avg_prompt_throughput_toks_per_s{engine="0",model_name="m"} NaN
# TYPE custom_seconds summary
custom_seconds{quantile="0.5"} 7
custom_seconds_sum 9
`
	b := newBook(t, func(s *Settings) { s.Raw, s.Scope = true, "scope" })
	got, _ := play(t, b, page, page)
	assert.Contains(t, got, "  llm.engine.tokens.prompt sum {token} {} since ")
	assert.Contains(t, got, "  vllm:prompt_tokens_total sum  {engine=0 model_name=m} since 10s 5\n"+
		"  vllm:time_to_first_token_seconds histogram  {engine=0 model_name=m} since 10s count=3 sum=2 <=0.1:1 <=+Inf:2 bounds=1\n"+
		"  custom_seconds gauge  {quantile=0.5} 7\n  custom_seconds_sum gauge  {} 9\n")
	assert.Equal(t, 1, strings.Count(got, "resource "), "beside the canonical ones")
	assert.NotContains(t, got, "created")
	assert.NotContains(t, got, "throughput", "NaN is no point")
	_, _ = play(t, b, "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1\n")
	assert.Empty(t, b.starts, "what is gone is forgotten")
}

func TestRawIsOffByDefault(t *testing.T) {
	got, _ := play(t, newBook(t), tokens(1))
	assert.NotContains(t, got, "vllm:generation")
}
