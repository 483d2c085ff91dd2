package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// The ports of KV events: rank r of a data-parallel group binds 5557+r for the events and 5657+r for their replay, so that a hundred
// ranks stay apart.

// vllmInputs: KV events since 0.9 (vllm/config/kv_events.py), residency and MFU counters as of the 0.14 tree, forward passes by Dynamo's
// instrumented scheduler; vLLM's own (vllm-project/vllm#52061) are in no release yet.
func vllmInputs() []Input {
	v1 := []string{"vllm:kv_cache_usage_perc"} // of a page whose release is not known
	return []Input{
		{
			Source: signal.SourceKVEvents, Since: release{0, 9}, Newer: v1,
			Text: `--kv-events-config '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5657"}'`,
		},
		{Source: signal.SourceForwardPasses, Text: "DYN_FORWARDPASS_METRIC_PORT=20380", When: []string{"dynamo_component_requests", "dynamo_component_inflight_requests"}},
		{
			Source: signal.SourceKVResidency, Text: "--kv-cache-metrics", Since: release{0, 14}, Newer: v1,
			Shown: []string{"vllm:kv_block_lifetime_seconds"},
		},
		{
			Source: signal.SourceEffort, Text: "--enable-mfu-metrics", Since: release{0, 14},
			Moving: []string{"vllm:estimated_flops_per_gpu"}, Work: "vllm:generation_tokens",
		},
		{Source: signal.SourceNIXL, Text: "NIXL_TELEMETRY_ENABLE=y NIXL_TELEMETRY_DIR=/dev/shm/nixl", When: []string{"vllm:nixl_xfer_time_seconds"}},
		// Of grpc:// OpenTelemetry's exporter for Python makes TLS, unless OTEL_EXPORTER_OTLP_TRACES_INSECURE says otherwise.
		{Source: signal.SourceTraces, Text: "--otlp-traces-endpoint http://localhost:4317"},
	}
}

// sglangInputs: sglang/srt/server_args.py of 0.5.23, forward passes by sgl-project/sglang#22789. The device timer is what
// forward_execution_seconds needs.
func sglangInputs() []Input {
	modern := []string{"sglang:page_size"} // since 0.5.11, of a page whose release is not known
	return []Input{
		{Source: signal.SourceKVEvents, Text: `--kv-events-config '{"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5657"}'`},
		{
			Source: signal.SourceForwardPasses, Since: release{0, 5, 23}, Newer: modern,
			Text: "--enable-forward-pass-metrics --forward-pass-metrics-ipc-name /run/sglang-fpm",
		},
		{
			Source: signal.SourceIterations, Text: "SGLANG_ENABLE_METRICS_DEVICE_TIMER=1", Since: release{0, 5, 11},
			Shown: []string{"sglang:forward_execution_seconds"}, Work: "sglang:realtime_tokens",
		},
		{
			Source: signal.SourceEffort, Text: "--enable-mfu-metrics", Since: release{0, 5, 11},
			Moving: []string{"sglang:estimated_flops_per_gpu"}, Work: "sglang:realtime_tokens",
		},
		{
			Source: signal.SourceNIXL, Text: "--disaggregation-transfer-backend nixl, NIXL_TELEMETRY_ENABLE=y NIXL_TELEMETRY_DIR=/dev/shm/nixl",
			When: []string{"sglang:kv_transfer_latency_ms"},
		},
		{Source: signal.SourceTraces, Text: "--enable-trace --otlp-traces-endpoint localhost:4317", Since: release{0, 5}},
	}
}

// tensorRTInputs: KVEventsConfig came with NVIDIA/TensorRT-LLM#17023 (1.3.0rc27), traces with #5897 (examples/opentelemetry).
func tensorRTInputs() []Input {
	return []Input{
		{
			Source: signal.SourceKVEvents, Since: release{1, 3},
			Text: `kv_cache_config: {kv_events_config: {publisher: zmq, endpoint: "tcp://*:5557", replay_endpoint: "tcp://*:5657"}}`,
		},
		{
			Source: signal.SourceRequests, Text: "return_perf_metrics: true", Shown: []string{"trtllm_request_success", "trtllm_e2e_request_latency_seconds"},
			Work: "trtllm_num_requests_completed",
		},
		{Source: signal.SourceIterations, Text: "enable_iter_perf_stats: true", Since: release{1, 2}, Shown: []string{"trtllm_num_requests_running"}},
		{
			Source: signal.SourceNIXL, Text: "cache_transceiver_config: {backend: NIXL}, NIXL_TELEMETRY_ENABLE=y NIXL_TELEMETRY_DIR=/dev/shm/nixl",
			When: []string{"trtllm_kv_transfer_latency_seconds"},
		},
		{
			Source: signal.SourceTraces, Since: release{1, 1},
			Text: "--otlp_traces_endpoint=grpc://localhost:4317, return_perf_metrics: true, OTEL_EXPORTER_OTLP_TRACES_INSECURE=true",
		},
	}
}

// dynamoInputs of a worker whose page has no engine's families; those of an engine are in its own table (Dynamo's docs/observability,
// logging and forward passes).
func dynamoInputs() []Input {
	return []Input{
		{Source: signal.SourceForwardPasses, Text: "DYN_FORWARDPASS_METRIC_PORT=20380"},
		{Source: signal.SourceTraces, Text: "DYN_LOGGING_JSONL=true OTEL_EXPORT_ENABLED=1 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4317"},
	}
}

// tgiInputs: launcher/src/main.rs of Text Generation Inference.
func tgiInputs() []Input {
	return []Input{{Source: signal.SourceTraces, Text: "--otlp-endpoint http://localhost:4317"}}
}

// tritonInputs: docs/user_guide/trace.md of Triton; without a rate it traces each thousandth request.
func tritonInputs() []Input {
	return []Input{{
		Source: signal.SourceTraces, Text: "--trace-config mode=opentelemetry --trace-config opentelemetry,url=http://localhost:4318/v1/traces " +
			"--trace-config level=TIMESTAMPS --trace-config rate=100",
	}}
}
