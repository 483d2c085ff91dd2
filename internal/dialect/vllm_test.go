package dialect

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func familiesOfAll(t *testing.T) []*Family {
	t.Helper()
	set, err := Load()
	require.NoError(t, err)
	return set.Families()
}

func loadVLLM(t *testing.T) *Dialect {
	t.Helper()
	set, err := Load()
	require.NoError(t, err)
	d := set.Of("vllm:num_requests_running")
	require.NotNil(t, d)
	return d
}

// TestVocabularyIsReachable holds the table and the vocabulary equal: Load checks that each row's metric, instrument and
// attributes are in the vocabulary; this checks that each metric of the vocabulary, and each of its attributes, comes from a row.
func TestVocabularyIsReachable(t *testing.T) {
	reached := make(map[string]map[string]bool)
	reach := func(metric string, attributes ...Attribute) {
		if reached[metric] == nil {
			reached[metric] = make(map[string]bool)
		}
		for _, a := range attributes {
			reached[metric][a.Key] = true
		}
	}
	for _, f := range familiesOfAll(t) {
		reach(f.Metric.Name, f.Fixed...)
		for _, l := range f.Labels {
			reach(f.Metric.Name, Attribute{Key: l.To})
		}
		for _, fact := range f.Facts {
			if fact.Attribute != "" {
				reach(signal.EngineInfo, Attribute{Key: fact.Attribute})
			} else {
				reach(fact.Metric, fact.Fixed...)
			}
		}
	}
	fromReceiver := []string{signal.Up, signal.SourceDrift, signal.SourceMissing, signal.EngineInfo, signal.RequestHandoffs, signal.TokensUnaccounted}
	for _, m := range signal.EngineMetrics() {
		if slices.Contains(fromReceiver, m.Name) {
			continue
		}
		if !assert.Contains(t, reached, m.Name) {
			continue
		}
		for _, a := range m.Attributes {
			assert.True(t, reached[m.Name][a], "%s: attribute %s", m.Name, a)
		}
	}
}

func TestUnitsAreBaseUnits(t *testing.T) {
	for _, m := range signal.EngineMetrics() {
		ok := slices.Contains([]string{"s", "By", "By/s", "1"}, m.Unit) || strings.HasPrefix(m.Unit, "{") && strings.HasSuffix(m.Unit, "}")
		assert.True(t, ok, "%s: %s", m.Name, m.Unit)
		assert.NotEmpty(t, m.Description, m.Name)
	}
}

// TestMillisecondsAreScaled: a family whose name says a unit that is none of ours must have its scale, and no other.
func TestMillisecondsAreScaled(t *testing.T) {
	units := []struct {
		suffix string
		want   Scale
	}{
		{"_milliseconds", Scale{Den: 1000}}, {"_ms", Scale{Den: 1000}}, {"_us", Scale{Den: 1e6}}, {"_mb", Scale{Num: 1e6}},
		{"_gb_s", Scale{Num: 1e9}}, {"_gb", Scale{Num: 1e9}}, {"lmcache:remote_time_to_get", Scale{Den: 1000}},
		{"lmcache:remote_time_to_put", Scale{Den: 1000}}, {"agent_xfer_time", Scale{Den: 1e6}},
		{"nv_trt_llm_disaggregated_serving_metrics kv_cache_transfer_ms", Scale{Den: 1000}},
	}
	for _, f := range familiesOfAll(t) {
		if f.Ignored != "" {
			continue
		}
		want := Scale{}
		for _, u := range units {
			if strings.HasSuffix(f.ID, u.suffix) {
				want = u.want
			}
		}
		assert.Equal(t, want, f.Scale, f.ID)
	}
}

// wire has each family that vLLM is known to expose, as written on the page, with its type there.
func wire() map[string][]string {
	return map[string][]string{
		"gauge": {
			"num_requests_running", "num_requests_waiting", "num_requests_waiting_by_reason", "engine_sleep_state", "kv_cache_usage_perc",
			"cache_config_info", "lora_requests_info", "kv_offload_cpu_cache_usage_perc", "kv_offload_cpu_cache_write_usage_perc",
			"kv_offload_cpu_cache_read_usage_perc", "num_requests_swapped", "cpu_cache_usage_perc", "gpu_cache_usage_perc",
		},
		"counter": {
			"admission_rejections_total", "prefix_cache_queries_total", "prefix_cache_hits_total", "gpu_prefix_cache_queries_total",
			"gpu_prefix_cache_hits_total", "external_prefix_cache_queries_total", "external_prefix_cache_hits_total", "mm_cache_queries_total",
			"mm_cache_hits_total", "num_preemptions_total", "prompt_tokens_total", "prompt_tokens_by_source_total",
			"prompt_tokens_cached_total", "prompt_tokens_cached_by_source_total", "prompt_tokens_recomputed_total",
			"generation_tokens_total", "request_success_total", "corrupted_requests_total", "tool_call_parser_invocations_total",
			"spec_decode_num_drafts_total", "spec_decode_num_draft_tokens_total", "spec_decode_num_accepted_tokens_total",
			"spec_decode_num_emitted_tokens_total", "spec_decode_num_accepted_tokens_per_pos_total", "estimated_flops_per_gpu_total",
			"estimated_read_bytes_per_gpu_total", "estimated_write_bytes_per_gpu_total", "estimated_flops_per_gpu_total_total",
			"nixl_num_failed_transfers_total", "nixl_num_failed_notifications_total", "nixl_num_kv_expired_reqs_total",
			"kv_offload_load_bytes_total", "kv_offload_store_bytes_total", "kv_offload_load_time_total", "kv_offload_store_time_total",
			"kv_offload_total_bytes_total", "kv_offload_total_time_total", "kv_offload_allocation_failure_total",
			"kv_offload_stores_skipped_total", "hisparse_cache_hits_total", "hisparse_cache_misses_total",
			"hisparse_host_to_device_bytes_total", "mooncake_store_operation_total", "mooncake_store_operation_keys_total",
			"mooncake_store_operation_bytes_total", "mooncake_store_operation_failed_keys_total",
		},
		"histogram": {
			"request_num_preemptions", "request_prompt_tokens", "request_generation_tokens", "iteration_tokens_total",
			"request_max_num_generation_tokens", "request_params_n", "request_params_best_of", "request_params_max_tokens",
			"time_to_first_token_seconds", "inter_token_latency_seconds", "time_per_output_token_seconds",
			"request_time_per_output_token_seconds", "e2e_request_latency_seconds", "request_queue_time_seconds",
			"time_in_queue_requests", "request_inference_time_seconds", "request_prefill_time_seconds", "request_decode_time_seconds",
			"request_prefill_kv_computed_tokens", "kv_block_lifetime_seconds", "kv_block_idle_before_evict_seconds",
			"kv_block_reuse_gap_seconds", "nixl_xfer_time_seconds", "nixl_post_time_seconds", "nixl_bytes_transferred",
			"nixl_num_descriptors", "kv_offload_load_size", "kv_offload_store_size", "kv_offload_size",
			"kv_offload_lookup_sync_delay_seconds", "kv_offload_lookup_async_delay_seconds",
			"kv_offload_tiering_lookup_sync_delay_seconds", "kv_offload_tiering_lookup_async_delay_seconds",
			"mooncake_store_operation_time_seconds", "mooncake_xfer_time_seconds", "model_forward_time_milliseconds",
			"model_execute_time_milliseconds",
		},
	}
}

func TestEveryFamilyIsMapped(t *testing.T) {
	d := loadVLLM(t)
	mapped := make(map[string]bool)
	for declared, names := range wire() {
		suffixes := map[string]Part{"": Value}
		if declared == "histogram" {
			suffixes = map[string]Part{"_bucket": Bucket, "_sum": Sum, "_count": Count}
		}
		for _, name := range names {
			for suffix, part := range suffixes {
				m := d.Resolve("vllm:"+name+suffix, declared)
				require.Equal(t, Known, m.Verdict, name+suffix)
				assert.Equal(t, part, m.Part, name+suffix)
				mapped[m.candidates[0].Name] = true
			}
			if declared != "gauge" {
				m := d.Resolve("vllm:"+strings.TrimSuffix(name, "_total")+"_created", "gauge")
				assert.Equal(t, Created, m.Part, name)
			}
		}
	}
	for _, f := range d.families {
		assert.True(t, f.Ignored != "" || mapped[f.Name], "%s is in the table and not in this test", f.Name)
	}
}

func TestIgnoredWithReason(t *testing.T) {
	d := loadVLLM(t)
	for _, name := range []string{
		"vllm:avg_prompt_throughput_toks_per_s", "vllm:avg_generation_throughput_toks_per_s", "vllm:gpu_prefix_cache_hit_rate",
		"vllm:cpu_prefix_cache_hit_rate", "vllm:spec_decode_draft_acceptance_rate", "vllm:spec_decode_efficiency",
		"vllm:kv_offload_tiering_read_bytes_total", "http_requests_total", "http_request_duration_highr_seconds_bucket",
		"http_requests_created", "python_info", "process_cpu_seconds_total",
	} {
		assert.Equal(t, Ignored, d.Resolve(name, "").Verdict, name)
	}
	for _, table := range Tables() {
		for _, r := range table.Rows {
			if r.Ignored != "" {
				assert.Greater(t, len(r.Ignored), 15, "%s: the reason", r.Name)
			}
		}
	}
}

func TestAliasesYield(t *testing.T) {
	d := loadVLLM(t)
	yields := make(map[string][]string)
	for _, f := range d.families {
		for _, i := range f.Yields {
			better := familiesOfAll(t)[i]
			yields[f.Name] = append(yields[f.Name], better.Name)
			assert.Equal(t, f.Metric.Name, better.Metric.Name, "%s yields to another metric", f.Name)
		}
	}
	assert.Equal(t, map[string][]string{
		"vllm:gpu_cache_usage_perc":            {"vllm:kv_cache_usage_perc"},
		"vllm:gpu_prefix_cache_hits":           {"vllm:prefix_cache_hits"},
		"vllm:gpu_prefix_cache_queries":        {"vllm:prefix_cache_queries"},
		"vllm:kv_offload_cpu_cache_usage_perc": {"vllm:kv_offload_cpu_cache_read_usage_perc", "vllm:kv_offload_cpu_cache_write_usage_perc"},
		"vllm:kv_offload_size":                 {"vllm:kv_offload_load_size", "vllm:kv_offload_store_size"},
		"vllm:kv_offload_total_bytes":          {"vllm:kv_offload_load_bytes", "vllm:kv_offload_store_bytes"},
		"vllm:kv_offload_total_time":           {"vllm:kv_offload_load_time", "vllm:kv_offload_store_time"},
		"vllm:num_requests_waiting":            {"vllm:num_requests_waiting_by_reason"},
		"vllm:prompt_tokens":                   {"vllm:prompt_tokens_by_source"},
		"vllm:time_in_queue_requests":          {"vllm:request_queue_time_seconds"},
		"vllm:time_per_output_token_seconds":   {"vllm:inter_token_latency_seconds"},
	}, yields)
}

func TestFamiliesOfOneMetricFollowEachOther(t *testing.T) {
	done := make(map[string]bool)
	last := ""
	for i, f := range familiesOfAll(t) {
		require.Equal(t, i, f.Index)
		if name := f.Metric.Name; name != last && name != "" {
			assert.False(t, done[name], name)
			done[name] = true
			last = name
		}
	}
	assert.NotEmpty(t, slices.Collect(maps.Keys(done)))
}
