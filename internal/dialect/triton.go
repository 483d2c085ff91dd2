package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// EngineTriton is the value of llm.engine.name for Triton with its TensorRT-LLM backend.
const EngineTriton = "triton"

// triton is the dialect of Triton's tensorrtllm_backend (README.md, 2026-07). One family holds many figures, told apart by a label,
// and counters are declared gauges.
func triton() Table {
	rows := append(tritonRequests(), tritonMemory()...)
	return Table{
		Engine: EngineTriton,
		// Triton's own families are of any model that it serves, so only those of this backend say that it is an LLM.
		Prefixes:   []string{"nv_trt_llm_"},
		Inputs:     tritonInputs(),
		Lacks:      tritonLacks(),
		ModelLabel: []string{"model"},
		About:      []About{{Path: "/v2", Version: []string{"version"}}},
		Rows:       rows,
	}
}

func tritonRequests() []Row {
	phase := func(p string) []Attribute { return []Attribute{{signal.AttrPhase, p}} }
	engine := []Attribute{{signal.AttrKVBackend, signal.KVBackendEngine}}
	one := func(name, label, value string, row Row) Row {
		row.Name, row.ID, row.Only = "nv_trt_llm_"+name, "nv_trt_llm_"+name+" "+value, Only{Label: label, Is: []string{value}}
		return row
	}
	requests := func(value string, row Row) Row { return one("request_metrics", "request_type", value, row) }
	batcher := func(value string, row Row) Row {
		return one("inflight_batcher_metrics", "inflight_batcher_specific_metric", value, row)
	}
	disaggregated := func(value string, row Row) Row {
		return one("disaggregated_serving_metrics", "disaggregated_serving_type", value, row)
	}
	return []Row{
		requests("waiting", Row{Kind: Gauge, Metric: signal.Waiting}),
		requests("scheduled", Row{Kind: Gauge, Metric: signal.Running}), // as llm-d takes it
		requests("context", Row{Kind: Gauge, Metric: signal.Scheduled, Fixed: phase(signal.PhasePrefill)}),
		requests("max", Row{Kind: Gauge, Metric: signal.RunningLimit}),
		batcher("generation_requests", Row{Kind: Gauge, Metric: signal.Scheduled, Fixed: phase(signal.PhaseDecode)}),
		one("general_metrics", "general_type", "iteration_counter", Row{Kind: Counter, Lies: "gauge", Metric: signal.Iterations}),
		disaggregated("kv_cache_transfer_ms", Row{Kind: Counter, Metric: signal.KVTransferTotalTime, Scale: Scale{Den: 1000}, Fixed: engine}),
		disaggregated("request_count", Row{Kind: Counter, Metric: signal.KVTransferCount, Fixed: engine}),
		{Name: "nv_trt_llm_v1_metrics", Ignored: "of static batching, which no LLM is served with any more"},
	}
}

func tritonMemory() []Row {
	kv := func(value string, row Row) Row {
		row.Name, row.Kind = "nv_trt_llm_kv_cache_block_metrics", Gauge
		row.ID, row.Only = row.Name+" "+value, Only{Label: "kv_cache_block_type", Is: []string{value}}
		return row
	}
	state := func(s string) []Attribute { return []Attribute{{signal.AttrKVState, s}} }
	return []Row{
		kv("fraction", Row{Metric: signal.KVUtilization}),
		kv("tokens_per", Row{Metric: signal.KVBlockSize}),
		kv("used", Row{Metric: signal.KVBlocks, Fixed: state(signal.KVUsed)}),
		kv("free", Row{Metric: signal.KVBlocks, Fixed: state(signal.KVFree)}),
		kv("max", Row{Metric: signal.KVCapacityTokens, Blocks: ToTokens}),
		{
			Name: "nv_trt_llm_runtime_memory_metrics", Kind: Gauge, Metric: signal.MemoryUsage,
			Labels: []Label{{From: []string{"memory_type"}, To: signal.AttrMemoryUse, Values: map[string]string{"cpu": signal.MemoryHost}}},
		},
	}
}
