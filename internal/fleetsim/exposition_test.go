package fleetsim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPageIsWrittenAsThePythonClientDoes(t *testing.T) {
	cfg := small(Request{PromptTokens: 20, OutputTokens: 4})
	cfg.StartTime = time.Unix(1732500000, 0)
	f := start(t, cfg)
	finish(t, f)
	page := string(pageOf(t, f, 0))
	model := f.ServedModel()
	for _, want := range []string{
		"# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7325e+09\n",
		"# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total{engine=\"0\",model_name=\"" + model + "\"} 20.0\n",
		"# TYPE vllm:prompt_tokens_created gauge\nvllm:prompt_tokens_created{engine=\"0\",model_name=\"" + model + "\"} 1.7325e+09\n",
		"vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"" + model + "\"} 1.0\n",
		"vllm:iteration_tokens_total_bucket{engine=\"0\",le=\"32.0\",model_name=\"" + model + "\"} 4.0\n",
		"vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.001\",model_name=\"" + model + "\"} 0.0\n",
		"vllm:iteration_tokens_total_bucket{engine=\"0\",le=\"+Inf\",model_name=\"" + model + "\"} 4.0\nvllm:iteration_tokens_total_count",
		"vllm:iteration_tokens_total_sum{engine=\"0\",model_name=\"" + model + "\"} 24.0\n",
		"num_gpu_blocks=\"" + fmt.Sprint(f.Config().Pools[0].KVBlocks) + "\"",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
