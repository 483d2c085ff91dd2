package scenario

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// simulate runs a ready scenario for five minutes.
func simulate(t *testing.T, name string, o Options) (Scenario, *fleetsim.Fleet) {
	t.Helper()
	s, err := Load(name, o)
	require.NoError(t, err)
	f, err := s.Run(5 * time.Minute)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return s, f
}

// A scenario that calls for an advice is worth nothing if following it does not help: every remedy betters its figure by a tenth at
// least, and never costs more than a fiftieth of the goodput.
func TestEveryRemedyHelps(t *testing.T) {
	cases := 0
	for _, name := range Names() {
		if s, err := Load(name, Options{}); err != nil || s.Improves == "" {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, before := simulate(t, name, Options{})
			_, after := simulate(t, name, Options{Remedy: true})
			was, higher := s.Measure(before)
			is, _ := s.Measure(after)
			t.Logf("%s: %.4g, with the remedy %.4g", s.Improves, was, is)
			if higher {
				assert.Greater(t, is, 1.1*was)
			} else {
				assert.Less(t, is, 0.9*was)
			}
			assert.GreaterOrEqual(t, float64(after.Truth().Goodput.Both), 0.98*float64(before.Truth().Goodput.Both))
		})
	}
	assert.Equal(t, 16, cases)
}

// What the names of the other scenarios promise.
func TestScenariosDoWhatTheySay(t *testing.T) {
	truth := func(name string) fleetsim.Truth {
		_, f := simulate(t, name, Options{})
		return f.Truth()
	}
	balanced := truth("pd-balanced")
	assert.Greater(t, float64(balanced.Goodput.Both), 0.97*float64(balanced.FinishedRequests))

	// What the limiting side does takes longest.
	prefill, decode := truth("pd-prefill-bound"), truth("pd-decode-bound")
	assert.Greater(t, prefill.TTFT.P50, 10*balanced.TTFT.P50)
	assert.Less(t, prefill.ITL.P50, balanced.ITL.P50)
	assert.Greater(t, decode.ITL.P50, 0.030)
	assert.Greater(t, decode.Transfers.BlockWaitSeconds, 100*prefill.Transfers.BlockWaitSeconds)

	fallback := truth("tcp-fallback")
	assert.Positive(t, fallback.Transfers.TCP.Transfers)
	assert.Greater(t, fallback.TTFT.P90, 10*balanced.TTFT.P90)
	assert.Zero(t, fallback.Transfers.Failed, "it is silent")

	thrash, dead := truth("kv-thrash"), truth("kv-dead-cache")
	assert.Less(t, float64(thrash.CachedTokens), 0.5*float64(thrash.PromptTokens))
	assert.Positive(t, thrash.CachedTokens)
	assert.Zero(t, dead.CachedTokens)

	window, lora := truth("kv-sliding-window").KV, truth("lora-adapters").KV
	assert.Less(t, window.WindowSeconds.Live, 0.45*window.Seconds.Live, "requests hold more of the layers without a window")
	assert.Greater(t, window.WindowSeconds.CachedOpen, 0.4*(window.Seconds.CachedUseful+window.Seconds.CachedDead))
	assert.Greater(t, float64(window.Lookups.Capacity), 0.2*float64(window.Lookups.Queries))
	assert.Less(t, lora.Lookups.Hits(), lora.Lookups.Compulsory, "each adapter has the prefixes of its own")

	burst := truth("interference-burst")
	assert.Greater(t, burst.ITL.P99, 2*burst.ITL.P50)
	assert.Positive(t, burst.StallSteps)
}

// Ten milliseconds become hundreds through pieces, fan-out and retries, and stay what they are without them (A13).
func TestHiccupsCascade(t *testing.T) {
	worse := func(name string) float64 {
		_, with := simulate(t, name, Options{})
		_, without := simulate(t, name, Options{Overrides: []Override{{"faults", "[]"}}})
		if name == "hiccup-cascade" {
			assert.Positive(t, with.Truth().Transfers.Retries)
			assert.Zero(t, without.Truth().Transfers.Retries)
		}
		t.Logf("%s: p99 TTFT %.3f s, without stalls %.3f s", name, with.Truth().TTFT.P99, without.Truth().TTFT.P99)
		return with.Truth().TTFT.P99 - without.Truth().TTFT.P99
	}
	assert.GreaterOrEqual(t, worse("hiccup-cascade"), 0.200)
	assert.LessOrEqual(t, worse("hiccup-fifo"), 0.060)
}

// The names of the scenarios are the truth of which side limits: a tenth more capacity of the named phase alone gains more goodput than a
// tenth of the other, and where the scenario is balanced neither gains much more than the other (A18).
func TestWhichSideIsTheTruth(t *testing.T) {
	const prefill, decode, balanced = 1, -1, 0
	for name, c := range map[string]struct{ prefillPool, decodePool, side int }{
		"which-side-prefill":  {0, 0, prefill},
		"which-side-decode":   {0, 0, decode},
		"which-side-balanced": {0, 0, balanced},
		"pd-prefill-bound":    {0, 1, prefill},
		"pd-decode-bound":     {0, 1, decode},
		"pd-balanced":         {0, 1, balanced},
	} {
		goodput := func(o ...Override) float64 {
			_, f := simulate(t, name, Options{Overrides: o})
			return float64(f.Truth().Goodput.Both)
		}
		base := goodput()
		p := goodput(Override{fmt.Sprintf("pools[%d].phase_speed", c.prefillPool), "{prefill: 1.1}"})/base - 1
		d := goodput(Override{fmt.Sprintf("pools[%d].phase_speed", c.decodePool), "{decode: 1.1}"})/base - 1
		t.Logf("%s: prefill +10 %% gains %.1f %%, decode +10 %% gains %.1f %%", name, p*100, d*100)
		side := balanced
		if p > d+0.03 {
			side = prefill
		} else if d > p+0.03 {
			side = decode
		}
		assert.Equal(t, c.side, side, name)
	}
}
