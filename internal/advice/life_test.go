package advice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// hot finds a worker whose KV usage is above one half; following it halves the usage.
func hot() Rule {
	return Rule{
		ID: "hot", Subject: Worker, Inputs: []string{signal.KVUtilization, signal.EngineInfo, signal.TTFT},
		Check: func(r *Reading) Outcome {
			v, ok := r.Level(signal.KVUtilization)
			if !ok {
				return Withhold("no_usage")
			}
			if !r.Over(v, 0.5) {
				return Nothing()
			}
			return Found(Finding{
				Severity: Warning, Confidence: 0.9,
				Action:    Action{Change: "--cool", Levers: []Lever{{Fact: signal.AttrMemoryUtilization, Rise: 1}}},
				Predicted: &Effect{Name: "usage", Unit: "1", From: v, To: v / 2, Low: 0.4 * v, High: 0.6 * v},
			})
		},
		Measure: func(r *Reading) (float64, bool) { return r.Level(signal.KVUtilization) },
	}
}

func (b *bench) usage(ref Ref, v, requests float64, memory string) func() {
	return func() {
		b.info(ref, signal.AttrMemoryUtilization, memory)
		b.level(ref, signal.KVUtilization, v)
		b.histogram(ref, signal.TTFT, 0.1, requests)
	}
}

func TestAnAdviceIsRaisedOnceAndClearedOnce(t *testing.T) {
	b := newBench(t, testConfig(), hot())
	w := worker("a")
	b.windows(2, b.usage(w, 0.6, 10, "0.8"))
	assert.Empty(t, b.told("hot"))
	b.windows(1, b.usage(w, 0.6, 10, "0.8"))
	assert.Equal(t, []EventName{Raised}, b.told("hot"))
	assert.Equal(t, 1.0, b.gauges["a llm.advice hot warning"].Value)
	b.windows(50, b.usage(w, 0.6, 10, "0.8"))
	assert.Empty(t, b.told("hot"), "nothing changed")
	b.windows(5, b.usage(w, 0.46, 10, "0.8"))
	assert.Empty(t, b.told("hot"), "once it stands it takes a tenth less to clear")
	b.windows(3, b.usage(w, 0.3, 10, "0.8"))
	b.windows(1, b.usage(w, 0.6, 10, "0.8"))
	assert.Empty(t, b.told("hot"), "not long enough")
	b.windows(4, b.usage(w, 0.3, 10, "0.8"))
	assert.Equal(t, []EventName{Cleared}, b.told("hot"))
	assert.True(t, b.gauges["a llm.advice hot warning"].Gone)
}

// What comes and goes is told ever more rarely, and what came back to stay is told soon.
func TestAnAdviceThatFlapsHasToHoldLonger(t *testing.T) {
	cfg := testConfig()
	b := newBench(t, cfg, hot())
	w := worker("a")
	raised := func() (after int) {
		for after = 1; after <= 200; after++ {
			b.windows(1, b.usage(w, 0.6, 10, "0.8"))
			if len(b.told("hot")) > 0 {
				return after
			}
		}
		return 0
	}
	end := func() {
		b.windows(cfg.ClearAfter, b.usage(w, 0.3, 10, "0.8"))
		require.Equal(t, []EventName{Cleared}, b.told("hot"))
	}
	most := int(cfg.CoolDown / cfg.Window)
	for _, want := range []int{3, 6, 12, 24, 48, most, most} {
		// The window that is open when usage changes may count with either.
		assert.InDelta(t, want, raised(), 1)
		end()
	}
	b.windows(most, b.usage(w, 0.3, 10, "0.8"))
	assert.InDelta(t, cfg.RaiseAfter, raised(), 1, "it was gone for a cool-down")
	end()
	assert.InDelta(t, 2*cfg.RaiseAfter, raised(), 1)
	b.windows(most, b.usage(w, 0.6, 10, "0.8"))
	end()
	assert.InDelta(t, 2*cfg.RaiseAfter, raised(), 1, "it stood for a cool-down")
}

func TestAnAdviceIsNotDroppedForADipOfConfidence(t *testing.T) {
	confidence := 0.6
	rule := hot()
	rule.Check = func(r *Reading) Outcome {
		if !r.Sure(confidence) {
			return Withhold(withheldUnsure)
		}
		return Found(Finding{Severity: Warning, Confidence: confidence})
	}
	b := newBench(t, testConfig(), rule)
	w := worker("a")
	b.windows(6, b.usage(w, 0.6, 10, "0.8"))
	require.Equal(t, []EventName{Raised}, b.told("hot"))
	confidence = 0.1
	b.windows(20, b.usage(w, 0.6, 10, "0.8"))
	assert.Equal(t, []EventName{Updated}, b.told("hot"), "its confidence is LOW now")
	b = newBench(t, testConfig(), rule)
	confidence = 0.49
	b.windows(20, b.usage(w, 0.6, 10, "0.8"))
	assert.Empty(t, b.told("hot"), "to be raised it takes MED")
}

func TestOnlyAMaterialChangeIsTold(t *testing.T) {
	b := newBench(t, testConfig(), hot())
	w := worker("a")
	b.windows(6, b.usage(w, 0.6, 10, "0.8"))
	require.Equal(t, []EventName{Raised}, b.told("hot"))
	b.windows(10, b.usage(w, 0.7, 10, "0.8"))
	assert.Empty(t, b.told("hot"))
	b.windows(2, b.usage(w, 1.3, 10, "0.8"))
	assert.Empty(t, b.told("hot"), "it has to last")
	b.windows(10, b.usage(w, 1.3, 10, "0.8"))
	assert.Equal(t, []EventName{Updated}, b.told("hot"))
}

func TestWhatCannotBeJudgedAnyMoreIsClearedWithTheReason(t *testing.T) {
	b := newBench(t, testConfig(), hot())
	w := worker("a")
	b.windows(6, b.usage(w, 0.8, 10, "0.8"))
	b.told("hot")
	b.windows(30, func() { b.histogram(w, signal.TTFT, 0.1, 10) })
	var cleared []Event
	for _, e := range b.events {
		if e.Rule == "hot" {
			cleared = append(cleared, e)
		}
	}
	require.Len(t, cleared, 1)
	assert.Equal(t, ReasonLost, cleared[0].Reason)
}

func TestAFollowedAdviceIsVerified(t *testing.T) {
	for name, c := range map[string]struct {
		after, requests float64
		want            Result
		records         int
	}{
		"as predicted":             {0.4, 10, Inside, 1},
		"too little":               {0.49, 10, Outside, 1},
		"with other traffic":       {0.4, 20, NotComparable, 0},
		"with about as much of it": {0.4, 12, Inside, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testConfig(), hot())
			w := worker("a")
			b.windows(20, b.usage(w, 0.8, 10, "0.8"))
			require.Equal(t, []EventName{Raised}, b.told("hot"))
			b.windows(40, b.usage(w, c.after, c.requests, "0.9"))
			var verified *Observation
			for _, e := range b.events {
				if e.Name == Verified {
					require.Nil(t, verified, "once")
					verified = e.Observed
				}
			}
			require.NotNil(t, verified)
			assert.Equal(t, c.want, verified.Result, "%v", verified.Demand)
			assert.InDelta(t, c.after, verified.Value, 1e-9)
			assert.Equal(t, []string{signal.AttrMemoryUtilization, "0.8", "0.9"}, []string{verified.Lever, verified.From, verified.To})
			assert.Equal(t, c.records, verified.Records)
		})
	}
}

func TestALeverThatMovesTheOtherWayIsNotFollowing(t *testing.T) {
	b := newBench(t, testConfig(), hot())
	w := worker("a")
	b.windows(10, b.usage(w, 0.8, 10, "0.8"))
	b.windows(60, b.usage(w, 0.4, 10, "0.7"))
	assert.Equal(t, []EventName{Raised, Cleared}, b.told("hot"))
}

// A rule whose predictions fail is not told any more, goes on predicting to itself, and is told again once it is right.
func TestAPoorRecordSilences(t *testing.T) {
	cfg := testConfig()
	cfg.CoolDown = time.Minute
	b := newBench(t, cfg, hot())
	w := worker("a")
	memory := 0
	round := func(after float64) []EventName {
		from, to := string(rune('1'+memory)), string(rune('2'+memory))
		memory++
		b.windows(20, b.usage(w, 0.8, 10, from))
		b.windows(40, b.usage(w, after, 10, to))
		return b.told("hot")
	}
	for range 3 {
		assert.Equal(t, []EventName{Raised, Cleared, Verified}, round(0.1))
	}
	assert.Zero(t, b.gauges["chat llm.advice.track_record hot"].Value)
	for range 3 {
		assert.Equal(t, []EventName{Verified}, round(0.4), "muted")
	}
	assert.Equal(t, 0.5, b.gauges["chat llm.advice.track_record hot"].Value)
	assert.Equal(t, []EventName{Raised, Cleared, Verified}, round(0.4))
}

func TestASilentSubjectIsForgottenAndWhatStoodIsCleared(t *testing.T) {
	b := newBench(t, testConfig(), hot())
	w := worker("a")
	b.windows(10, b.usage(w, 0.8, 10, "0.8"))
	b.told("hot")
	b.at += int64(time.Minute)
	b.take(b.a.Sweep(b.now()))
	assert.Empty(t, b.told("hot"), "silence is no word on it")
	assert.True(t, b.gauges["a llm.advice hot warning"].Gone)
	assert.False(t, b.gauges["chat llm.verdict unknown"].Gone)
	b.at += int64(b.cfg.MaxStale)
	b.take(b.a.Sweep(b.now()))
	require.NotEmpty(t, b.events)
	assert.Equal(t, ReasonGone, b.events[0].Reason)
	assert.Equal(t, []EventName{Cleared}, b.told("hot"))
	b.take(b.a.Sweep(b.now()))
	assert.Zero(t, b.a.Subjects(), "the fleet went with its last worker")
}

func TestARestartTellsNothingTwice(t *testing.T) {
	b := newBench(t, testConfig(), hot())
	w := worker("a")
	b.windows(10, b.usage(w, 0.8, 10, "0.8"))
	require.Equal(t, []EventName{Raised}, b.told("hot"))
	shot, err := b.a.Snapshot()
	require.NoError(t, err)

	b.a = New(b.cfg, []Rule{hot()})
	require.NoError(t, b.a.Restore(shot, b.now()))
	b.windows(20, b.usage(w, 0.8, 10, "0.8"))
	assert.Empty(t, b.told("hot"))
	b.windows(40, b.usage(w, 0.4, 10, "0.9"))
	assert.Equal(t, []EventName{Cleared, Verified}, b.told("hot"), "its prediction outlived the restart")
}

func TestASnapshotThatIsNotUnderstoodIsRefused(t *testing.T) {
	a := New(testConfig(), nil)
	assert.ErrorContains(t, a.Restore([]byte(`{"schema":2}`), time.Unix(0, 0)), "schema must be 1 (got 2)")
	assert.Error(t, a.Restore([]byte(`[`), time.Unix(0, 0)))

	b := newBench(t, testConfig(), hot())
	require.NoError(t, b.a.Restore([]byte(`{"schema":1,"subjects":[{"ref":{"Kind":"worker","Host":"h","Instance":"a","Model":"m"},
		"lives":{"hot":{"standing":true,"trial":{"followed":1,"lever":7}}}}]}`), b.now()))
	b.windows(40, b.usage(worker("a"), 0.8, 10, "0.8"))
	assert.Equal(t, []EventName{Raised}, b.told("hot"), "half a life is none")

	b = newBench(t, testConfig(), hot())
	require.NoError(t, b.a.Restore([]byte(`{"schema":1,"subjects":[{"ref":{"Kind":"worker","Host":"h","Instance":"a","Model":"m"},
		"lives":{"hot":{"holding":1,"relapses":-1}}}]}`), b.now()))
	b.windows(40, b.usage(worker("a"), 0.8, 10, "0.8"))
	assert.Equal(t, []EventName{Raised}, b.told("hot"), "no advice comes back less than never")
}

func TestFurtherSubjectsAreRefused(t *testing.T) {
	cfg := testConfig()
	cfg.MaxSubjects = 2 // a worker and its fleet
	b := newBench(t, cfg, hot())
	b.subject(worker("a"))
	_, ok := b.a.Subject(worker("b"), b.now(), func() Identity { return Identity{Ref: worker("b"), Fleet: "chat"} })
	assert.False(t, ok)
}
