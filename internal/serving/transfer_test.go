package serving

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wire makes windows of transfers: sizes of requests, 15 % noise, and what is wrong.
type wire struct {
	random          *rand.Rand
	base, bandwidth float64
	stall, share    float64 // s, and share of transfers
	tcp             float64 // share of transfers at 0.4 GB/s
	constant        bool
}

func newWire(seed uint64) *wire {
	return &wire{random: rand.New(rand.NewPCG(seed, 1)), base: 0.0015, bandwidth: 45e9}
}

func (l *wire) window(n int) TransferWindow {
	bounds := []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 5}
	w := TransferWindow{Elapsed: 5, Count: float64(n), Durations: Buckets{Bounds: bounds, Counts: make([]float64, len(bounds)+1)}}
	for range n {
		bytes := 60e6 * math.Exp(0.8*l.random.NormFloat64())
		if l.constant {
			bytes = 60e6
		}
		bandwidth := l.bandwidth
		if l.random.Float64() < l.tcp {
			bandwidth = 0.4e9
		}
		t := (l.base + bytes/bandwidth) * math.Exp(0.15*l.random.NormFloat64()-0.15*0.15/2)
		if l.random.Float64() < l.share {
			t += l.stall
		}
		w.Time += t
		w.Bytes += bytes
		i := 0
		for i < len(bounds) && t > bounds[i] {
			i++
		}
		w.Durations.Counts[i]++
	}
	return w
}

func TestTheTransferModelIsFound(t *testing.T) {
	l, f := newWire(1), NewTransferFit()
	for range 60 {
		f.Add(l.window(100))
	}
	m, withheld := f.Model()
	require.Empty(t, withheld)
	assert.InEpsilon(t, 0.0015, m.Base, 0.1)
	assert.InEpsilon(t, 45e9, m.Bandwidth, 0.05)
	assert.Less(t, m.BandwidthLow, 45e9)
	assert.Greater(t, m.BandwidthHigh, 45e9)
	assert.InDelta(t, m.Base/m.MeanTime, m.BaseShare(), 1e-12)
}

func TestTransfersOfOneSizeDoNotTellTheirParts(t *testing.T) {
	l, f := newWire(1), NewTransferFit()
	l.constant = true
	for range 60 {
		f.Add(l.window(100))
	}
	m, withheld := f.Model()
	assert.Equal(t, WithheldConstantLoad, withheld)
	assert.InEpsilon(t, 0.0015+60e6/45e9, m.MeanTime, 0.02)
}

func TestHiccupsAreFoundAndTheirLength(t *testing.T) {
	for seed := range uint64(10) {
		l, f := newWire(seed), NewTransferFit()
		var d HiccupDetector
		var m TransferModel
		began := -1
		for i := range 400 {
			if i == 200 {
				l.stall, l.share = 0.01, 0.05
			}
			w := l.window(100)
			h := d.Add(w, m)
			if h.Began && began < 0 {
				began = i
			}
			if i == 300 {
				require.True(t, h.Alarm)
				assert.InEpsilon(t, 0.01, h.Stall, 0.6, "seed %d", seed)
				assert.InEpsilon(t, 0.0005, h.Excess, 0.4)
			}
			if !h.Alarm {
				f.Add(w)
			}
			m, _ = f.Model()
		}
		assert.GreaterOrEqual(t, began, 200, "seed %d", seed)
		assert.LessOrEqual(t, began, 210, "seed %d", seed)
	}
}

func TestFallbackToTCP(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*wire)
		within int // windows; 0: never
	}{
		"all":            {func(l *wire) { l.tcp = 1 }, 3},
		"five per cent":  {func(l *wire) { l.tcp = 0.05 }, 6},
		"slow RDMA":      {func(l *wire) { l.bandwidth = 25e9 }, 0},
		"stalls, no TCP": {func(l *wire) { l.stall, l.share = 0.22, 0.05 }, 0},
		"nothing":        {func(*wire) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l, f := newWire(4), NewTransferFit()
			var d FallbackDetector
			var m TransferModel
			for i := range 160 {
				if i == 100 {
					c.spoil(l)
				}
				w := l.window(100)
				v := d.Add(w, m, 50e9)
				require.False(t, v.Found && (i < 100 || c.within == 0), "window %d", i)
				if i == 100+c.within-1 && c.within > 0 {
					require.True(t, v.Found)
					assert.InDelta(t, 0.4e9, v.Bandwidth, 0.3e9)
				}
				if !v.Found {
					f.Add(w)
				}
				m, _ = f.Model()
			}
		})
	}
}

func TestBandsOverlap(t *testing.T) {
	assert.Equal(t, []string{CarriedByLocal, CarriedByRDMA}, TransportsOf(40e9, 45e9))
	assert.Equal(t, []string{CarriedByTCP}, TransportsOf(1e9, 1.2e9))
	assert.Equal(t, []string{CarriedByNVLink}, TransportsOf(200e9, 300e9))
	assert.Empty(t, TransportsOf(70e9, 80e9))
}

func TestAnEpochIsWhatTheLinkIsBehind(t *testing.T) {
	for rho, want := range map[float64]float64{0.5: 0.020, 0.8: 0.050, 0.9: 0.100, 0.95: 0.200} {
		assert.InEpsilon(t, want, Epoch(0.010, rho, 0), 1e-9)
	}
	assert.InEpsilon(t, 0.145, Epoch(0.010, 0.9, 0.001), 1e-9, "with what was queued")
	assert.InEpsilon(t, 1-math.Pow(0.99, 8), AffectedShare(0.01, 8), 1e-12)
}

func TestExposedNeverExceedsWhatThereIs(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	for range 10_000 {
		in := ExposedInput{
			Transfer: random.ExpFloat64() * 0.01, Variation: random.Float64() * 2, Noise: 0.15, Ranks: float64(1 + random.IntN(8)),
			Rate: random.ExpFloat64() * 50, PrefillTTFT: random.ExpFloat64(), DecodeTTFT: random.ExpFloat64() * 0.1, DecodeStep: 0.01,
		}
		e, ok := Exposed(in)
		require.Equal(t, in.Transfer > 0 && in.DecodeTTFT > 0, ok)
		require.True(t, e.Share >= 0 && e.Share <= 1)
		require.LessOrEqual(t, e.Seconds, in.DecodeTTFT)
	}
}

func TestSumBelow(t *testing.T) {
	uniform := Buckets{Bounds: []float64{1}, Counts: []float64{100, 0}}
	for x, want := range map[float64]float64{0: 0, 0.5: 0.125, 1: 0.5, 1.5: 0.875, 2: 1} {
		share, ok := SumBelow(x, uniform, uniform)
		require.True(t, ok)
		assert.InDelta(t, want, share, 0.01, "%g", x)
	}
	_, ok := SumBelow(1, uniform, Buckets{})
	assert.False(t, ok)
}

func BenchmarkTransferWindow(b *testing.B) {
	l, f := newWire(1), NewTransferFit()
	var d HiccupDetector
	var v FallbackDetector
	windows := make([]TransferWindow, 64)
	for i := range windows {
		windows[i] = l.window(100)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w := windows[i%len(windows)]
		m, _ := f.Model()
		d.Add(w, m)
		v.Add(w, m, 50e9)
		f.Add(w)
	}
}
