package requestspan // import "github.com/otelcol-inference/otelcol-inference/internal/requestspan"

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// What attributes tell in seconds.
const (
	ttft = iota
	queue
	prefill
	decode
	proxyTTFT
	proxyPrefill
	proxyDecode
	proxyHandover
	latencies
)

// What attributes count in tokens.
const (
	prompt = iota
	cached
	output
	counts
)

// values are the attributes of a span that mean something here.
type values struct {
	seconds [latencies]float64
	told    [latencies]bool
	tokens  [counts]int64
	model   string
	module  string
}

func (v *values) get(i int) (float64, bool) { return v.seconds[i], v.told[i] }

func (v *values) of(i int) float64 {
	if !v.told[i] {
		return Unknown
	}
	return v.seconds[i]
}

// read takes the attributes of a request span. Names of gen_ai.latency.* and gen_ai.usage.* are those of vllm/tracing/utils.py (vLLM
// 0.32.0) and sglang/srt/observability/trace.py (SGLang 0.5.23); they are no semantic conventions. Those of llm_d.pd_proxy.* are those
// of the llm-d router's sidecar (pkg/sidecar/proxy), in milliseconds.
func read(m pcommon.Map) (v values) {
	v.tokens = [counts]int64{Unknown, Unknown, Unknown}
	for key, value := range m.All() {
		switch {
		case strings.HasPrefix(key, "gen_ai."):
			v.engine(key[len("gen_ai."):], value)
		case strings.HasPrefix(key, "llm_d.pd_proxy."):
			v.proxy(key[len("llm_d.pd_proxy."):], value)
		case key == "module":
			v.module = value.Str()
		}
	}
	return v
}

func (v *values) engine(key string, value pcommon.Value) {
	switch key {
	case "latency.time_to_first_token":
		v.put(ttft, value, 1)
	case "latency.time_in_queue":
		v.put(queue, value, 1)
	case "latency.time_in_model_prefill":
		v.put(prefill, value, 1)
	case "latency.time_in_model_decode":
		v.put(decode, value, 1)
	case "usage.prompt_tokens":
		v.count(prompt, value)
	case "usage.cached_tokens":
		v.count(cached, value)
	case "usage.completion_tokens":
		v.count(output, value)
	case "response.model":
		v.model = value.Str()
	case "request.model":
		if v.model == "" {
			v.model = value.Str()
		}
	}
}

func (v *values) proxy(key string, value pcommon.Value) {
	const milli = 1e-3
	switch key {
	case "true_ttft_ms":
		v.put(proxyTTFT, value, milli)
	case "prefill_duration_ms":
		v.put(proxyPrefill, value, milli)
	case "decode_duration_ms":
		v.put(proxyDecode, value, milli)
	case "coordinator_overhead_ms", "kv_transfer_overhead_ms": // the latter until it was renamed
		v.put(proxyHandover, value, milli)
	}
}

func (v *values) put(i int, value pcommon.Value, unit float64) {
	switch value.Type() {
	case pcommon.ValueTypeDouble:
		v.seconds[i], v.told[i] = value.Double()*unit, true
	case pcommon.ValueTypeInt:
		v.seconds[i], v.told[i] = float64(value.Int())*unit, true
	}
}

func (v *values) count(i int, value pcommon.Value) {
	switch value.Type() {
	case pcommon.ValueTypeInt:
		v.tokens[i] = value.Int()
		if v.tokens[i] < 0 {
			v.tokens[i] = Unknown - 1 // impossible, and not "not told"
		}
	case pcommon.ValueTypeDouble:
		v.tokens[i] = int64(value.Double())
	}
}
