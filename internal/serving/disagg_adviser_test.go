package serving

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const minute = int64(time.Minute)

// every has evaluations come each so many minutes.
type every struct {
	*Adviser
	minutes int64
}

func (a every) consider(now int64, best Topology, surety, current, then float64) bool {
	return a.Consider(Evaluation{From: (now - a.minutes) * minute, Now: now * minute, Best: best, Surety: surety, Current: current, Then: then})
}

func TestAdviceWaitsUntilItIsSure(t *testing.T) {
	a := every{&Adviser{}, 1}
	now, better := Topology{Prefill: 2, Decode: 2}, Topology{Prefill: 3, Decode: 1}
	a.See(0, now)
	for i := range int64(9) {
		require.False(t, a.consider(1+i, better, 0.99, 10, 15), "minute %d", i)
	}
	assert.True(t, a.consider(10, better, 0.99, 10, 15), "ten evaluations, each of a minute")
	assert.True(t, a.consider(11, better, 0.6, 10, 15), "less sure, and still more probable than not")
	assert.False(t, a.consider(12, better, 0.5, 10, 15), "not any more")
	assert.False(t, a.consider(13, better, 0.99, 10, 15), "begins anew")

	a.See(14*minute, better)
	assert.Equal(t, 1, a.Changes())
	for i := int64(14); i < 29; i++ {
		require.False(t, a.consider(i, now, 0.99, 10, 15), "cooling down")
	}
	assert.True(t, a.consider(29, now, 0.99, 10, 15))

	b := every{&Adviser{}, 1}
	b.See(0, now)
	for i := range int64(30) {
		require.False(t, b.consider(i, better, 0.99, 10, 10.05), "does not pay for the change")
	}
}

// What is better for ten minutes must be so more probably than not; surety is asked three times and in the end.
func TestADoubtDoesNotBeginTheTimeAnew(t *testing.T) {
	now, better := Topology{Prefill: 3, Decode: 3}, Topology{Prefill: 5, Decode: 1}
	told := func(sureties ...float64) (at int) {
		a := every{&Adviser{}, 1}
		a.See(0, now)
		for i, s := range sureties {
			if a.consider(int64(i+1), better, s, 10, 15) {
				return i + 1
			}
		}
		return 0
	}
	assert.Equal(t, 11, told(0.6, 0.7, 0.95, 0.95, 0.8, 0.95, 0.8, 0.8, 0.8, 0.8, 0.95, 0.95), "with the first sure one after ten minutes")
	assert.Zero(t, told(0.95, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8), "two are not enough")
	assert.Zero(t, told(0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.4, 0.95, 0.95, 0.95, 0.95, 0.95), "improbable in between")
}

// A fleet that is evaluated every three minutes has been better for twelve when four evaluations said so.
func TestAnEvaluationSpeaksForTheTimeBeforeIt(t *testing.T) {
	a := every{&Adviser{}, 3}
	a.See(0, Topology{Prefill: 16, Decode: 16})
	better := Topology{Prefill: 8, Decode: 24}
	for _, at := range []int64{4, 7, 10} {
		require.False(t, a.consider(at, better, 1, 100, 150), "minute %d", at)
	}
	assert.True(t, a.consider(13, better, 1, 100, 150))
}

func TestNeighboursKeepARecommendationGoing(t *testing.T) {
	a := every{&Adviser{}, 4}
	a.See(0, Topology{Prefill: 3, Decode: 3})
	best := []Topology{{Prefill: 5, Decode: 1}, {Prefill: 4, Decode: 2}, {Prefill: 5, Decode: 1}}
	for i, b := range best[:2] {
		assert.False(t, a.consider(int64(i)*4, b, 1, 1, 10), "%d", i)
	}
	assert.True(t, a.consider(8, best[2], 1, 1, 10))
	c, ok := a.Candidate()
	assert.True(t, ok)
	assert.Equal(t, best[2], c, "the one that is best now")
	assert.False(t, a.consider(12, Topology{Prefill: 2, Decode: 4}, 1, 1, 10), "another one begins anew")
	assert.False(t, a.Stands())
}
