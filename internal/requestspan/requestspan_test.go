package requestspan

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const epoch = 1_764_067_200_000_000_000

// span makes one that begins at the epoch.
func span(t testing.TB, name string, length float64, attributes map[string]any) ptrace.Span {
	t.Helper()
	s := ptrace.NewSpan()
	s.SetName(name)
	s.SetStartTimestamp(epoch)
	s.SetEndTimestamp(epoch + pcommon.Timestamp(length*1e9))
	require.NoError(t, s.Attributes().FromRaw(attributes))
	return s
}

// vllm is what vLLM 0.32.0 says of a request that waited 0.5 s, was prefilled for 2 s and decoded for 4 s.
func vllm(change ...func(map[string]any)) map[string]any {
	a := map[string]any{
		"gen_ai.latency.time_to_first_token": 3.0, "gen_ai.latency.e2e": 7.5, "gen_ai.latency.time_in_queue": 0.5,
		"gen_ai.latency.time_in_model_prefill": 2.0, "gen_ai.latency.time_in_model_decode": 4.0,
		"gen_ai.latency.time_in_model_inference": 6.0, "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 21,
	}
	for _, c := range change {
		c(a)
	}
	return a
}

func set(key string, v any) func(map[string]any) {
	return func(a map[string]any) {
		if v == nil {
			delete(a, key)
			return
		}
		a[key] = v
	}
}

// stretch is a phase in seconds after the epoch.
type stretch struct {
	name     string
	from, to float64
	includes string
}

func stretches(r Request) (all []stretch) {
	for _, p := range r.Phases() {
		all = append(all, stretch{p.Name, float64(int64(p.Start)-epoch) / 1e9, float64(int64(p.End)-epoch) / 1e9, p.Includes})
	}
	return all
}

func TestVLLM(t *testing.T) {
	r, o := Read("vllm.tracing.otel", span(t, "llm_request", 7.5, vllm()))
	require.Equal(t, Split, o)
	assert.Equal(t, []stretch{{"queue", 0.5, 1, ""}, {"prefill", 1, 3, ""}, {"decode", 3, 7, ""}}, stretches(r))
	assert.Equal(t, "vllm", r.Engine)
	assert.Equal(t, 3.0, r.TTFT)
	assert.Equal(t, 0.2, r.TPOT)
	assert.Equal(t, [3]int64{100, Unknown, 21}, [3]int64{r.PromptTokens, r.CachedTokens, r.OutputTokens})

	r, o = Read("", span(t, "llm_request", 7.5, vllm(set("gen_ai.latency.time_in_queue", nil), set("gen_ai.latency.time_in_model_decode", nil),
		set("gen_ai.usage.completion_tokens", 1))))
	require.Equal(t, Split, o)
	assert.Equal(t, []stretch{{"prefill", 1, 3, ""}}, stretches(r), "what is not told is not there")
	assert.Zero(t, r.TPOT)
}

// A front end that is held up sees the first token late.
func TestAFirstTokenThatIsSeenLate(t *testing.T) {
	r, o := Read("", span(t, "llm_request", 7.5, vllm(set("gen_ai.latency.time_to_first_token", 7.4))))
	require.Equal(t, Split, o)
	assert.Equal(t, []stretch{{"queue", 1, 1.5, ""}, {"prefill", 1.5, 3.5, ""}, {"decode", 3.5, 7.5, ""}}, stretches(r))
	assert.Equal(t, 7.4, r.TTFT, "which is what the client had")
}

// Spans of vLLM 0.32.0 on a CPU under load, those with a first token seen late among them, are all split, and their phases follow
// each other.
func TestRecordedSpans(t *testing.T) {
	body, err := os.ReadFile("testdata/vllm-0.32.0-cpu.json")
	require.NoError(t, err)
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(body)
	require.NoError(t, err)
	ss := td.ResourceSpans().At(0).ScopeSpans().At(0)
	require.Equal(t, 32, ss.Spans().Len())
	for _, s := range ss.Spans().All() {
		r, o := Read(ss.Scope().Name(), s)
		require.Equal(t, Split, o, s.SpanID())
		phases := r.Phases()
		require.Len(t, phases, 3)
		for i, p := range phases {
			told, ok := s.Attributes().Get([]string{"gen_ai.latency.time_in_queue", "gen_ai.latency.time_in_model_prefill", "gen_ai.latency.time_in_model_decode"}[i])
			require.True(t, ok)
			assert.InDelta(t, told.Double(), p.Seconds(), 0.001)
			assert.GreaterOrEqual(t, p.Start, s.StartTimestamp())
			assert.LessOrEqual(t, p.End, s.EndTimestamp())
			if i > 0 {
				assert.InDelta(t, float64(phases[i-1].End), float64(p.Start), 1000)
			}
		}
		assert.Positive(t, r.TTFT)
		assert.GreaterOrEqual(t, r.TPOT, 0.0)
	}
}

// The phases never leave the span, however far the clocks of front end and core are apart within the tolerance.
func TestClocksThatDifferALittle(t *testing.T) {
	r, o := Read("", span(t, "llm_request", 6.95, vllm(set("gen_ai.latency.time_to_first_token", 2.46))))
	require.Equal(t, Split, o)
	got := stretches(r)
	assert.Equal(t, 0.0, got[0].from)
	assert.InDelta(t, 6.5, got[2].to, 1e-6)
	r, o = Read("", span(t, "llm_request", 6.9, vllm()))
	require.Equal(t, Split, o)
	assert.InDelta(t, 6.9, stretches(r)[2].to, 1e-6)
}

func TestSGLang(t *testing.T) {
	attributes := map[string]any{
		"module": "sglang::request", "gen_ai.response.model": "llama", "gen_ai.usage.prompt_tokens": 100,
		"gen_ai.usage.cached_tokens": 64, "gen_ai.usage.completion_tokens": 10, "gen_ai.latency.time_to_first_token": 3.0,
		"gen_ai.latency.e2e": 7.5, "gen_ai.latency.time_in_model_prefill": 2.75, "gen_ai.latency.time_in_model_decode": 4.5,
	}
	r, o := Read("sglang server", span(t, " Req 12345678", 7.5, attributes))
	require.Equal(t, Split, o)
	assert.Equal(t, []stretch{{"prefill", 0.25, 3, "queue"}, {"decode", 3, 7.5, ""}}, stretches(r))
	assert.Equal(t, "llama", r.Model)
	assert.Equal(t, int64(64), r.CachedTokens)
	assert.InDelta(t, 0.5, r.TPOT, 1e-9)

	r, o = Read("sglang server", span(t, "decode Req 12345678", 7.5, attributes))
	require.Equal(t, Split, o)
	assert.Equal(t, stretch{"transfer", 0.25, 3, "queue,prefill"}, stretches(r)[0])

	_, o = Read("sglang server", span(t, " Req 1", 7.5, map[string]any{"module": "sglang::other"}))
	assert.Equal(t, Foreign, o)
	_, o = Read("sglang server", span(t, " Req 1", 7.5, map[string]any{"module": "sglang::request"}))
	assert.Equal(t, Lacking, o)
}

func TestProxy(t *testing.T) {
	attributes := map[string]any{
		"llm_d.pd_proxy.true_ttft_ms": 500.0, "llm_d.pd_proxy.prefill_duration_ms": 400.0, "llm_d.pd_proxy.decode_duration_ms": 2000.0,
		"llm_d.pd_proxy.coordinator_overhead_ms": 30.0, "llm_d.pd_proxy.total_duration_ms": 2500.0,
	}
	for _, name := range []string{"decode", "llm_d.pd_proxy.decode"} {
		r, o := Read("llm-d", span(t, name, 2, attributes))
		require.Equal(t, Split, o)
		got := stretches(r)
		require.Len(t, got, 4)
		for i, want := range []stretch{{"queue", -0.5, -0.43, ""}, {"prefill", -0.43, -0.03, ""}, {"transfer", -0.03, 0, ""}, {"decode", 0, 2, "transfer"}} {
			assert.Equal(t, [2]string{want.name, want.includes}, [2]string{got[i].name, got[i].includes})
			assert.InDelta(t, want.from, got[i].from, 1e-6, want.name)
			assert.InDelta(t, want.to, got[i].to, 1e-6, want.name)
		}
		assert.Equal(t, float64(Unknown), r.TTFT, "the sidecar does not see the first token")
	}
	delete(attributes, "llm_d.pd_proxy.prefill_duration_ms")
	_, o := Read("llm-d", span(t, "decode", 2, attributes))
	assert.Equal(t, Lacking, o, "both engines asked at once")
	_, o = Read("video", span(t, "decode", 2, map[string]any{"codec": "av1"}))
	assert.Equal(t, Foreign, o)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   Outcome
	}{
		"aborted before the first token": {set("gen_ai.latency.time_in_model_prefill", nil), Lacking},
		"a clock that was set back":      {set("gen_ai.latency.time_in_model_prefill", -0.1), Negative},
		// vLLM subtracts an instant on a monotonic clock from the 0 that stands for a first token that never came.
		"no first token":            {set("gen_ai.latency.time_in_model_prefill", -86000.5), Negative},
		"not a number":              {set("gen_ai.latency.time_in_model_decode", math.NaN()), Absurd},
		"longer than a day":         {set("gen_ai.latency.time_in_queue", 1e6), Absurd},
		"infinite":                  {set("gen_ai.latency.time_in_queue", math.Inf(1)), Absurd},
		"tokens below zero":         {set("gen_ai.usage.prompt_tokens", -1), Absurd},
		"too many tokens":           {set("gen_ai.usage.completion_tokens", 1<<40), Absurd},
		"more cached than there is": {set("gen_ai.usage.cached_tokens", 101), Inconsistent},
		"decode beyond the end":     {set("gen_ai.latency.time_in_model_decode", 6.0), Inconsistent},
		"queue before the start":    {set("gen_ai.latency.time_in_queue", 3.0), Inconsistent},
		"text for a number":         {set("gen_ai.latency.time_in_model_prefill", "2"), Lacking},
	} {
		_, o := Read("", span(t, "llm_request", 7.5, vllm(c.change)))
		assert.Equal(t, c.want, o, name)
	}
	back := span(t, "llm_request", 7.5, vllm())
	back.SetEndTimestamp(epoch - 1)
	_, o := Read("", back)
	assert.Equal(t, Negative, o)
	long := span(t, "llm_request", 7.5, vllm())
	long.SetEndTimestamp(epoch + 2*86400e9)
	_, o = Read("", long)
	assert.Equal(t, Absurd, o)
	for _, o := range Outcomes() {
		assert.NotEmpty(t, o.String())
	}
}

func TestSlicePhase(t *testing.T) {
	assert.Equal(t, "transfer", SlicePhase("sglang server", "prefill_transfer_kv_cache"))
	assert.Equal(t, "queue", SlicePhase("sglang server", "prefill_waiting"))
	assert.Empty(t, SlicePhase("sglang server", "tokenize"))
	assert.Empty(t, SlicePhase("other", "decode_forward"))
}

func FuzzRead(f *testing.F) {
	f.Add(3.0, 0.5, 2.0, 4.0, uint64(7_500_000_000), int64(100))
	f.Add(math.NaN(), -1.0, math.Inf(-1), 1e300, uint64(0), int64(-1))
	f.Add(3.0, 0.5, 2.0, 4.0, uint64(math.MaxUint64), int64(100)) // ends before it starts
	f.Add(3.0, 0.5, 2.0, 4.0, uint64(math.MaxInt64), int64(100))
	f.Fuzz(func(t *testing.T, first, waiting, prefilling, decoding float64, length uint64, tokens int64) {
		s := span(t, "llm_request", 0, vllm(set("gen_ai.latency.time_to_first_token", first), set("gen_ai.latency.time_in_queue", waiting),
			set("gen_ai.latency.time_in_model_prefill", prefilling), set("gen_ai.latency.time_in_model_decode", decoding),
			set("gen_ai.usage.prompt_tokens", tokens)))
		s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(length)) // ns
		r, o := Read("", s)
		if o != Split {
			return
		}
		for _, p := range r.Phases() {
			if p.Start < s.StartTimestamp() || p.End > s.EndTimestamp() || p.Seconds() < 0 {
				t.Errorf("phase %v is not within %v to %v", p, s.StartTimestamp(), s.EndTimestamp())
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	request, foreign := span(b, "llm_request", 7.5, vllm()), span(b, "GET /v1/models", 0.1, map[string]any{"http.request.method": "GET"})
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, o := Read("vllm.tracing.otel", request); o != Split {
				b.Fatal(o)
			}
		}
	})
	b.Run("foreign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, o := Read("http", foreign); o != Foreign {
				b.Fatal(o)
			}
		}
	})
}
