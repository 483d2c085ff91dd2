package serving

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A worker whose decode steps wait for the weights and whose steps with prefill compute, as those of a 70B model on four GPUs: of the 80 us of a row,
// a sequence pays 30 in a decode step, and all beside prefill.
const (
	rooflineStep, rooflineSequence    = 0.013, 70e-6
	rooflinePrefill, rooflineRow      = 0.006, 80e-6
	rooflineMixed                     = rooflineSequence + 50e-6
	rooflineBudget, rooflineLongest   = 2048, 1800
	rooflineWindow, rooflineBatchMean = 5.0, 40.0
)

// rooflineWindowOf plays a window with that many sequences in its steps, on average, and that share of steps with prefill.
func rooflineWindowOf(random *rand.Rand, batch, rate float64) Work {
	w := Work{Running: Running{Seen: true, Min: 10}, StepTokens: Buckets{Bounds: []float64{8, 128, 4096}, Counts: make([]float64, 4)}}
	for w.Elapsed < rooflineWindow {
		n := math.Round(batch * (0.9 + 0.2*random.Float64()))
		t := rooflineStep + rooflineSequence*n
		w.StepTokens.Counts[1]++
		if random.Float64() < rate {
			p := float64(200 + random.IntN(rooflineLongest-200))
			t = rooflinePrefill + rooflineRow*p + rooflineMixed*n
			w.PrefillTokens += p
			w.FirstTokens++
			w.StepTokens.Counts[1]--
			w.StepTokens.Counts[2]++
		}
		w.Steps++
		w.DecodeTokens += n
		w.ITLSum += t * n
		w.Elapsed += t
	}
	return w
}

func TestTheFitFindsWhatASequenceCostsWithAndWithoutPrefill(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 21))
		s := NewSplitter(rooflineBudget)
		var sequence, mixed, step, prompt, n float64
		for i := range 400 {
			// More prompts make larger batches a little later: what beside prefill is dearer passes for the batch's where it has no price of its own.
			rate := 0.18 + 0.08*math.Sin(float64(i)/9)
			batch := rooflineBatchMean * (1 + 0.25*math.Sin(float64(i)/9-0.5))
			got := s.Split(rooflineWindowOf(random, batch, rate), Buckets{})
			if i < 200 {
				continue
			}
			require.Empty(t, got.Withheld)
			c := got.PerStep
			n++
			sequence += c.Sequence
			mixed += c.MixedSequence
			step += c.Seconds(0, rooflineBatchMean, 0)
			prompt += c.Seconds(1000, 0, 0)
		}
		assert.InEpsilon(t, rooflineSequence, sequence/n, 0.05, "seed %d", seed)
		assert.InEpsilon(t, rooflineMixed, mixed/n, 0.1, "seed %d", seed)
		assert.InEpsilon(t, rooflineStep+rooflineSequence*rooflineBatchMean, step/n, 0.01, "seed %d", seed)
		assert.InEpsilon(t, rooflinePrefill+1000*rooflineRow, prompt/n, 0.02, "seed %d", seed)
	}
}

// What computing hides grows with the batch, until a decode step computes as long as it reads.
func TestTheHiddenPartOfARowShrinksWithTheBatch(t *testing.T) {
	assert.InDelta(t, 1, hiddenRow(0.013, 0), 1e-12)
	assert.InDelta(t, 0.6, hiddenRow(0.016, 0.0032), 1e-12)
	assert.Zero(t, hiddenRow(0.02, 0.015))
	assert.InDelta(t, hiddenAtFirst, hiddenRow(0, 0), 1e-12)
}

// After a restart the next window is divided and priced as it would have been.
func TestPricesAreKept(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 21))
	s := NewSplitter(rooflineBudget)
	for i := range 60 {
		s.Split(rooflineWindowOf(random, rooflineBatchMean*(1+0.25*math.Sin(float64(i)/9)), 0.18+0.08*math.Sin(float64(i)/9)), Buckets{})
	}
	kept, err := json.Marshal(s)
	require.NoError(t, err)
	again := NewSplitter(rooflineBudget)
	require.NoError(t, json.Unmarshal(kept, again))
	w := rooflineWindowOf(random, rooflineBatchMean, 0.2)
	want := s.Split(w, Buckets{})
	require.Positive(t, want.PerStep.MixedSequence)
	assert.Equal(t, want, again.Split(w, Buckets{}))
}
