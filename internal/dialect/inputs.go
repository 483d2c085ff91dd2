package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Input says how to switch on an input that an engine has and that sharpens estimates.
type Input struct {
	Source string  // value of llm.source
	Text   string  // the flag, environment variable or configuration key, as it is typed
	Since  release // first release that knows it; the zero release: all
	// Shown are families that are on the page only with the input on. Moving are families that are there anyway and stay 0 without
	// it. A source with neither cannot be seen on the page: the configuration says that it is connected.
	Shown  []string
	Moving []string
	// When are families one of which must be on the page for the input to make sense; none: always. Newer is the same, and counts
	// only while the release is not known: a page with one of them is of a release that has the input.
	When, Newer []string
	// Work is a family that must count something for Shown and Moving to prove anything: before the first request nothing moves.
	Work string
}

// Seen is what is known of an engine when its missing inputs are looked for.
type Seen struct {
	Version   string // as the engine says it; empty while not known: then the newest is assumed
	Connected []string
	Value     func(family string) (v float64, shown bool) // of a family on the page, its series added up
}

// Missing returns the inputs that are off. The first of a source that fits the release counts.
func (d *Dialect) Missing(s Seen) (missing []Input) {
	version, known := parseRelease(s.Version)
	var done []string
	for _, h := range d.table.Inputs {
		if slices.Contains(done, h.Source) || known && version.before(h.Since) || !known && !anyShown(h.Newer, s) || !h.makesSense(s) {
			continue
		}
		done = append(done, h.Source)
		if !slices.Contains(s.Connected, h.Source) && !h.isOn(s) {
			missing = append(missing, h)
		}
	}
	return missing
}

// anyShown reports whether one of the families is on the page. Of none, it is so.
func anyShown(families []string, s Seen) bool {
	return len(families) == 0 || slices.ContainsFunc(families, func(family string) bool { _, ok := s.Value(family); return ok })
}

func (h Input) makesSense(s Seen) bool {
	if !anyShown(h.When, s) {
		return false
	}
	if h.Work == "" {
		return true
	}
	done, _ := s.Value(h.Work)
	return done > 0
}

func (h Input) isOn(s Seen) bool {
	return len(h.Shown) > 0 && anyShown(h.Shown, s) ||
		slices.ContainsFunc(h.Moving, func(family string) bool { v, _ := s.Value(family); return v > 0 })
}

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
		{Source: signal.SourceNIXL, Text: "NIXL_TELEMETRY_ENABLE=y", When: []string{"vllm:nixl_xfer_time_seconds"}},
		{Source: signal.SourceTraces, Text: "--otlp-traces-endpoint grpc://localhost:4317"},
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
		{Source: signal.SourceTraces, Text: "--enable-trace --otlp-traces-endpoint localhost:4317", Since: release{0, 5}},
	}
}

// tensorRTInputs: KVEventsConfig came with NVIDIA/TensorRT-LLM#17023 (1.3.0rc27).
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
	}
}

// First returns the first release that has the input, or "" where all have.
func (h Input) First() string {
	if h.Since == (release{}) {
		return ""
	}
	return h.Since.String()
}
