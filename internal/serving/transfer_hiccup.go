package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"
	"slices"
)

const (
	// hiccupDrift and hiccupThreshold are those of Page and Hinkley's test, in standard deviations; a window counts for hiccupClip at
	// most, so that it takes several. At threshold 18 there is at most one false alarm a day of 5 s windows.
	hiccupDrift     = 0.5
	hiccupThreshold = 18
	hiccupClip      = 5
	// hiccupBaseline windows tell what is usual; minHiccupBaseline are needed. A window joins them hiccupLag windows later, so that a
	// change is noticed before it has become usual.
	hiccupBaseline    = 240
	minHiccupBaseline = 24
	hiccupLag         = 20
	// hiccupCalm windows in a row below one standard deviation end an alarm. After hiccupAccepted windows of alarm what they show is
	// the new usual.
	hiccupCalm     = 6
	hiccupAccepted = 360
)

// HiccupDetector notices that transfers take longer than their bytes and number explain, by a Page-Hinkley test on the standardised
// residuals of the transfer model.
type HiccupDetector struct {
	usual   []float64 // residuals x sqrt(transfers) in s, a ring
	next    int
	pending []float64
	sum     float64
	alarm   bool
	calm    int
	windows int // of the alarm
	excess  hiccupSums
}

type hiccupSums struct {
	time, transfers float64
	block           struct{ windows, time, transfers float64 } // under way
	blocks, square  float64                                    // finished ones
}

// hiccupBlock windows are taken together for the scatter: a boundary between two scrapes splits what they tell, which makes neighbours
// alike.
const hiccupBlock = 4

// Hiccup is what the detector says of a window.
type Hiccup struct {
	Known   bool    // there is something to compare with
	Began   bool    // an alarm began with this window
	Alarm   bool    // one stands
	Windows int     // it stands for so long
	Excess  float64 // s by which a transfer took longer than usual, mean over the alarm
	// Stall is the length of one stall, s, from how the excess scatters; 0 where that cannot be told.
	Stall float64
}

// Add judges a window.
func (d *HiccupDetector) Add(w TransferWindow, m TransferModel) Hiccup {
	if !(w.Count >= 1) || m.MeanTime <= 0 {
		return Hiccup{Alarm: d.alarm, Windows: d.windows}
	}
	residual := m.residual(w)
	value := residual / math.Sqrt(w.Count)
	center, scale := d.baseline()
	if len(d.usual) < minHiccupBaseline || !(scale > 0) {
		d.learn(value)
		return Hiccup{}
	}
	z := max(-hiccupClip, min(hiccupClip, (value-center)/scale))
	out := Hiccup{Known: true}
	d.sum = max(0, d.sum+z-hiccupDrift)
	if !d.alarm && d.sum > hiccupThreshold {
		d.alarm, out.Began = true, true
		d.calm, d.windows, d.excess = 0, 0, hiccupSums{}
		d.pending = d.pending[:0]
	}
	if d.alarm {
		d.during(w, residual-center*math.Sqrt(w.Count), z)
	} else {
		d.postpone(value)
	}
	out.Alarm, out.Windows = d.alarm, d.windows
	if d.alarm {
		out.Excess, out.Stall = d.excess.estimate(d.wholeScale(center, scale))
	}
	return out
}

// during goes on with an alarm: it ends after calm windows, and becomes the usual when it lasts.
func (d *HiccupDetector) during(w TransferWindow, excess, z float64) {
	d.windows++
	d.excess.add(excess, w.Count)
	if z < 1 {
		d.calm++
	} else {
		d.calm = 0
	}
	if d.calm >= hiccupCalm || d.windows >= hiccupAccepted {
		if d.windows >= hiccupAccepted {
			d.usual, d.next = nil, 0
		}
		d.alarm, d.sum, d.windows = false, 0, 0
	}
}

// postpone lets a value become usual after the lag.
func (d *HiccupDetector) postpone(value float64) {
	d.pending = append(d.pending, value)
	if len(d.pending) > hiccupLag {
		d.learn(d.pending[0])
		d.pending = append(d.pending[:0], d.pending[1:]...)
	}
}

func (d *HiccupDetector) learn(value float64) {
	if len(d.usual) < hiccupBaseline {
		d.usual = append(d.usual, value)
		return
	}
	d.usual[d.next] = value
	d.next = (d.next + 1) % hiccupBaseline
}

// wholeScale is the scatter over whole blocks of windows: scale, with what makes neighbours alike undone.
func (d *HiccupDetector) wholeScale(center, scale float64) float64 {
	var zero, one float64
	for i, v := range d.usual {
		zero += square(v - center)
		if i > 0 {
			one += (v - center) * (d.usual[i-1] - center)
		}
	}
	if zero <= 0 {
		return scale
	}
	return scale * math.Sqrt(1+2*max(0, min(0.5, one/zero)))
}

// baseline is the median of what is usual and its scatter, 1.4826 times the median absolute deviation.
func (d *HiccupDetector) baseline() (center, scale float64) {
	if len(d.usual) == 0 {
		return 0, 0
	}
	sorted := slices.Clone(d.usual)
	center = median(sorted)
	for i, v := range sorted {
		sorted[i] = math.Abs(v - center)
	}
	return center, 1.4826 * median(sorted)
}

// median sorts values and returns the middle one.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func (s *hiccupSums) add(excess, transfers float64) {
	s.time += excess
	s.transfers += transfers
	b := &s.block
	b.windows++
	b.time += excess
	b.transfers += transfers
	if b.windows == hiccupBlock {
		s.blocks++
		s.square += square(b.time) / b.transfers
		*b = struct{ windows, time, transfers float64 }{}
	}
}

// estimate is the mean excess of a transfer and the length of a stall. Stalls that come independently make the excess scatter by variance
// = stalls x length², so that length = variance / excess (as for a Poisson sum); scale is the scatter of one transfer without them.
func (s *hiccupSums) estimate(scale float64) (excess, stall float64) {
	excess = s.time / s.transfers
	if s.blocks < 3 || excess <= 0 {
		return max(0, excess), 0
	}
	of := s.block // not finished: not in the squares
	time, transfers := s.time-of.time, s.transfers-of.transfers
	variance := (s.square - square(time)/transfers) / (s.blocks - 1)
	return excess, max(0, variance-square(scale)) / excess
}
