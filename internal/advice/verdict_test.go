package advice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// seen is what one window shows of a worker.
type seen struct {
	role                 string
	ttft, itl            float64 // s, all requests alike
	imbalance            float64
	confidence           float64
	withheld             string // instead of the imbalance
	running, waiting, kv float64
	lost, without        float64 // of interference
	thrash               float64 // of an eviction storm
	down, unheard        bool
}

// show observes a worker whose objectives are one second and 50 ms.
func (b *bench) show(ref Ref, s seen) {
	if s.unheard {
		return
	}
	if s.down {
		b.level(ref, signal.Up, 0)
		return
	}
	b.level(ref, signal.Up, 1)
	if s.role != "" {
		b.info(ref, signal.AttrRole, s.role)
	}
	b.level(ref, signal.Running, s.running)
	b.level(ref, signal.Waiting, s.waiting)
	b.level(ref, signal.KVUtilization, s.kv)
	b.level(ref, signal.Objective, 1, signal.AttrObjective, signal.ObjectiveTTFT, signal.AttrQuantile, "0.9", signal.AttrImplied, "false")
	b.level(ref, signal.Objective, 0.05, signal.AttrObjective, signal.ObjectiveITL, signal.AttrQuantile, "0.9", signal.AttrImplied, "false")
	if s.ttft > 0 {
		b.histogram(ref, signal.TTFT, s.ttft, 20)
	}
	if s.itl > 0 {
		b.histogram(ref, signal.ITL, s.itl, 2000)
		b.count(ref, signal.TokensGenerated, 2000)
	}
	if s.withheld != "" {
		b.count(ref, signal.EstimateWithheld, 1, signal.AttrEstimate, signal.EstimateImbalance, signal.AttrReason, s.withheld)
	} else if s.confidence > 0 {
		b.level(ref, signal.PhaseImbalance, s.imbalance)
		b.level(ref, signal.EstimateConfidence, s.confidence, signal.AttrEstimate, signal.EstimateImbalance, signal.AttrEstimateMethod, "m")
	}
	if s.thrash > 0 {
		b.level(ref, signal.KVStorm, 1)
		b.level(ref, signal.KVThrash, s.thrash)
		b.level(ref, signal.EstimateConfidence, 0.9, signal.AttrEstimate, signal.KVThrash, signal.AttrEstimateMethod, "m")
	}
	if s.without > 0 {
		b.level(ref, signal.InterferenceLost, s.lost)
		b.level(ref, signal.InterferenceCounterfactual, s.without)
		b.level(ref, signal.EstimateConfidence, 0.9, signal.AttrEstimate, signal.EstimateInterference, signal.AttrEstimateMethod, "m")
	}
}

// inForce is the verdict that was told last.
func (b *bench) inForce() Verdict {
	b.t.Helper()
	var v *Verdict
	for _, e := range b.events {
		if e.Name == Judged {
			v = e.Verdict
		}
	}
	require.NotNil(b.t, v)
	return *v
}

func TestVerdicts(t *testing.T) {
	good := seen{ttft: 0.15, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 10}
	for name, c := range map[string]struct {
		workers []seen
		want    Code
		title   string
	}{
		"prefill":                {[]seen{{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5}}, PrefillBound, "Prefill-bound."},
		"decode":                 {[]seen{{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.9, running: 10}}, DecodeBound, "Decode-bound."},
		"mixing":                 {[]seen{{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.9, running: 10, lost: 0.8, without: 0.02}}, Interference, "Prefill gets in the way of decode."},
		"mixing explains little": {[]seen{{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.9, running: 10, lost: 0.2, without: 0.14}}, DecodeBound, "Decode-bound."},
		"on target":              {[]seen{good, good}, Balanced, "On target."},
		"one of two down":        {[]seen{good, {down: true}}, WorkersDown, "1 of 2 workers is down."},
		"the only one down":      {[]seen{{down: true}}, WorkersDown, "The worker is down."},
		"idle":                   {[]seen{{running: 0}}, Idle, "Idle."},
		"withheld":               {[]seen{{ttft: 0.15, itl: 0.015, running: 3, withheld: "one_phase_only"}}, Unknown, "Withheld."},
		"a storm": {
			[]seen{{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5, thrash: 0.7}}, KVStorm,
			"Cached blocks are evicted and computed again.",
		},
		"a storm in the steps of decode": {
			[]seen{{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.9, running: 10, lost: 0.8, without: 0.02, thrash: 0.7}}, KVStorm,
			"Cached blocks are evicted and computed again.",
		},
		"a storm that nobody suffers from": {
			[]seen{{ttft: 0.15, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 10, thrash: 0.7}}, Balanced, "On target.",
		},
		"a storm that explains little": {
			[]seen{{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5, thrash: 0.3}}, PrefillBound, "Prefill-bound.",
		},
		"a storm on one of three": {[]seen{
			{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, thrash: 0.9},
			{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10}, {ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10},
		}, PrefillBound, "Prefill-bound."},
		"a pool for prefill too small": {[]seen{
			{role: "prefill", ttft: 3, running: 5, waiting: 9}, {role: "decode", ttft: 0.03, itl: 0.015, running: 5},
		}, PrefillBound, "Prefill-bound."},
		"requests wait at decode workers": {[]seen{
			{role: "prefill", ttft: 0.03, running: 5}, {role: "decode", ttft: 8, itl: 0.015, running: 5, waiting: 9},
		}, DecodeBound, "Decode-bound."},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testConfig())
			b.windows(20, func() {
				for i, w := range c.workers {
					b.show(worker(string(rune('a'+i))), w)
				}
			})
			v := b.inForce()
			assert.Equal(t, c.want, v.Code)
			assert.Equal(t, c.title, v.Title)
			if v.Code != Unknown {
				assert.Equal(t, Final, v.Standing)
			}
		})
	}
}

// TestAStormWithinTheObjectives: it is the verdict where requests are late for it, and says that objectives are met; else it stands beside.
func TestAStormWithinTheObjectives(t *testing.T) {
	verdict := func(late float64) Verdict {
		b := newBench(t, testConfig())
		b.windows(20, func() {
			b.show(worker("a"), seen{ttft: 0.8, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 10, thrash: 0.7})
			if late > 0 {
				b.histogram(worker("b"), signal.TTFT, 3, late)
				b.show(worker("b"), seen{ttft: 0.8, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 10, thrash: 0.7})
			}
		})
		return b.inForce()
	}
	v := verdict(0)
	assert.Equal(t, Balanced, v.Code)
	assert.Equal(t, []string{"Cached blocks are evicted and computed again, so far within the objectives."}, v.Also)
	v = verdict(1)
	assert.Equal(t, KVStorm, v.Code)
	assert.Contains(t, v.Detail, "Objectives are met: TTFT p90 ")
	assert.Empty(t, v.Also, "what it says itself is not said beside it")
}

// A cache of a decode worker that is written over holds nobody's first token back.
func TestAStormIsSoughtWherePromptsAreComputed(t *testing.T) {
	b := newBench(t, testConfig())
	show := func(prefill, decode float64) {
		b.windows(20, func() {
			b.show(worker("p"), seen{role: "prefill", ttft: 3, running: 5, waiting: 9, thrash: prefill})
			b.show(worker("d"), seen{role: "decode", ttft: 0.03, itl: 0.015, running: 5, thrash: decode})
		})
	}
	show(0, 0.9)
	assert.Equal(t, PrefillBound, b.inForce().Code)
	assert.Empty(t, b.inForce().Also)
	show(0.9, 0.9)
	v := b.inForce()
	assert.Equal(t, KVStorm, v.Code)
	assert.Contains(t, v.Detail, "90 % of what prefill stores had been evicted shortly before, on 1 of 2 workers.")
	assert.Contains(t, v.Direction, "routing by prefix")
	assert.InDelta(t, 0.9, v.Loss, 1e-9)
}

func TestWhatWaitsForTCPIsNotShortOfDecode(t *testing.T) {
	b := newBench(t, testConfig())
	b.windows(20, func() {
		b.show(worker("p"), seen{role: "prefill", ttft: 0.03, running: 5})
		b.show(worker("d"), seen{role: "decode", ttft: 8, itl: 0.015, running: 5, waiting: 9})
		b.level(FleetRef("chat"), signal.TransferFallback, 0.9)
	})
	v := b.inForce()
	assert.Equal(t, TCPFallback, v.Code)
	assert.Equal(t, Final, v.Standing)
	assert.Contains(t, v.Detail, "90 % of the transfers go over TCP. From its arrival")
	assert.Equal(t, []string{"Decode-bound."}, v.Also)
}

// Nobody is left to meet an objective, though the trailing minute still has latencies.
func TestNothingHoldsBesideAFleetThatIsDown(t *testing.T) {
	b := newBench(t, testConfig())
	b.windows(20, func() {
		b.show(worker("p"), seen{role: "prefill", ttft: 0.15, running: 5})
		b.show(worker("d"), seen{role: "decode", ttft: 0.03, itl: 0.015, running: 5})
	})
	require.Equal(t, Balanced, b.inForce().Code)
	b.windows(3, func() {
		b.show(worker("p"), seen{down: true})
		b.show(worker("d"), seen{down: true})
	})
	v := b.inForce()
	require.Equal(t, WorkersDown, v.Code)
	assert.Equal(t, "2 of 2 workers are down.", v.Title)
	assert.Empty(t, v.Also)
	for _, q := range v.Evidence {
		assert.NotEqual(t, signal.PhaseImbalance, q.Metric)
		assert.NotEqual(t, signal.PhasePressure, q.Metric)
	}
}

// Down outweighs what the others suffer only as far as it costs more.
func TestCandidatesAreRankedByLossTimesConfidence(t *testing.T) {
	b := newBench(t, testConfig())
	b.windows(20, func() {
		for i := range 9 {
			b.show(worker(string(rune('a'+i))), seen{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5})
		}
		b.show(worker("z"), seen{down: true})
	})
	v := b.inForce()
	assert.Equal(t, PrefillBound, v.Code)
	assert.Equal(t, []string{"1 of 10 workers is down."}, v.Also)
}

// What is said beside a verdict that stands is renewed when it no longer holds, after windows in a row.
func TestWhatIsSaidBesideAVerdictIsRenewed(t *testing.T) {
	b := newBench(t, testConfig())
	show := func(back bool) {
		for i := range 10 {
			b.show(worker(string(rune('a'+i))), seen{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5, down: i == 9 && !back})
		}
	}
	b.windows(20, func() { show(false) })
	require.Equal(t, []string{"1 of 10 workers is down."}, b.inForce().Also)
	b.windows(40, func() { show(true) })
	assert.Equal(t, PrefillBound, b.inForce().Code)
	assert.Empty(t, b.inForce().Also)
}

func TestTheFirstWordsArePreliminary(t *testing.T) {
	b := newBench(t, testConfig())
	show := func() {
		b.show(worker("a"), seen{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5})
	}
	b.windows(2, show)
	v := b.inForce()
	assert.Equal(t, PrefillBound, v.Code)
	assert.Equal(t, Preliminary, v.Standing)
	assert.Equal(t, "LOW", word(v.Confidence))
	assert.Contains(t, v.WaitsFor, "a full minute of data")
	b.windows(20, show)
	v = b.inForce()
	assert.Equal(t, Final, v.Standing)
	assert.Empty(t, v.WaitsFor)
}

// A window that says otherwise does not change a final verdict, and what does not change is told once.
func TestTheVerdictDoesNotFlicker(t *testing.T) {
	b := newBench(t, Config{
		Window: 5 * time.Second, Lateness: 5 * time.Second, Trailing: 5 * time.Second, RaiseAfter: 6, ClearAfter: 6, MaxStale: time.Hour, MaxSubjects: 10,
	})
	prefill := seen{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5}
	decode := seen{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.9, running: 10}
	b.windows(30, func() { b.show(worker("a"), prefill) })
	b.events = nil
	b.windows(2, func() { b.show(worker("a"), decode) })
	b.windows(30, func() { b.show(worker("a"), prefill) })
	assert.Empty(t, b.events)
	assert.Equal(t, 1.0, b.gauges["chat llm.verdict prefill_bound"].Value)
	b.windows(6, func() { b.show(worker("a"), decode) })
	assert.Equal(t, DecodeBound, b.inForce().Code)
	assert.True(t, b.gauges["chat llm.verdict prefill_bound"].Gone)
}

// A worker that is silent among others that are not is kept out of the verdict.
func TestASilentWorkerIsSaidBesideTheVerdict(t *testing.T) {
	b := newBench(t, testConfig())
	good := seen{ttft: 0.15, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 10}
	b.windows(20, func() { b.show(worker("a"), good); b.show(worker("b"), good) })
	b.windows(20, func() { b.show(worker("a"), good) })
	b.windows(20, func() {
		b.show(worker("a"), seen{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5})
	})
	v := b.inForce()
	assert.Equal(t, PrefillBound, v.Code)
	assert.Equal(t, []string{"1 of 2 workers is silent and not counted."}, v.Also)
}

// An endpoint that never answered is down until a worker is found there, which takes its place.
func TestAnEndpointThatNeverAnsweredIsDown(t *testing.T) {
	b := newBench(t, testConfig())
	endpoint := Ref{Kind: Worker, Host: "h", Instance: "a"}
	b.windows(5, func() { b.show(endpoint, seen{down: true}) })
	assert.Equal(t, WorkersDown, b.inForce().Code)
	b.windows(20, func() {
		b.show(worker("a"), seen{ttft: 0.15, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 10})
	})
	assert.Equal(t, Balanced, b.inForce().Code)
	assert.Empty(t, b.inForce().Also)
	assert.Equal(t, 2, b.a.Subjects(), "the worker and its fleet")
}
