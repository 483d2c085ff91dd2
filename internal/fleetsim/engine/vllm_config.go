package engine

import "strconv"

// cacheConfigLabels lists vLLM's cache configuration as it shows it: every field as text, most of them at their defaults. The
// fields are those of the recorded 0.32; releases before 0.24 have the handful that all of them had.
func cacheConfigLabels(f Facts, v version) []label {
	yes := map[bool]string{true: "True", false: "False"}
	dataType := f.CacheDataType
	if dataType == "" {
		dataType = "auto"
	}
	labels := []label{
		{"block_size", strconv.Itoa(f.BlockSize)},
		{"cache_dtype", dataType},
		{"enable_prefix_caching", yes[f.PrefixCaching]},
		{"gpu_memory_utilization", repr(f.MemoryShare)},
		{"num_cpu_blocks", "None"},
		{"num_gpu_blocks", strconv.Itoa(f.Blocks)},
		{"num_gpu_blocks_override", "None"},
		{"sliding_window", "None"},
	}
	if !v.from(0, 9) {
		return and(labels, label{"cpu_offload_gb", "0"}, label{"is_attention_free", "False"}, label{"swap_space_bytes", "4294967296"})
	}
	labels = and(labels, label{"engine", rankOf(f)}, label{"is_attention_free", "False"}, label{"prefix_caching_hash_algo", "sha256"})
	if !v.from(0, 24) {
		return labels
	}
	tokens := f.Blocks * f.BlockSize
	if f.SequenceTokens > 0 {
		tokens = f.SequenceTokens
	}
	return and(labels, []label{
		{"_block_size_resolved", "True"},
		{"cache_hit_alignment_tokens", "None"},
		{"effective_attention_block_size", strconv.Itoa(f.BlockSize)},
		{"enable_mamba_shared_prefix_checkpoint", "False"},
		{"hash_block_size", "None"},
		{"kv_cache_dtype_skip_layers", "[]"},
		{"kv_cache_layout", "None"},
		{"kv_cache_max_concurrency", repr(float64(tokens) / float64(max(f.MaxModelTokens, 1)))},
		{"kv_cache_memory_bytes", "None"},
		{"kv_cache_size_tokens", strconv.Itoa(tokens)},
		{"kv_offloading_backend", "native"},
		{"kv_offloading_size", "None"},
		{"kv_sharing_fast_prefill", "False"},
		{"mamba_block_size", "None"},
		{"mamba_cache_dtype", "auto"},
		{"mamba_cache_mode", "none"},
		{"mamba_page_size_padded", "None"},
		{"mamba_ssm_cache_dtype", "auto"},
		{"prefix_cache_retention_interval", "0"},
		{"prefix_match_unit", "None"},
		{"replayssm_buffer_len", "16"},
		{"skip_page_size_padded", "None"},
		{"swa_bounded_replay", "True"},
		{"use_kda_recoverssm", "False"},
		{"use_replayssm", "False"},
		{"user_specified_block_size", "False"},
	}...)
}
