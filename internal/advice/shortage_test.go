package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// In an overloaded fleet a little more of either phase brings nothing and the imbalance is 0. What requests wait for says what is short.
func TestAnOverloadedFleetIsNotBalanced(t *testing.T) {
	for name, c := range map[string]struct {
		worker          seen
		prefill, decode float64 // s of busy time a window
		want            Code
		detail          string
	}{
		"prompts queue for their prefill": {
			seen{ttft: 9, itl: 0.03, confidence: 0.6, running: 20, waiting: 90, kv: 0.1}, 4, 1, PrefillBound, "Requests wait for their prefill: ",
		},
		"the batch has no place": {
			seen{ttft: 9, itl: 0.03, confidence: 0.6, running: 24, waiting: 90, kv: 0.1}, 1, 4, DecodeBound, "Requests wait for a place in the batch: ",
		},
		"the KV pool is full": {
			seen{ttft: 9, itl: 0.03, confidence: 0.6, running: 20, waiting: 90, kv: 0.97}, 1, 4, DecodeBound, "Requests wait for room in the KV cache: ",
		},
		"the KV pool is full, whatever the imbalance says": {
			seen{ttft: 9, itl: 0.03, imbalance: 1.2, confidence: 0.6, running: 20, waiting: 90, kv: 0.97}, 4, 1, DecodeBound, "Requests wait for room in the KV cache: ",
		},
		"a worker that hardly prefills, whatever the imbalance says": {
			seen{ttft: 9, itl: 0.03, imbalance: 1.2, confidence: 0.6, running: 24, waiting: 90, kv: 0.1}, 1, 4, DecodeBound, "Requests wait for a place in the batch: ",
		},
		"tokens are late, and prefill is not why": {
			seen{ttft: 0.1, itl: 0.15, confidence: 0.6, running: 300}, 1, 4, DecodeBound, "The worker misses the ITL objective: ",
		},
		"a burst that drains": {
			seen{ttft: 3, itl: 0.03, confidence: 0.6, running: 30, waiting: 90}, 1, 4, Balanced, "One objective is missed: ",
		},
		"tokens are late, and prefill is why": {
			seen{ttft: 0.1, itl: 0.15, confidence: 0.6, running: 300, lost: 0.8, without: 0.02}, 1, 4, Interference, "80 % of decode's waiting is for prefill",
		},
		"both are late without a queue": {
			seen{ttft: 3, itl: 0.15, confidence: 0.6, running: 30}, 2, 2, Balanced, "Both objectives are missed: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testConfig())
			windows, shown := 0, c.worker
			b.windows(20, func() {
				if windows++; name == "a burst that drains" && windows%2 == 0 {
					shown.waiting = 0
				} else {
					shown.waiting = c.worker.waiting
				}
				b.show(worker("a"), shown)
				b.count(worker("a"), signal.PhaseWorkerTime, c.prefill, signal.AttrPhase, signal.PhasePrefill)
				b.count(worker("a"), signal.PhaseWorkerTime, c.decode, signal.AttrPhase, signal.PhaseDecode)
			})
			v := b.inForce()
			assert.Equal(t, c.want, v.Code)
			assert.Contains(t, v.Detail, c.detail)
			assert.Equal(t, Final, v.Standing)
			assert.Greater(t, v.Loss, 0.5)
			if c.want == Interference {
				assert.NotContains(t, v.Also, "Decode-bound.", "mixing explains it")
			}
			if c.worker.waiting > 0 && c.want != Balanced {
				assert.InDelta(t, 0.79, v.Confidence, 1e-9, "a queue is seen, not estimated")
			}
		})
	}
}

// Estimates come and go in an overloaded fleet. A queue that is still there waits for what it waited for, until the opposite is told.
func TestAQueueGoesOnWaitingForWhatItWaitedFor(t *testing.T) {
	b := newBench(t, testConfig(), phaseRules()...)
	overloaded := seen{ttft: 9, itl: 0.03, imbalance: 0.1, confidence: 0.79, running: 20, waiting: 90, kv: 0.1}
	show := func(prefill, decode float64) func() {
		return func() {
			b.show(worker("a"), overloaded)
			b.count(worker("a"), signal.PhaseWorkerTime, prefill, signal.AttrPhase, signal.PhasePrefill)
			b.count(worker("a"), signal.PhaseWorkerTime, decode, signal.AttrPhase, signal.PhaseDecode)
		}
	}
	said := func() Code { return b.a.fleets["chat"].state.verdict.Said.Code }
	b.windows(20, show(4, 1))
	assert.Equal(t, PrefillBound, said())
	assert.Equal(t, []EventName{Raised}, b.told("prefill-bound"))
	b.windows(40, show(0, 0))
	assert.Equal(t, PrefillBound, said(), "no share is told")
	b.windows(40, show(2.1, 2.9))
	assert.Equal(t, PrefillBound, said(), "as good as half")
	assert.Empty(t, b.told("prefill-bound"))
	b.windows(40, show(1.5, 3.5))
	assert.Equal(t, DecodeBound, said())
	assert.Equal(t, []EventName{Cleared}, b.told("prefill-bound"))
	b.windows(40, show(2.1, 2.9))
	assert.Equal(t, DecodeBound, said(), "less than half does not make it prefill")
}

// Whichever side is nearer its limit, a fleet that meets its objectives is held back by neither, unless its KV pool is full.
func TestAFleetThatMeetsItsObjectivesIsOnTarget(t *testing.T) {
	near := seen{ttft: 0.3, itl: 0.045, imbalance: -1, confidence: 0.9, running: 30, kv: 0.5}
	b := newBench(t, testConfig())
	b.windows(20, func() { b.show(worker("a"), near) })
	v := b.inForce()
	assert.Equal(t, Balanced, v.Code)
	assert.Equal(t, "On target.", v.Title)
	assert.Zero(t, v.Loss)
	assert.Equal(t, "Decode is nearer its limit and gives first when load grows.", v.Direction)

	near.kv = 0.95
	b = newBench(t, testConfig())
	b.windows(20, func() { b.show(worker("a"), near) })
	assert.Equal(t, DecodeBound, b.inForce().Code)
}
