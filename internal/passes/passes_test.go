package passes

import (
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

func step(prefills, decodes int, seconds float64) stream.ForwardPass {
	p := stream.ForwardPass{Worker: "w", Rank: 2, WallTime: seconds}
	if prefills > 0 {
		p.Scheduled.Prefills, p.Scheduled.PrefillTokens, p.Scheduled.PrefillKVTokens, p.Scheduled.PrefillVariance = prefills, 100*prefills, 7, 1.5
	}
	if decodes > 0 {
		p.Scheduled.Decodes, p.Scheduled.DecodeKVTokens, p.Scheduled.DecodeVariance = decodes, 1000*decodes, 2.5
	}
	p.Queued = stream.QueuedRequests{Prefills: 3, PrefillTokens: 900, PrefillVariance: 4, Decodes: 1, DecodeKVTokens: 50, DecodeVariance: 0}
	return p
}

func TestEveryFormSaysTheSame(t *testing.T) {
	sent := step(2, 5, 0.025)
	sent.Counter = 1 << 40
	for _, d := range []stream.PassDialect{stream.DynamoPasses, stream.VLLMPasses, stream.SGLangPasses} {
		for _, positional := range []bool{false, true} {
			got, err := Decode(stream.AppendForwardPass(nil, sent, d, positional))
			require.NoError(t, err)
			want := Pass{
				Version: 1, Rank: 2, Counter: 1 << 40, WallTime: 0.025,
				Scheduled: Requests{Prefills: 2, PrefillTokens: 200, PrefillKVTokens: 7, Decodes: 5, DecodeKVTokens: 5000},
				Queued:    Requests{Prefills: 3, PrefillTokens: 900, Decodes: 1, DecodeKVTokens: 50},
			}
			if d == stream.VLLMPasses {
				want.Scope = ScopeCUDA
			}
			assert.Equal(t, want, got, "%v positional %v", d, positional)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for name, payload := range map[string][]byte{
		"empty": nil, "garbage": {0xc1}, "number": {0x01}, "no fields": {0x80}, "announced": {0xdf, 0xff, 0xff, 0xff, 0xff},
		"version alone": {0x91, 0x01},
	} {
		_, err := Decode(payload)
		assert.Error(t, err, name)
	}
	whole := stream.AppendForwardPass(nil, step(1, 1, 1), stream.VLLMPasses, false)
	for n := range len(whole) {
		_, err := Decode(whole[:n])
		require.Error(t, err, n)
	}
}

// send takes passes that a publisher numbers.
func send(r *Reducer, counter uint64, p stream.ForwardPass) (Refusal, bool) {
	p.Counter = counter
	return r.Take(stream.AppendForwardPass(nil, p, stream.DynamoPasses, false))
}

func TestStepsAddUpByComposition(t *testing.T) {
	r := NewReducer()
	for i, p := range []stream.ForwardPass{step(2, 0, 0.5), step(0, 8, 0.02), step(0, 4, 0.01), step(1, 3, 0.3), {}} {
		_, taken := send(r, uint64(i), p)
		require.True(t, taken)
	}
	got := r.Totals()
	durations := func(seconds ...float64) []uint64 {
		all := make([]uint64, len(DurationBounds())+1)
		for _, s := range seconds {
			for i, b := range DurationBounds() {
				if s <= b {
					all[i]++
					break
				}
			}
		}
		return all
	}
	assert.Equal(t, Sums{Steps: 1, Time: 0.5, PrefillTokens: 200, PrefillKVTokens: 7, Durations: durations(0.5)}, got.Steps[PrefillOnly])
	assert.Equal(t, Sums{Steps: 2, Time: 0.03, DecodeSequences: 12, DecodeKVTokens: 12000, Durations: durations(0.02, 0.01)}, got.Steps[DecodeOnly])
	assert.Equal(t, Sums{
		Steps: 1, Time: 0.3, PrefillTokens: 100, PrefillKVTokens: 7, DecodeSequences: 3, DecodeKVTokens: 3000, Durations: durations(0.3),
	}, got.Steps[Mixed])
	assert.Equal(t, uint64(1), got.Heartbeats)
	assert.Zero(t, got.Lost)
}

func TestCounters(t *testing.T) {
	r := NewReducer()
	for _, n := range []uint64{7, 8, 11, 11, 0, 1, 1 << 50} {
		_, _ = send(r, n, step(1, 0, 1))
	}
	got := r.Totals()
	assert.Equal(t, uint64(2), got.Lost, "9 and 10; what came before the first message is not lost")
	assert.Equal(t, uint64(2), got.Restarts)
	assert.Equal(t, uint64(1), got.Refused[Repeated])
	assert.Equal(t, uint64(6), got.Steps[PrefillOnly].Steps)
}

func TestRefusals(t *testing.T) {
	r := NewReducer()
	later := step(1, 0, 1)
	later.Version = 2
	endless := step(1, 0, math.Inf(1))
	for _, p := range []stream.ForwardPass{later, endless, step(1, 0, -1), step(1, 0, math.NaN()), step(1<<42, 0, 1)} {
		_, taken := send(r, 0, p)
		require.False(t, taken)
	}
	why, taken := r.Take([]byte{0xc1, 0xff, 0x00, 0xc1})
	require.False(t, taken)
	require.Equal(t, Malformed, why)
	// A later version that means something else by a field still is a later version.
	b := msgp.AppendMapHeader(nil, 2)
	b = msgp.AppendInt(msgp.AppendString(b, "version"), 3)
	b = msgp.AppendString(msgp.AppendString(b, "scheduled_requests"), "none")
	why, _ = r.Take(b)
	require.Equal(t, Version, why)
	assert.Equal(t, [Refusals]uint64{Malformed: 1, Version: 2, Invalid: 4}, r.Totals().Refused)
}

func FuzzTake(f *testing.F) {
	for _, positional := range []bool{false, true} {
		for _, d := range []stream.PassDialect{stream.DynamoPasses, stream.VLLMPasses, stream.SGLangPasses} {
			pass := stream.AppendForwardPass(nil, step(2, 3, 0.5), d, positional)
			f.Add(pass)
			envelope := msgp.AppendString(msgp.AppendMapHeader(nil, 2), "topic")
			envelope = msgp.AppendString(msgp.AppendString(envelope, "forward-pass-metrics"), "payload")
			envelope = msgp.AppendBytes(envelope, pass)
			f.Add(append([]byte{envelopeVersion, 0, 0, byte(len(envelope) >> 8), byte(len(envelope))}, envelope...))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r := NewReducer()
		_, taken := r.Take(payload)
		got := r.Totals()
		n := got.Heartbeats
		for _, s := range got.Steps {
			n += s.Steps
			require.False(t, math.IsNaN(s.Time) || s.Time < 0 || s.Time > longestStep)
			require.LessOrEqual(t, s.PrefillTokens, uint64(mostTokens))
		}
		for _, refused := range got.Refused {
			n += refused
		}
		require.Equal(t, uint64(1), n)
		require.Equal(t, taken, got.Refused == [Refusals]uint64{})
	})
}

func BenchmarkTake(b *testing.B) {
	for name, positional := range map[string]bool{"map": false, "array": true} {
		b.Run(name, func(b *testing.B) {
			r := NewReducer()
			payloads := [2][]byte{}
			for i := range payloads {
				p := step(2, 5, 0.025)
				p.Counter = uint64(2 * i)
				payloads[i] = stream.AppendForwardPass(nil, p, stream.VLLMPasses, positional)
			}
			i := 0
			b.ReportAllocs()
			began := cpu()
			for b.Loop() {
				if _, taken := r.Take(payloads[i&1]); !taken {
					b.Fatal("refused")
				}
				i++
			}
			b.ReportMetric(float64(b.N)/(cpu()-began).Seconds(), "passes/cpu-s")
		})
	}
}

// cpu is the processor time of this process: on a busy machine it says more than the clock on the wall.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
