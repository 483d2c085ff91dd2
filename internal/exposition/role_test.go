package exposition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// pair is a page of a vLLM that moves KV between workers.
func pair(requests, generated, fetched int, reason string) string {
	return fmt.Sprintf(`# TYPE vllm:request_success_total counter
vllm:request_success_total{engine="0",model_name="m",finished_reason="%s"} %d
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="m"} %d
# TYPE vllm:prompt_tokens_by_source_total counter
vllm:prompt_tokens_by_source_total{engine="0",model_name="m",source="local_compute"} 1000
vllm:prompt_tokens_by_source_total{engine="0",model_name="m",source="external_kv_transfer"} %d
# TYPE vllm:nixl_xfer_time_seconds histogram
vllm:nixl_xfer_time_seconds_bucket{engine="0",model_name="m",le="+Inf"} 3
vllm:nixl_xfer_time_seconds_count{engine="0",model_name="m"} 3
vllm:nixl_xfer_time_seconds_sum{engine="0",model_name="m"} 1
`, reason, requests, generated, fetched)
}

// roleOn returns role and source of llm.engine.info, and the role of the resource.
func roleOn(text string) (info, resource string) {
	for line := range strings.Lines(text) {
		field := func(key string) string {
			_, after, ok := strings.Cut(line, key+"=")
			if !ok {
				return ""
			}
			return after[:strings.IndexAny(after, " }")]
		}
		if strings.HasPrefix(line, "resource ") {
			resource = field(signal.AttrRole)
		}
		if strings.HasPrefix(line, "  "+signal.EngineInfo) {
			info = field(signal.AttrRole) + " " + field(signal.AttrRoleSource)
		}
	}
	return info, resource
}

func TestRoleIsObserved(t *testing.T) {
	for _, tt := range []struct {
		why  string
		page string
		want string
	}{
		{"fetches a part of its prompts", pair(40, 4000, 400, "stop"), "decode observed"},
		{"stops after one token", pair(40, 40, 0, "length"), "prefill observed"},
		{"too few requests", pair(5, 5, 0, "length"), "unknown "},
		{"long answers, nothing fetched", pair(40, 4000, 0, "stop"), "unknown "},
		{"short answers that end by themselves", pair(40, 40, 0, "stop"), "unknown "},
		{"answers that cannot be read", strings.Replace(pair(40, 4000, 0, "length"), "} 4000", "}", 1), "unknown "},
		{"prompts that cannot be read", strings.Replace(pair(40, 40, 400, "length"), "} 400\n", "}\n", 1), "unknown "},
		{"no connector", strings.Split(pair(40, 40, 0, "length"), "# TYPE vllm:nixl")[0], "unknown "},
	} {
		got, _ := play(t, newBook(t), tt.page)
		info, resource := roleOn(got)
		assert.Equal(t, tt.want, info, tt.why)
		assert.Empty(t, resource, "%s: what is observed is no identity", tt.why)
	}
	b := newBook(t)
	_, _ = play(t, b, process(0)+pair(40, 40, 0, "length"))
	got, _ := play(t, b, process(0)+pair(0, 0, 0, "length"))
	info, _ := roleOn(got)
	assert.Equal(t, "prefill observed", info, "holds while the engine idles")
	got, _ = play(t, b, process(300)+pair(0, 0, 0, "length"), process(300)+pair(0, 0, 0, "length"))
	info, _ = roleOn(got)
	assert.Equal(t, "unknown ", info, "and is forgotten at a restart")
}

func TestRoleBySource(t *testing.T) {
	sglang := "sglang:num_running_reqs{model_name=\"m\",engine_type=\"prefill\"} 1\n"
	vllm := tokens(1)
	for _, tt := range []struct {
		why            string
		id             Identity
		told           string
		page           string
		info, resource string
	}{
		{"configured", Identity{Role: "decode", K8sRole: "prefill"}, "prefill", sglang, "decode config", "decode"},
		{"label", Identity{K8sRole: "decode"}, "decode", sglang, "prefill label", "prefill"},
		{"Kubernetes", Identity{K8sRole: "decode"}, "prefill", vllm, "decode k8s", "decode"},
		{"the engine", Identity{}, "prefill", vllm, "prefill engine", "prefill"},
		{"nobody", Identity{}, "", vllm, "unknown ", ""},
		{"a front end", Identity{}, "", "dynamo_frontend_inflight_requests{model=\"m\"} 1\n", "router engine", "router"},
	} {
		b := newBook(t, func(s *Settings) { s.Identity = tt.id })
		b.Tell(Told{Role: tt.told})
		got, _ := play(t, b, tt.page)
		info, resource := roleOn(got)
		assert.Equal(t, tt.info, info, tt.why)
		assert.Equal(t, tt.resource, resource, tt.why)
	}
}

// TestRoleLearntLateIsNoIdentity: a resource that changes would be another worker.
func TestRoleLearntLateIsNoIdentity(t *testing.T) {
	b := newBook(t)
	_, _ = play(t, b, tokens(1))
	b.Tell(Told{Role: signal.RoleDecode, Version: "0.32.0", Facts: map[string]any{signal.AttrTensorParallel: 4.0}})
	got, _ := play(t, b, tokens(2))
	info, resource := roleOn(got)
	assert.Equal(t, "decode engine", info)
	assert.Empty(t, resource)
	assert.Contains(t, got, "llm.engine.parallel.tensor=4 ")
	assert.Contains(t, got, "llm.engine.version=0.32.0")
}

func TestObserversAreNoWorkers(t *testing.T) {
	for page, want := range map[string]string{
		"dynamo_frontend_inflight_requests{model=\"m\"} 1\n": "llm.observer=frontend",
		"master_key_count 1\n":                               "llm.observer=cache",
		"agent_tx_bytes_total 1\n":                           "llm.observer=transfer",
		"smg_router_requests_total 1\n":                      "llm.observer=router",
	} {
		got, _ := play(t, newBook(t), page)
		first, _, _ := strings.Cut(got, "\n")
		assert.Contains(t, first, want)
		assert.NotContains(t, first, signal.AttrEngineName)
	}
}

// TestCompanionsMakeNoWorkers: what serves beside an engine may call its model otherwise.
func TestCompanionsMakeNoWorkers(t *testing.T) {
	beside := "dynamo_component_inflight_requests{model=\"alias\"} 7\ndynamo_component_errors_total{model=\"alias\",error_type=\"x\"} 2\n"
	got, _ := play(t, newBook(t), "trtllm_kv_cache_utilization{model_name=\"/models/m\"} 0.5\n"+beside)
	assert.Equal(t, 1, strings.Count(got, "resource "), got)
	assert.Contains(t, got, "gen_ai.request.model=/models/m ")
	assert.Contains(t, got, "llm.engine.request.errors sum {request} {error.type=x} ")

	got, _ = play(t, newBook(t), "sglang:token_usage{model_name=\"m\",dp_rank=\"0\"} 0.5\nsglang:token_usage{model_name=\"m\",dp_rank=\"1\"} 0.6\n"+beside)
	assert.Equal(t, 3, strings.Count(got, "resource "), "two ranks, and what belongs to neither")
	got, _ = play(t, newBook(t), beside)
	assert.Contains(t, got, "gen_ai.request.model=alias llm.engine.name=dynamo ", "alone it is all that is known")
}
