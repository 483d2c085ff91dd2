package llmenginereceiver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestWhereAnEnginePublishes(t *testing.T) {
	for config, want := range map[string]publication{
		`{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5657"}`: {Endpoint: "tcp://127.0.0.1:5557", Replay: "tcp://127.0.0.1:5657"},
		`{"enable_kv_cache_events": true}`: {Endpoint: "tcp://127.0.0.1:5557"},
		`{"publisher":"zmq","endpoint":"tcp://[::]:6000","replay_endpoint":"tcp://0.0.0.0:6001"}`: {Endpoint: "tcp://127.0.0.1:6000", Replay: "tcp://127.0.0.1:6001"},
		`{"publisher":"zmq","endpoint":"tcp://0.0.0.0:6000"}`:                                     {},
		`{"publisher":"zmq","endpoint":"ipc:///run/kv","replay_endpoint":"tcp://[::]:6001"}`:      {Endpoint: "ipc:///run/kv", Replay: "tcp://127.0.0.1:6001"},
		`{"publisher":"zmq","endpoint":"tcp://127.0.0.1:5557"}`:                                   {}, // it connects, and nobody can subscribe
		`{"enable_kv_cache_events":false,"publisher":"zmq"}`:                                      {},
		`{"enable_kv_cache_events":true,"publisher":"null"}`:                                      {},
		`{"endpoint":"tcp://*:5557"}`:                                                             {},
		`{"publisher":`:                                                                           {},
		``:                                                                                        {},
	} {
		for _, command := range [][]string{{"vllm", "serve", eventsFlag, config, "m"}, {"vllm", "serve", "m", eventsFlag + "=" + config}} {
			got, ok := publicationOf(command)
			assert.Equal(t, want.Endpoint != "", ok, config)
			assert.Equal(t, want, publication{Endpoint: got.Endpoint, Replay: got.Replay}, config)
		}
	}
	for _, command := range [][]string{nil, {"vllm", "serve", "m"}, {"vllm", "serve", "m", eventsFlag}} {
		_, ok := publicationOf(command)
		assert.False(t, ok, command)
	}
	assert.Equal(t, `the engine publishes them; beside its endpoint of llm_engine: kv_events: {endpoint: "a", replay_endpoint: "b", ranks: 2}`,
		publication{Endpoint: "a", Replay: "b"}.hint(2))
}

// TestAFlagThatIsThereIsNotMissing: the hint says how to follow what the engine publishes, and what was told before it was known ends.
func TestAFlagThatIsThereIsNotMissing(t *testing.T) {
	const flag, other = "the flag", "a flag for traces"
	sys := proc([]int{20}, "20 1 vllm serve m --kv-events-config X")
	sys["20/cmdline"].Data = []byte(strings.ReplaceAll(string(sys["20/cmdline"].Data), "X", `{"enable_kv_cache_events":true}`))
	k := newKinReader(&host{reader: hostproc.New(sys), metrics: signal.Index(signal.All())}, newHandClock(), &url.URL{Host: "127.0.0.1:8000"}, nil,
		func(f func()) { f() })
	page := func() (hints []string) {
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr(signal.AttrEngineName, "vllm")
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName(signal.SourceMissing)
		points := m.SetEmptyGauge().DataPoints()
		for source, hint := range map[string]string{signal.SourceKVEvents: flag, signal.SourceTraces: other} {
			p := points.AppendEmpty()
			p.Attributes().PutStr(signal.AttrSource, source)
			p.Attributes().PutStr(signal.AttrSourceHint, hint)
			p.SetDoubleValue(1)
		}
		k.write(md, time.Unix(1, 0))
		for _, p := range m.Gauge().DataPoints().All() {
			hint, _ := p.Attributes().Get(signal.AttrSourceHint)
			if text := hint.Str(); p.Flags().NoRecordedValue() {
				hints = append(hints, "end of "+text)
			} else {
				hints = append(hints, text)
			}
		}
		return hints
	}
	publishes := publication{Endpoint: "tcp://127.0.0.1:5557"}.hint(0)
	require.ElementsMatch(t, []string{flag, other}, page())
	k.ask()
	assert.ElementsMatch(t, []string{publishes, "end of " + flag, other}, page())
	assert.ElementsMatch(t, []string{publishes, other}, page())
	k.want()
	assert.ElementsMatch(t, []string{flag, other}, page(), "another engine may have come")
}
