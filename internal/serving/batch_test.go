package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a step of the worker below costs, s: attention reads context at its own price in every step, whatever else it computes.
const (
	batchStepCost, batchSequence, batchContext = 0.0063, 12e-6, 40e-9
	batchPrefill, batchRow                     = 0.0038, 27e-6
	batchMixed                                 = 30e-6
)

// lengthsFrom are lengths that are drawn, as an engine's histogram has them.
func lengthsFrom(draw func() float64, bounds ...float64) Lengths {
	const n = 20_000
	l := Lengths{Bounds: bounds, Counts: make([]float64, len(bounds)+1)}
	for range n {
		v := draw()
		l.Mean += v / n
		at := 0
		for at < len(bounds) && v > bounds[at] {
			at++
		}
		l.Counts[at]++
	}
	return l
}

// runner is a request on the worker below.
type runner struct{ prompt, answer, done float64 }

// batchWorker decodes what comes at random.
type batchWorker struct {
	random *rand.Rand
	rate   float64 // requests/s
	prompt func() float64
	answer func() float64
	now    float64
	next   float64
	all    []runner
}

// window plays a window and returns what counters say of it, and the context that its decodes read.
func (b *batchWorker) window(seconds float64) (w Work, t Turnover, read float64) {
	w.Running = Running{Seen: true, Min: 10}
	w.StepTokens = Buckets{Bounds: []float64{8, 128, 4096}, Counts: make([]float64, 4)}
	for end := b.now + seconds; b.now < end; {
		var came []runner
		for ; b.next <= b.now; b.next += b.random.ExpFloat64() / b.rate {
			came = append(came, runner{prompt: math.Round(b.prompt()), answer: math.Round(b.answer()), done: 1})
		}
		n, context, prompts := float64(len(b.all)), 0.0, 0.0
		for _, r := range b.all {
			context += r.prompt + r.done
		}
		for _, r := range came {
			prompts += r.prompt
		}
		took := batchStepCost + batchSequence*n + batchContext*context
		at := 1
		if len(came) > 0 {
			took, at = batchPrefill+batchRow*prompts+batchMixed*n+batchContext*context, 2
		}
		took *= math.Exp(0.02 * b.random.NormFloat64())
		b.now += took
		w.StepTokens.Counts[at]++
		w.Elapsed += took
		w.Steps++
		w.DecodeTokens += n
		w.ITLSum += took * n
		w.PrefillTokens += prompts
		w.FirstTokens += float64(len(came))
		t.Came, t.CameTokens = t.Came+float64(len(came)), t.CameTokens+prompts
		read += context
		kept := b.all[:0]
		for _, r := range b.all {
			if r.done++; r.done < r.answer {
				kept = append(kept, r)
				continue
			}
			t.Left, t.LeftTokens = t.Left+1, t.LeftTokens+r.prompt+r.answer
		}
		b.all = append(kept, came...)
	}
	return w, t, read
}

// writing is the worker with answers that take about as long as a window, with what is known of their lengths.
func writing(t *testing.T, seed uint64) (*batchWorker, Stays) {
	random := rand.New(rand.NewPCG(seed, 5))
	b := &batchWorker{
		random: random, rate: 10,
		prompt: func() float64 { return 100 + 800*random.Float64() },
		answer: func() float64 { return 250 + 650*random.Float64() },
	}
	s, ok := NewStays(lengthsFrom(b.prompt, 100, 200, 500, 1000), lengthsFrom(b.answer, 100, 200, 500, 1000))
	require.True(t, ok)
	return b, s
}

// What was between two looks shows in what came and left: levels at either end miss it.
func TestContextIsReadOffTurnover(t *testing.T) {
	b, s := writing(t, 1)
	assert.InEpsilon(t, 500+(575*575+650*650/12.)/(2*575), s.Context(), 0.02)
	var batch Batch
	var told, ends, truth []float64
	var sum, read float64
	for i := range 400 {
		w, turnover, true_ := b.window(5)
		if i < 4 {
			continue
		}
		before := batch.known(s.Context())
		got := batch.Read(w, turnover, &s)
		told = append(told, got/w.DecodeTokens)
		ends = append(ends, (before+batch.known(s.Context()))/2)
		truth = append(truth, true_/w.DecodeTokens)
		sum, read = sum+got, read+true_
	}
	assert.InEpsilon(t, read, sum, 0.015)
	assert.Greater(t, correlation(told, truth), correlation(ends, truth)+0.05)
	assert.Greater(t, correlation(told, truth), 0.8)
}

// A request that comes at any time of a window decodes in it what is left of the window, or all of its answer; one that is there at its begin was met
// at any token.
func TestWhatComesAndWhatWasThere(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 6))
	_, s := writing(t, 2)
	for _, steps := range []float64{50, 400, 3000} {
		got := s.within(steps)
		var tokens, grown, n, met, age, decoded, held, rested float64
		for range 200_000 {
			answer := s.answers[random.IntN(stayPoints)]
			in := min(answer, steps*random.Float64())
			n, tokens, grown = n+1, tokens+in, grown+in*in/2
			// The longer, the more often it is met.
			old := answer * random.Float64()
			in = min(answer-old, steps)
			met, age = met+answer, age+answer*old
			decoded += answer * in
			held += answer * in * (old + in/2)
			rested += answer * in * (answer - old - in/2)
		}
		assert.InEpsilon(t, tokens/n, got.tokens, 0.02, "%v steps", steps)
		assert.InEpsilon(t, grown/n, got.grown, 0.02, "%v steps", steps)
		assert.InDelta(t, held/decoded-age/met, got.since, 3, "%v steps", steps)
		// Looking back, what is to come is what has been.
		assert.InDelta(t, age/met-rested/decoded, got.until, 3, "%v steps", steps)
	}
}

func TestABatchIsGivenUpWhereItsWorkerBeganAnew(t *testing.T) {
	b, s := writing(t, 3)
	var batch Batch
	for range 50 {
		w, turnover, _ := b.window(5)
		batch.Read(w, turnover, &s)
	}
	b.all = nil // the engine is another one; of what ran nobody is told
	for range 10 {
		w, turnover, _ := b.window(5)
		batch.Read(w, turnover, &s)
	}
	w, turnover, read := b.window(5)
	assert.InEpsilon(t, read, batch.Read(w, turnover, &s), 0.1)
	assert.InDelta(t, w.batch(), batch.requests.at(), 0.5*w.batch())
}

// Clients that go away are in no count of finished requests.
func TestClientsThatGoAwayDoNotFillABatch(t *testing.T) {
	b, s := writing(t, 4)
	var batch Batch
	for i := range 300 {
		w, turnover, read := b.window(5)
		turnover.Left, turnover.LeftTokens = 0.95*turnover.Left, 0.95*turnover.LeftTokens
		got := batch.Read(w, turnover, &s)
		if i >= 10 {
			require.InEpsilon(t, read, got, 0.25)
			require.Less(t, batch.requests.at(), 2.5*w.batch())
		}
	}
}

func TestNothingIsReadWithoutSteps(t *testing.T) {
	b, s := writing(t, 5)
	var batch Batch
	assert.Zero(t, batch.Read(Work{Elapsed: 5}, Turnover{}, &s))
	w, turnover, _ := b.window(5)
	assert.Positive(t, batch.Read(w, turnover, &s))
	assert.Zero(t, batch.Read(Work{Elapsed: 5}, Turnover{}, &s))
	_, ok := NewStays(Lengths{Mean: 500}, Lengths{Mean: 200})
	assert.False(t, ok, "no answer was seen")
}

func correlation(a, b []float64) float64 {
	var ma, mb, aa, bb, ab float64
	for i := range a {
		ma += a[i] / float64(len(a))
		mb += b[i] / float64(len(b))
	}
	for i := range a {
		aa += square(a[i] - ma)
		bb += square(b[i] - mb)
		ab += (a[i] - ma) * (b[i] - mb)
	}
	return ab / math.Sqrt(aa*bb)
}

// Prompts longer than others make the batch's context longer for as long as their requests run, and more requests make it shorter: without a price
// of its own, context makes rows dear, steps with prefill cheap, and decode steps dear with them.
func TestDecodeStepsAreFoundWhereContextIsTold(t *testing.T) {
	for _, tell := range []bool{true, false} {
		const seeds = 4
		var off, spread, prefill, row float64
		for seed := range uint64(seeds) {
			b, s := writing(t, seed)
			splitter := NewSplitter(4096)
			var batch Batch
			var last StepSplit
			for i := range 200 {
				w, turnover, _ := b.window(5)
				if i < 4 {
					continue
				}
				if tell {
					w.Read, w.Each = batch.Read(w, turnover, &s), s.Context()
				}
				last = splitter.Split(w, Buckets{})
			}
			n := splitter.priced.batch
			off += last.PerStep.Seconds(0, n, 0)/(batchStepCost+(batchSequence+batchContext*s.Context())*n) - 1
			spread += last.StepSpread
			prefill += last.PerStep.Prefill
			row += last.PerStep.Token
		}
		if tell {
			assert.InDelta(t, 0.003, spread/seeds, 0.0015)
			assert.InDelta(t, 0, off/seeds, 0.005)
			assert.InEpsilon(t, batchPrefill, prefill/seeds, 0.15)
			assert.InEpsilon(t, batchRow, row/seeds, 0.03)
		} else {
			assert.Greater(t, off/seeds, 0.012)
			assert.Less(t, prefill/seeds, 0.2*batchPrefill)
		}
	}
}

// Windows whose context is not known are not learnt beside those where it is.
func TestPricesForgetWhatHadNoContext(t *testing.T) {
	b, s := writing(t, 6)
	splitter := NewSplitter(4096)
	var batch Batch
	for i := range 20 {
		w, turnover, _ := b.window(5)
		if i >= 5 && i%5 != 4 {
			w.Read, w.Each = batch.Read(w, turnover, &s), s.Context()
		}
		splitter.Split(w, Buckets{})
	}
	assert.InDelta(t, 12, splitter.priced.fit.EffectiveSamples(), 0.5)
}

func BenchmarkContextRead(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 7))
	lengths := lengthsFrom(func() float64 { return 250 + 650*random.Float64() }, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
	w := Work{Elapsed: 5, Steps: 400, FirstTokens: 50, PrefillTokens: 25_000, DecodeTokens: 28_000}
	turnover := Turnover{Came: 50, CameTokens: 25_000, Left: 50, LeftTokens: 54_000}
	var batch Batch
	b.ReportAllocs()
	for b.Loop() {
		s, _ := NewStays(lengths, lengths)
		batch.Read(w, turnover, &s)
	}
}
