package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Hint is an input that an engine has and that is off unless asked for.
type Hint struct {
	Source string // a value of llm.source
	How    string // the exact flag or setting
}

// hint holds for the versions from since on, up to and without until; empty is no bound.
type hint struct {
	engine, source, since, until, how string
}

// hints is the table. Sources: vllm/config/kv_events.py (since v0.9.0), sglang/srt/server_args.py (SGLang 0.5.23; forward passes by
// sglang#22789), TensorRT-LLM#17023 (1.3.0; 1.2 has none), Dynamo's instrumented scheduler for vLLM. vLLM's own forward passes
// (vllm#52061) are in no release yet.
func hints() []hint {
	return []hint{
		{"vllm", signal.SourceKVEvents, "0.9.0", "",
			`--kv-events-config '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558"}'`},
		{"vllm", signal.SourceForwardPasses, "", "", `under Dynamo: DYN_FORWARDPASS_METRIC_PORT=20380`},
		{"sglang", signal.SourceKVEvents, "", "",
			`--kv-events-config '{"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558"}'`},
		{"sglang", signal.SourceForwardPasses, "0.5.23", "", `--enable-forward-pass-metrics --forward-pass-metrics-ipc-name /run/sglang-fpm`},
		{"tensorrt_llm", signal.SourceKVEvents, "1.3.0", "",
			`kv_cache_config: {kv_events_config: {publisher: zmq, endpoint: "tcp://*:5557", replay_endpoint: "tcp://*:5558"}}`},
	}
}

// Hints returns the inputs that an engine of a version can be asked for. An unknown version, "", has those of the newest.
func Hints(engine, version string) []Hint {
	var found []Hint
	for _, h := range hints() {
		if h.engine != engine || version != "" && (before(version, h.since) || h.until != "" && !before(version, h.until)) {
			continue
		}
		found = append(found, Hint{h.source, h.how})
	}
	return found
}

// before compares versions by their leading numbers: 0.9.0 is before 0.10.0rc1.
func before(a, b string) bool {
	x, y := numbers(a), numbers(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}

func numbers(version string) (n [3]int) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 4)
	for i := range min(len(parts), len(n)) {
		digits := strings.IndexFunc(parts[i], func(r rune) bool { return r < '0' || r > '9' })
		if digits < 0 {
			digits = len(parts[i])
		}
		n[i], _ = strconv.Atoi(parts[i][:digits])
	}
	return n
}
