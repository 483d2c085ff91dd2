package engine

// vllmEndpoints are the paths of vLLM's server. /server_info has the little of it that tells a deployment.
func vllmEndpoints(f Facts, p Page) []Endpoint {
	return []Endpoint{
		{Path: "/metrics", ContentType: p.ContentType(), Write: p.WritePage},
		healthy("/health"),
		document("/version", map[string]string{"version": f.Version}),
		document("/v1/models", modelList(f, "vllm")),
		document("/server_info", map[string]any{"vllm_config": vllmConfig(f)}),
	}
}

// vllmConfig is the part of vLLM's configuration that /server_info?config_format=json tells and that facts can fill.
func vllmConfig(f Facts) map[string]any {
	config := map[string]any{
		"model_config":     map[string]any{"model": f.ServedModel, "max_model_len": f.MaxModelTokens},
		"cache_config":     map[string]any{"block_size": f.BlockSize, "num_gpu_blocks": f.Blocks, "enable_prefix_caching": f.PrefixCaching},
		"scheduler_config": map[string]any{"max_num_batched_tokens": f.MaxBatchedTokens, "max_num_seqs": f.MaxNumSeqs},
		"parallel_config": map[string]any{
			"tensor_parallel_size": max(f.TensorParallel, 1), "pipeline_parallel_size": 1, "data_parallel_size": max(f.Ranks, 1),
			"data_parallel_rank": f.Rank,
		},
		"kv_transfer_config": nil,
	}
	if f.KVConnector != "" {
		config["kv_transfer_config"] = map[string]any{"kv_connector": f.KVConnector, "kv_role": vllmRole(f.Role)}
	}
	return config
}

// vllmRole is vLLM's word for a role.
func vllmRole(role string) string {
	switch role {
	case rolePrefill:
		return "kv_producer"
	case roleDecode:
		return "kv_consumer"
	default:
		return "kv_both"
	}
}
