package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"math"
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// fade is what remains of the past after some seconds, by a time constant in s.
func fade(seconds, constant float64) float64 { return math.Exp(-seconds / constant) }

// scale multiplies a histogram by f.
func scale(v *window.Value, f float64) {
	v.Sum *= f
	v.Count *= f
	for i := range v.Counts {
		v.Counts[i] *= f
	}
}

// addValue adds a histogram; one with other bounds begins it anew.
func addValue(to *window.Value, d window.Value) {
	if !to.Fits(d) {
		*to = window.Value{}
	}
	to.AddScaled(d, 1)
}

// addBuckets adds f times d; one with other bounds begins it anew.
func addBuckets(to *serving.Buckets, d serving.Buckets, f float64) {
	if len(d.Counts) == 0 {
		return
	}
	if len(to.Counts) != len(d.Counts) || !slices.Equal(to.Bounds, d.Bounds) {
		*to = serving.Buckets{Bounds: d.Bounds, Counts: make([]float64, len(d.Counts))}
	}
	for i, c := range d.Counts {
		to.Counts[i] += f * c
	}
}

func bucketsOf(v window.Value) serving.Buckets {
	return serving.Buckets{Bounds: v.Bounds, Counts: v.Counts}
}

func lengthsOf(v window.Value) serving.Lengths {
	l := serving.Lengths{Bounds: v.Bounds, Counts: v.Counts}
	if v.Count > 0 {
		l.Mean = v.Sum / v.Count
	}
	return l
}

// side is what the workers of one role added up to, fading.
type side struct {
	ttft, tpot, input, output window.Value
	local, hit, fetched       float64 // prompt tokens
	prefillTime               window.Value
}

func (s *side) add(win window.Window) {
	addValue(&s.ttft, win.Totals[inTTFT])
	addValue(&s.tpot, win.Totals[inTPOT])
	addValue(&s.input, win.Totals[inInput])
	addValue(&s.output, win.Totals[inOutput])
	s.local += win.Totals[inLocal].Sum
	s.hit += win.Totals[inHit].Sum
	s.fetched += win.Totals[inFetched].Sum
	s.prefillTime.Sum += win.Totals[inPrefillTime].Sum
	s.prefillTime.Count += win.Totals[inPrefillTime].Count
}

func (s *side) fade(f float64) {
	for _, v := range []*window.Value{&s.ttft, &s.tpot, &s.input, &s.output, &s.prefillTime} {
		scale(v, f)
	}
	s.local *= f
	s.hit *= f
	s.fetched *= f
}

// trailing is a fleet's recent past: sums that fade with the horizon.
type trailing struct {
	seconds                     float64
	prefill, decode, aggregated side
	backlog                     float64 // by how much more requests wait than before
	moves                       serving.TransferWindow
	counts                      [3]float64 // of windows: their number, and the sum and the sum of squares of their arrivals
}

func (t *trailing) fade(seconds float64, horizon time.Duration) {
	f := fade(seconds, horizon.Seconds())
	t.seconds *= f
	t.prefill.fade(f)
	t.decode.fade(f)
	t.aggregated.fade(f)
	t.backlog *= f
	t.moves.Count *= f
	t.moves.Time *= f
	t.moves.Bytes *= f
	for i := range t.counts {
		t.counts[i] *= f
	}
}

// bypassed is the share of requests that no prefill worker saw, where decode workers computed prompts.
func (t *trailing) bypassed() float64 {
	if t.decode.local <= leakLeast*(t.prefill.local+t.decode.local) || t.decode.ttft.Count <= 0 {
		return 0
	}
	return max(0, 1-(t.prefill.ttft.Count+t.backlog)/t.decode.ttft.Count)
}

// leakLeast is the share of the computed prompt tokens from which on decode workers compute prompts; each recomputes last tokens.
const leakLeast = 0.01

// of is the side of a role.
func (t *trailing) of(r role) *side {
	switch r {
	case rolePrefill:
		return &t.prefill
	case roleDecode:
		return &t.decode
	}
	return &t.aggregated
}

// dispersion is the variance over the mean of the arrivals of a window, at least 1: behind a queue they look smoother than they are.
func (t *trailing) dispersion() float64 {
	n, sum, squares := t.counts[0], t.counts[1], t.counts[2]
	if n < 6 || sum <= 0 {
		return 1
	}
	mean := sum / n
	return max(1, (squares/n-mean*mean)/mean)
}
