package dialect

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func load(t *testing.T) *Set {
	t.Helper()
	set, err := Load()
	require.NoError(t, err)
	return set
}

// TestDetection: the name of one series, and where names are shared its labels, tell the program.
func TestDetection(t *testing.T) {
	set := load(t)
	for _, tt := range []struct {
		name   string
		labels map[string]string
		want   string
	}{
		{"dynamo_frontend_requests_total", nil, EngineDynamo},
		{"dynamo_component_requests_total", nil, EngineDynamo},
		{"vllm:num_requests_running", map[string]string{"engine": "0"}, EngineVLLM},
		{"vllm:num_requests_running", map[string]string{"server": "http://a"}, "vllm_router"},
		{"vllm:healthy_pods_total", map[string]string{"server": "http://a"}, "vllm_router"},
		{"vllm:num_incoming_requests_total", map[string]string{"model": "m"}, "vllm_router"},
		{"ray_vllm_num_requests_running", map[string]string{"engine": "0"}, EngineVLLM},
		{"sglang:num_running_reqs", nil, EngineSGLang},
		{"ray_sglang_num_running_reqs", nil, EngineSGLang},
		{"sglang:encoder_requests_total", nil, EngineSGLang},
		{"trtllm_num_requests_running", nil, EngineTensorRT},
		{"trtllm:num_requests_running", nil, EngineTensorRT},
		{"nv_trt_llm_request_metrics", map[string]string{"request_type": "max"}, EngineTriton},
		{"tgi_queue_size", nil, EngineTGI},
		{"llamacpp:requests_processing", nil, EngineLlamaCpp},
		{"lmdeploy:num_requests_running", nil, EngineLMDeploy},
		{"lmcache:num_hit_tokens_total", nil, "lmcache"},
		{"master_allocated_bytes", nil, "mooncake"},
		{"tent_read_bytes_total", nil, "mooncake"},
		{"mooncake_transfer_read_bytes", nil, "mooncake"},
		{"agent_xfer_time_us_bucket", nil, "nixl"},
		{"agent_tx_bytes_total", nil, "nixl"},
		{"kvbm_offload_blocks_d2h", nil, "dynamo_kvbm"},
		{"smg_router_requests_total", nil, "sglang_router"},
		{"sgl_router_worker_health", nil, "sglang_router"},
		{"dynamo_planner_num_prefill_replicas", nil, EngineDynamo},
		// Words that are nobody's own, and Triton's families of any model.
		{"agent_cpu_seconds_total", nil, ""},
		{"master_is_leader", nil, ""},
		{"nv_inference_request_success", nil, ""},
		{"process_start_time_seconds", nil, ""},
	} {
		m, _ := set.Find(tt.name, "", maps.All(tt.labels))
		if tt.want == "" {
			assert.Equal(t, Foreign, m.Verdict, tt.name)
			assert.Nil(t, m.Dialect(), tt.name)
		} else if assert.NotNil(t, m.Dialect(), tt.name) {
			assert.Equal(t, tt.want, m.Dialect().Engine(), tt.name)
		}
	}
}

// TestNIXLTellsItsOwnTimes: its gauge of the last transfer is called as its counter of all, and both are followed by a histogram.
func TestNIXLTellsItsOwnTimes(t *testing.T) {
	set := load(t)
	for _, tt := range []struct {
		name, declared, metric string
	}{
		{"agent_xfer_time_total", "counter", signal.KVTransferTotalTime},
		{"agent_xfer_time", "gauge", ""},
		{"agent_xfer_time_us_sum", "histogram", signal.KVTransferTime},
		{"agent_xfer_post_time_total", "counter", ""},
		{"agent_memory_registered_total", "counter", ""},
		{"agent_memory_registered", "gauge", ""},
		{"agent_telemetry_events_dropped_total", "counter", ""},
	} {
		m, _ := set.Find(tt.name, tt.declared, maps.All(map[string]string{"agent_name": "a"}))
		if tt.metric == "" {
			assert.Equal(t, Ignored, m.Verdict, tt.name)
			continue
		}
		assert.Equal(t, Known, m.Verdict, tt.name)
		f, alike := m.Alike()
		assert.True(t, alike, tt.name)
		assert.Equal(t, tt.metric, f.Metric.Name, tt.name)
	}
}

// TestTypesThatMislead: the type comes from the table, whatever the suffix looks like or the page declares.
func TestTypesThatMislead(t *testing.T) {
	set := load(t)
	for _, tt := range []struct {
		name, declared string
		labels         map[string]string
		verdict        Verdict
		instrument     signal.Instrument
	}{
		{"vllm:iteration_tokens_total_bucket", "histogram", nil, Known, signal.Histogram},
		{"sglang:lora_pool_slots_total", "gauge", nil, Known, signal.Gauge},
		{"vllm:gpu_prefix_cache_hits_total", "gauge", map[string]string{"server": "http://a"}, Ignored, ""},
		{"tgi_request_count", "counter", nil, Ignored, ""},
		{"tgi_batch_inference_count", "counter", nil, Known, signal.Sum},
		{"tgi_batch_forward_duration_sum", "histogram", nil, Known, signal.Sum},
		{"tgi_batch_forward_duration_bucket", "histogram", nil, Ignored, ""},
		{"llamacpp:n_tokens_max", "counter", nil, Ignored, ""},
		{"lmdeploy:num_requests_succeeded", "gauge", nil, Known, signal.Sum},
		{"sglang:routing_key_running_req_count", "gauge", nil, Ignored, ""},
		{"sglang:eplb_balancedness_sum", "summary", nil, Ignored, ""},
		{"kvbm_offload_blocks_d2h", "counter", nil, Known, signal.Sum},
		{"nv_trt_llm_general_metrics", "gauge", map[string]string{"general_type": "iteration_counter"}, Known, signal.Sum},
		{"nv_trt_llm_request_metrics", "gauge", map[string]string{"request_type": "waiting"}, Known, signal.UpDownCounter},
		// A gauge of the last transfer became a histogram in SGLang 0.5.11.
		{"sglang:kv_transfer_latency_ms", "gauge", nil, Ignored, ""},
		{"sglang:kv_transfer_latency_ms_bucket", "histogram", nil, Known, signal.Histogram},
	} {
		m, s := set.Find(tt.name, tt.declared, maps.All(tt.labels))
		require.Equal(t, tt.verdict, m.Verdict, tt.name)
		if tt.verdict == Known {
			require.NotEmpty(t, s.Rows, tt.name)
			assert.Equal(t, tt.instrument, s.Rows[0].Family.Metric.Instrument, tt.name)
		}
	}
}

// TestLabels: what labels of the engines become.
func TestLabels(t *testing.T) {
	set := load(t)
	for _, tt := range []struct {
		name   string
		labels map[string]string
		want   Series
		rows   map[string][]Attribute // by metric
	}{
		{
			"sglang:num_running_reqs", map[string]string{"model_name": "m", "engine_type": "prefill", "tp_rank": "3", "pp_rank": "0", "dp_rank": "1", "priority": ""},
			Series{Ours: true, Rank: "1", Model: "m", Role: signal.RolePrefill, Replica: 3 * maxOrdinal}, map[string][]Attribute{signal.Running: nil},
		},
		{
			"sglang:num_running_reqs", map[string]string{"model_name": "m", "engine_type": "unified", "priority": "7"},
			Series{Ours: true, Model: "m", Role: signal.RoleAggregated}, map[string][]Attribute{}, // a part of the total beside it
		},
		{
			"sglang:realtime_tokens_total", map[string]string{"mode": "prefill_cache"}, Series{Ours: true},
			map[string][]Attribute{signal.TokensPrompt: {{signal.AttrTokenSource, signal.TokenSourceLocalHit}}},
		},
		{
			"sglang:prefill_effective_tokens_total", map[string]string{"mode": "host_hit"}, Series{Ours: true},
			map[string][]Attribute{
				signal.KVLookupTokens: {{signal.AttrCacheScope, signal.CacheScopeLocal}}, signal.KVHitTokens: {{signal.AttrCacheScope, signal.CacheScopeLocal}},
				signal.KVHitTierTokens: {{signal.AttrCacheTier, signal.TierHost}},
			},
		},
		{
			"sglang:cached_tokens_total", map[string]string{"cache_source": "storage_hf3fs"}, Series{Ours: true},
			map[string][]Attribute{signal.TokensCached: {{signal.AttrCacheTier, signal.TierRemote}}},
		},
		{
			"sglang:forward_execution_seconds_total", map[string]string{"category": "extend"}, Series{Ours: true},
			map[string][]Attribute{signal.PhaseBusyTime: {{signal.AttrPhase, signal.PhasePrefill}}},
		},
		{"sglang:forward_execution_seconds_total", map[string]string{"category": "idle"}, Series{Ours: true}, map[string][]Attribute{}},
		{
			"dynamo_component_requests_total", map[string]string{"model": "m", "model_name": "n", "dynamo_component": "prefill", "dp_rank": "0"},
			Series{Ours: true, Rank: "0", Model: "m", Role: signal.RolePrefill}, map[string][]Attribute{signal.RequestCount: nil},
		},
		{
			"dynamo_component_requests_total", map[string]string{"dynamo_component": "backend"}, Series{Ours: true},
			map[string][]Attribute{signal.RequestCount: nil},
		},
		{
			"dynamo_frontend_requests_total", map[string]string{"model": "m", "status": "error", "error_type": "internal"}, Series{Ours: true, Model: "m"},
			map[string][]Attribute{signal.RequestErrors: {{signal.AttrErrorType, "internal"}}},
		},
		{
			"trtllm_prompt_cache_hit_tokens_total", map[string]string{"model_name": "m", "cache_level": "0", "cache_tier": "gpu"}, Series{Ours: true, Model: "m"},
			map[string][]Attribute{signal.TokensCached: {{signal.AttrCacheTier, signal.TierDevice}}},
		},
		{
			"lmcache:num_lookup_tokens_total", map[string]string{"model_name": "m", "worker_id": "2"}, Series{Ours: true, Model: "m", Replica: 2 * maxOrdinal * maxOrdinal},
			map[string][]Attribute{signal.KVLookupTokens: {{signal.AttrCacheScope, signal.CacheScopeExternal}}},
		},
	} {
		_, s := set.Find(tt.name, "", maps.All(tt.labels))
		rows := make(map[string][]Attribute)
		for _, r := range s.Rows {
			rows[r.Family.Metric.Name] = r.Attributes
		}
		assert.Equal(t, tt.rows, rows, tt.name)
		s.Rows = nil
		assert.Equal(t, tt.want, s, tt.name)
	}
}

// TestCompanionsYield: what an engine says itself is taken from it, not from what serves beside it.
func TestCompanionsYield(t *testing.T) {
	set := load(t)
	rows := func(name string, labels map[string]string) []Reading {
		_, s := set.Find(name, "", maps.All(labels))
		require.NotEmpty(t, s.Rows, name)
		return s.Rows
	}
	usage := rows("dynamo_component_gpu_cache_usage_percent", nil)[0].Family
	for _, engine := range []string{"vllm:kv_cache_usage_perc", "sglang:token_usage", "trtllm_kv_cache_utilization"} {
		better := rows(engine, nil)[0].Family
		assert.Contains(t, usage.Yields, better.Index, engine)
		assert.NotContains(t, better.Yields, usage.Index, engine)
	}
	capacity := rows("dynamo_component_total_blocks", nil)[0].Family
	assert.Contains(t, capacity.Yields, rows("vllm:cache_config_info", nil)[0].Family.Index, "facts tell metrics too")
}

func TestEveryEngineHasItsOwnNames(t *testing.T) {
	set := load(t)
	for _, d := range set.dialects {
		assert.NotEmpty(t, d.Engine())
		for _, f := range d.families {
			assert.True(t, d.Owns(f.Name) || d.table.Closed, "%s: %s", d.Engine(), f.Name)
			assert.NotNil(t, set.Of(f.Name), f.Name)
		}
	}
}
