package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// raisedIn lets workers be seen for two minutes and returns the findings that were raised last, by rule.
func raisedIn(t *testing.T, workers ...seen) map[string]Finding {
	t.Helper()
	b := newBench(t, testConfig(), Rules()...)
	b.windows(24, func() {
		for i, w := range workers {
			b.show(worker(string(rune('a'+i))), w)
		}
	})
	found := map[string]Finding{}
	for _, e := range b.events {
		if e.Name == Raised || e.Name == Updated {
			found[e.Rule] = e.Finding
		}
	}
	return found
}

func TestRulesAreTellable(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range Rules() {
		assert.Regexp(t, `^[a-z][a-z-]+$`, r.ID)
		assert.False(t, ids[r.ID], "%s is there twice", r.ID)
		ids[r.ID] = true
		assert.NotNil(t, r.Check, r.ID)
		table := signal.Index(signal.All())
		for _, name := range r.Inputs {
			assert.Contains(t, table, name, "input of %s", r.ID)
		}
	}
}

func TestAHealthyFleetRaisesNothing(t *testing.T) {
	good := seen{ttft: 0.15, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 10}
	assert.Empty(t, raisedIn(t, good, good))
	assert.Empty(t, raisedIn(t, seen{}), "idle")
}

// The verdict on a storm says that more prefill capacity would compute the same again: no advice may ask for it.
func TestAStormIsNoReasonForMoreWorkers(t *testing.T) {
	late := seen{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 5, thrash: 0.3}
	assert.Contains(t, raisedIn(t, late, late), "prefill-bound", "it explains little")
	late.thrash = 0.7
	assert.NotContains(t, raisedIn(t, late, late), "prefill-bound")
}

func TestPrefillBoundTakesWorkersFromAPoolWithRoom(t *testing.T) {
	prefill := seen{role: "prefill", ttft: 3, running: 5, waiting: 9}
	idleDecode, busyDecode := seen{role: "decode", ttft: 0.03, itl: 0.015, running: 5}, seen{role: "decode", ttft: 0.03, itl: 0.045, running: 5}
	f := raisedIn(t, prefill, idleDecode, idleDecode)["prefill-bound"]
	assert.Equal(t, "1P2D -> 2P1D", f.Action.Change)
	assert.Equal(t, []Lever{{Fact: "workers.prefill", Rise: 1, From: "1"}}, f.Action.Levers)
	require.NotNil(t, f.Predicted)
	assert.Equal(t, "1P2D -> 2P2D", raisedIn(t, prefill, busyDecode, busyDecode)["prefill-bound"].Action.Change)
	assert.Equal(t, "1P1D -> 2P1D", raisedIn(t, prefill, idleDecode)["prefill-bound"].Action.Change, "a pool keeps one worker")
}

func TestDecodeBound(t *testing.T) {
	f := raisedIn(t, seen{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.9, running: 10})["decode-bound"]
	assert.Equal(t, "1 worker -> 2 workers", f.Action.Change)
	assert.Equal(t, Critical, f.Severity, "every token misses the objective")
	require.NotNil(t, f.Predicted)
	assert.InDelta(t, f.Predicted.From, f.Predicted.High, 1e-9)
	unsure := raisedIn(t, seen{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.4, running: 10})
	assert.NotContains(t, unsure, "decode-bound")
	full := raisedIn(t, seen{ttft: 0.15, itl: 0.015, imbalance: -1, confidence: 0.9, running: 10, waiting: 4, kv: 0.97})["decode-bound"]
	assert.Contains(t, full.Title, "KV cache is full")
	assert.Nil(t, full.Predicted)
}

func TestInterferenceIsNotDecodesCapacity(t *testing.T) {
	found := raisedIn(t, seen{ttft: 0.15, itl: 0.15, imbalance: -1, confidence: 0.9, running: 10, lost: 0.8, without: 0.02})
	assert.Contains(t, found, "interference")
	assert.NotContains(t, found, "decode-bound")
	assert.Contains(t, found["interference"].Action.Text, "different workers", "nothing is known of the cost of a prefill token")
}

// A decode that is too slow by itself is nobody else's: without prefill tokens would be late as well.
func TestDecodeIsShortBesideInterference(t *testing.T) {
	found := raisedIn(t, seen{ttft: 0.15, itl: 0.3, imbalance: -1, confidence: 0.9, running: 10, lost: 0.8, without: 0.06})
	assert.NotContains(t, found, "interference")
	assert.Contains(t, found, "decode-bound")
}

func TestTokenBudgets(t *testing.T) {
	assert.Equal(t, 512, budgetFor(0.06, 0.015, 8e-5), "562 fit")
	assert.Equal(t, 0, budgetFor(0.03, 0.015, 8e-5), "187 do not fill the GPU")
	assert.Equal(t, 0, budgetFor(0.06, 0.015, 0))
	assert.Equal(t, 1<<20, budgetFor(1e9, 0.015, 1e-9))
	m := mix{prompt: 8500, without: 0.018, perToken: 8e-5}
	assert.InDelta(t, 0.755, m.load(2048), 0.001)
	assert.Greater(t, m.load(512), sustainable, "the same prompts no longer fit")
}

func TestLevers(t *testing.T) {
	for _, c := range []struct {
		rise     int
		from, to string
		want     bool
	}{
		{1, "2", "3", true}, {1, "3", "2", false}, {-1, "3", "2", true}, {0, "False", "True", true}, {0, "a", "a", false},
		{1, "", "3", false}, {1, "2", "", false}, {1, "two", "3", false},
	} {
		assert.Equal(t, c.want, Lever{Rise: c.rise, From: c.from}.moved(c.to), "%+v", c)
	}
	fallback := Lever{Rise: -1, From: "1", Least: scatters}
	assert.False(t, fallback.moved("0.99966"), "what is measured scatters")
	assert.True(t, fallback.moved("0"))
}

func TestBurstsLeaveNothingToPredict(t *testing.T) {
	for name, c := range map[string]struct {
		burst     bool
		predicted bool
	}{"even": {false, true}, "bursts": {true, false}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testConfig(), Rules()...)
			i := 0
			b.windows(30, func() {
				i++
				s := seen{ttft: 3, itl: 0.015, imbalance: 1, confidence: 0.9, running: 10, waiting: 50}
				if c.burst && i%4 == 0 {
					s.waiting = 500
				}
				b.show(worker("a"), s)
			})
			var f *Finding
			for _, e := range b.events {
				if e.Rule == "prefill-bound" && (e.Name == Raised || e.Name == Updated) {
					f = &e.Finding
				}
			}
			require.NotNil(t, f)
			assert.Equal(t, c.predicted, f.Predicted != nil)
		})
	}
}

func TestOneWorkerThatQueuesWhileAnotherHasRoom(t *testing.T) {
	full, empty := seen{ttft: 0.15, itl: 0.015, imbalance: 0.1, confidence: 0.9, running: 30, waiting: 20}, seen{ttft: 0.15, itl: 0.015, running: 3}
	f, ok := raisedIn(t, full, empty)["uneven-load"]
	require.True(t, ok)
	assert.Equal(t, "Requests at a", f.Evidence[0].Name)
	assert.NotContains(t, raisedIn(t, full, full), "uneven-load", "all of them queue")
	assert.NotContains(t, raisedIn(t, full), "uneven-load")
}

func TestAMissingSourceIsNamedByItsHint(t *testing.T) {
	for reason, raised := range map[string]bool{"busy_unknown": true, "aggregation_bias": true, "no_requests": false} {
		b := newBench(t, testConfig(), Rules()...)
		b.windows(20, func() {
			for _, name := range []string{"a", "b"} {
				b.level(worker(name), signal.SourceMissing, 1, signal.AttrSource, signal.SourceForwardPasses, signal.AttrSourceHint, "--fpm")
				b.count(worker(name), signal.EstimateWithheld, 1, signal.AttrEstimate, signal.EstimatePhaseTime, signal.AttrReason, reason)
			}
		})
		var f *Finding
		for _, e := range b.events {
			if e.Rule == "missing-source" {
				f = &e.Finding
			}
		}
		require.Equal(t, raised, f != nil, reason)
		if raised {
			assert.Equal(t, "--fpm", f.Action.Change)
			assert.Equal(t, Info, f.Severity)
			assert.Equal(t, 2.0, f.Evidence[0].Value)
		}
	}
}

func TestAPointThatIsTooMuchIsRefused(t *testing.T) {
	b := newBench(t, testConfig(), Rules()...)
	s := b.subject(worker("a"))
	long := make([]byte, maxText+1)
	assert.False(t, s.Observe(Point{Metric: signal.Running, At: b.at, Attributes: []Pair{{"k", string(long)}}}))
	refused := 0
	for i := range maxStreams + 10 {
		if !s.Observe(Point{Metric: signal.Running, At: b.at, Attributes: []Pair{{"k", string(rune('a' + i))}}}) {
			refused++
		}
	}
	assert.Equal(t, 10, refused)
	assert.False(t, s.Observe(Point{Metric: signal.Running, At: b.at, Form: Total, Attributes: []Pair{{"k", "a"}}}), "a gauge that became a counter")
}
