package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// eventsFlag turns KV events on in vLLM and SGLang, with JSON (vllm/config/kv_events.py, sglang/srt/disaggregation/kv_events.py).
const eventsFlag = "--kv-events-config"

// publication is where an engine publishes its KV events.
type publication struct {
	Enabled  *bool  `json:"enable_kv_cache_events"` // of vLLM alone
	By       string `json:"publisher"`
	Endpoint string `json:"endpoint"`
	Replay   string `json:"replay_endpoint"`
}

// publicationOf reads from a command line where its engine publishes KV events, as a subscriber on the same host would name it. ok is false
// where it does not, or where nobody can subscribe: a publisher connects to any address but a wildcard and a path.
func publicationOf(command []string) (p publication, ok bool) {
	for i, word := range command {
		text, joined := strings.CutPrefix(word, eventsFlag+"=")
		switch {
		case joined:
		case word == eventsFlag && i+1 < len(command):
			text = command[i+1]
		default:
			continue
		}
		p = publication{Endpoint: "tcp://*:5557"} // the default of both
		if json.Unmarshal([]byte(text), &p) != nil || p.Enabled != nil && !*p.Enabled || p.Enabled == nil && p.By != "zmq" || p.By == "null" {
			return publication{}, false
		}
		if !strings.Contains(p.Endpoint, "*") && !strings.Contains(p.Endpoint, "::") && !strings.HasPrefix(p.Endpoint, "ipc://") {
			return publication{}, false
		}
		p.Endpoint, p.Replay = subscribed(p.Endpoint), subscribed(p.Replay)
		return p, true
	}
	return publication{}, false
}

// subscribed is the address at which what is bound to another is reached from the same host.
func subscribed(bound string) string {
	for _, wildcard := range []string{"tcp://*:", "tcp://0.0.0.0:", "tcp://[::]:", "tcp://:::"} {
		if port, found := strings.CutPrefix(bound, wildcard); found {
			return "tcp://127.0.0.1:" + port
		}
	}
	return bound
}

// hint says how the events are followed, by so many data-parallel ranks.
func (p publication) hint(ranks int) string {
	more := ""
	if p.Replay != "" {
		more += fmt.Sprintf(", replay_endpoint: %q", p.Replay)
	}
	if ranks > 1 {
		more += fmt.Sprintf(", ranks: %d", ranks)
	}
	return fmt.Sprintf("the engine publishes them; beside its endpoint of llm_engine: kv_events: {endpoint: %q%s}", p.Endpoint, more)
}

// correct puts a hint in the place of the flag that turns KV events on. What was told before the engine's command line was seen ends with
// the first correction.
func correct(metrics pmetric.MetricSlice, hint string, first bool) {
	for _, m := range metrics.All() {
		if m.Name() != signal.SourceMissing {
			continue
		}
		points := m.Gauge().DataPoints()
		for i := range points.Len() {
			if source, _ := points.At(i).Attributes().Get(signal.AttrSource); source.Str() != signal.SourceKVEvents {
				continue
			}
			if first {
				ended := points.AppendEmpty()
				points.At(i).CopyTo(ended)
				ended.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
			}
			points.At(i).Attributes().PutStr(signal.AttrSourceHint, hint)
		}
	}
}
