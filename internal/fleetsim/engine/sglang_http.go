package engine

// sglangEndpoints are the paths of SGLang's server; pool is the KV pool's size in tokens.
func sglangEndpoints(f Facts, pool float64, p Page) []Endpoint {
	mode := "null"
	if f.Role == rolePrefill || f.Role == roleDecode {
		mode = f.Role
	}
	server := map[string]any{
		"model_path": f.ServedModel, "served_model_name": f.ServedModel, "version": f.Version,
		"tp_size": max(f.TensorParallel, 1), "pp_size": 1, "dp_size": max(f.Ranks, 1), "page_size": f.BlockSize,
		"max_total_num_tokens": pool, "max_running_requests": f.MaxNumSeqs, "chunked_prefill_size": f.MaxBatchedTokens,
		"context_length": f.MaxModelTokens, "mem_fraction_static": f.MemoryShare, "disable_radix_cache": !f.PrefixCaching,
		"disaggregation_mode": mode, "enable_metrics": true,
	}
	model := map[string]any{"model_path": f.ServedModel, "tokenizer_path": f.ServedModel, "is_generation": true}
	return []Endpoint{
		{Path: "/metrics", ContentType: p.ContentType(), Write: p.WritePage},
		healthy("/health"), healthy("/health_generate"),
		document("/get_server_info", server), document("/server_info", server),
		document("/get_model_info", model), document("/model_info", model),
		document("/v1/models", modelList(f, "sglang")),
	}
}
