package exposition

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGotchas has what engines do that misleads whoever reads their pages at face value.
func TestGotchas(t *testing.T) {
	const vllm, sglang = `engine="0",model_name="m"`, `model_name="m",engine_type="unified",tp_rank="0",pp_rank="0"`
	for name, tt := range map[string]struct {
		page         string
		want, absent []string
	}{
		"a gauge of several processes is told by each, and one of them is right": {
			"# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{L,pid=\"1\"} 0.4\nvllm:kv_cache_usage_perc{L,pid=\"2\"} 0\n",
			[]string{"llm.engine.kv_cache.utilization gauge 1 {} 0.4\n"}, nil,
		},
		"a histogram whose name ends as a counter's": {
			"# TYPE vllm:iteration_tokens_total histogram\nvllm:iteration_tokens_total_bucket{L,le=\"8\"} 1\nvllm:iteration_tokens_total_bucket{L,le=\"+Inf\"} 2\n" +
				"vllm:iteration_tokens_total_sum{L} 30\nvllm:iteration_tokens_total_count{L} 2\n",
			[]string{"llm.engine.iteration.tokens histogram {token} {} since", "count=2 sum=30 <=8:1 <=+Inf:1"}, nil,
		},
		"a counter that has its suffix twice": {
			"# TYPE vllm:estimated_flops_per_gpu_total counter\nvllm:estimated_flops_per_gpu_total_total{L} 8\n",
			[]string{"llm.engine.flops sum {flop} {} since 0s 8\n"}, nil,
		},
		"ranks of one server each have their own, and estimates per GPU are not multiplied": {
			"# TYPE vllm:estimated_flops_per_gpu_total counter\nvllm:estimated_flops_per_gpu_total{L} 8\nvllm:estimated_flops_per_gpu_total{engine=\"1\",model_name=\"m\"} 7\n",
			[]string{"service.instance.id=10.0.0.7:8000/dp0", "service.instance.id=10.0.0.7:8000/dp1", "llm.engine.flops sum {flop} {} since 0s 8\n", "llm.engine.flops sum {flop} {} since 0s 7\n"}, nil,
		},
		"a server of one rank that is not the first is one worker": {
			strings.ReplaceAll("# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{L} 2\n", "L", `engine="3",model_name="m"`),
			[]string{"service.instance.id=10.0.0.7:8000 ", "llm.engine.requests.running updowncounter {request} {} since 0s 2\n"}, []string{"/dp"},
		},
		"tensor-parallel ranks that repeat the same": {
			"# TYPE sglang:num_running_reqs gauge\nsglang:num_running_reqs{S} 5\nsglang:num_running_reqs{T} 5\n",
			[]string{"llm.engine.requests.running updowncounter {request} {} since 0s 5\n"}, []string{" 10\n"},
		},
		"a total beside its parts": {
			"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{L} 5\n# TYPE vllm:num_requests_waiting_by_reason gauge\n" +
				"vllm:num_requests_waiting_by_reason{L,reason=\"capacity\"} 3\nvllm:num_requests_waiting_by_reason{L,reason=\"deferred\"} 2\n",
			[]string{"{llm.wait.reason=capacity} since 0s 3\n", "{llm.wait.reason=deferred} since 0s 2\n"}, []string{"llm.engine.requests.waiting updowncounter {request} {} since"},
		},
		"gauges that stand still while the engine is idle": {
			"# TYPE sglang:gen_throughput gauge\nsglang:gen_throughput{S} 900\n# TYPE sglang:cache_hit_rate gauge\nsglang:cache_hit_rate{S} 0.5\n# TYPE sglang:num_running_reqs gauge\nsglang:num_running_reqs{S} 0\n",
			[]string{"llm.engine.requests.running updowncounter {request} {} since 0s 0\n"}, []string{"900", "0.5"},
		},
		"what is no number, and a first bucket at zero": {
			"# TYPE sglang:token_usage gauge\nsglang:token_usage{S} NaN\n# TYPE sglang:queue_time_seconds histogram\nsglang:queue_time_seconds_bucket{S,le=\"0.0\"} 3\n" +
				"sglang:queue_time_seconds_bucket{S,le=\"0.1\"} 4\nsglang:queue_time_seconds_bucket{S,le=\"+Inf\"} 4\nsglang:queue_time_seconds_sum{S} 0.05\nsglang:queue_time_seconds_count{S} 4\n",
			[]string{"llm.engine.request.queue.duration histogram s {} since", "count=4 sum=0.05 <=0:3 <=0.1:1 bounds=2"}, []string{"NaN", "utilization"},
		},
		"milliseconds become seconds, buckets and all": {
			"# TYPE sglang:kv_transfer_latency_ms histogram\nsglang:kv_transfer_latency_ms_bucket{S,le=\"50\"} 1\nsglang:kv_transfer_latency_ms_bucket{S,le=\"+Inf\"} 2\n" +
				"sglang:kv_transfer_latency_ms_sum{S} 250\nsglang:kv_transfer_latency_ms_count{S} 2\n",
			[]string{"count=2 sum=0.25 <=0.05:1 <=+Inf:1"}, nil,
		},
		"buckets stay as the engine has them": {
			"# TYPE vllm:request_prefill_time_seconds histogram\nvllm:request_prefill_time_seconds_bucket{L,le=\"0.3\"} 9\nvllm:request_prefill_time_seconds_bucket{L,le=\"80.0\"} 10\n" +
				"vllm:request_prefill_time_seconds_bucket{L,le=\"+Inf\"} 11\nvllm:request_prefill_time_seconds_sum{L} 100\nvllm:request_prefill_time_seconds_count{L} 11\n",
			[]string{"count=11 sum=100 <=0.3:9 <=80:1 <=+Inf:1 bounds=2"}, nil,
		},
		"adapters in lists, of which the newest holds": {
			"# TYPE vllm:lora_requests_info gauge\nvllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"a,b\",waiting_lora_adapters=\"\"} 1000\n" +
				"vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"a\",waiting_lora_adapters=\"\"} 2000\n# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{L} 1\n",
			[]string{"llm.engine.lora.adapters updowncounter {adapter} {llm.lora.state=running} since 0s 1\n"}, []string{"{llm.lora.state=running} since 0s 2\n"},
		},
		"averages that every scrape resets": {
			"# TYPE llamacpp:predicted_tokens_seconds gauge\nllamacpp:predicted_tokens_seconds 77\n# TYPE llamacpp:n_tokens_max counter\nllamacpp:n_tokens_max 99\n# TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing 1\n",
			[]string{"llm.engine.requests.running updowncounter {request} {} since 0s 1\n"}, []string{" 77\n", " 99\n"},
		},
		"prompt tokens by source that do not add up to the total": {
			"# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total{L} 100\n# TYPE vllm:prompt_tokens_by_source_total counter\n" +
				"vllm:prompt_tokens_by_source_total{L,source=\"local_compute\"} 60\nvllm:prompt_tokens_by_source_total{L,source=\"local_cache_hit\"} 30\n",
			[]string{"llm.engine.tokens.prompt.unaccounted gauge {token} {} 10\n"}, []string{"llm.engine.tokens.prompt sum {token} {} since"},
		},
		"prompt tokens without a source have nothing to add up": {
			"# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total{L} 100\n",
			[]string{"llm.engine.tokens.prompt sum {token} {} since 0s 100\n"}, []string{"unaccounted"},
		},
		"requests that are preempted have another name each": {
			"# TYPE sglang:num_retracted_requests_total counter\nsglang:num_retracted_requests_total{S} 4\n",
			[]string{"llm.engine.preemptions sum {preemption} {} since 0s 4\n"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			page := strings.NewReplacer("{L", "{"+vllm, "{S", "{"+sglang, "{T", "{"+strings.Replace(sglang, `tp_rank="0"`, `tp_rank="1"`, 1)).Replace(tt.page)
			md, report, err := newBook(t).Scrape(body(page), false, start(), "")
			require.NoError(t, err)
			assert.Zero(t, report.BrokenLines)
			assert.Empty(t, report.Drift)
			got := text(md)
			for _, want := range tt.want {
				assert.Contains(t, got, want)
			}
			for _, absent := range tt.absent {
				assert.NotContains(t, got, absent)
			}
		})
	}
}
