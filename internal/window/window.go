// Package window puts counters that were scraped at odd moments on one time axis: it turns cumulative or delta observations
// of several series into their increase over common, aligned windows of data time.
//
// Between two observations an increase is spread evenly, so that a window boundary between two scrapes splits it in
// proportion (linear interpolation of the cumulative value). Everything is in data time: the package never reads a clock.
// It knows nothing of OpenTelemetry.
package window // import "github.com/otelcol-inference/otelcol-inference/internal/window"

import "slices"

// Value is a counter's value or increase. A plain counter uses Sum only; a histogram also has Count and one count per bucket.
// Counts are real numbers because a boundary may split an increase.
type Value struct {
	Sum    float64
	Count  float64
	Bounds []float64 // finite upper bounds, ascending; len(Counts) = len(Bounds)+1
	Counts []float64
}

// Empty reports whether nothing was counted.
func (v Value) Empty() bool { return v.Sum == 0 && v.Count == 0 }

// Reset empties v and keeps its room for counts, which must be v's own.
func (v *Value) Reset() { *v = Value{Counts: v.Counts[:0]} }

// AddScaled adds f times d to v. Bucket counts are added only where there are as many or v has none yet; the caller starts a new Value where
// d does not fit.
func (v *Value) AddScaled(d Value, f float64) {
	v.Sum += f * d.Sum
	v.Count += f * d.Count
	if len(d.Counts) == 0 {
		return
	}
	if !v.room(len(d.Counts), d.Bounds) {
		return
	}
	for i, c := range d.Counts {
		v.Counts[i] += f * c
	}
}

// Clone returns a copy that shares no counts with v. Bounds are shared: nobody writes them.
func (v Value) Clone() Value {
	v.Counts = append([]float64(nil), v.Counts...)
	return v
}

// set makes v what w is, in room of its own. Bounds are taken over as by keep.
func (v *Value) set(w Value, shapes *Shapes) {
	v.Bounds = v.keep(w.Bounds, shapes)
	v.Sum, v.Count, v.Counts = w.Sum, w.Count, append(v.Counts[:0], w.Counts...)
}

// keep returns bounds that nobody writes: those that v has where they are the same, else a copy.
func (v *Value) keep(bounds []float64, shapes *Shapes) []float64 {
	if slices.Equal(v.Bounds, bounds) {
		return v.Bounds
	}
	return shapes.one(bounds)
}

// Fits reports whether counts of d can be added to those of v: they are of the same buckets, or one has none.
func (v *Value) Fits(d Value) bool {
	if len(v.Counts) == 0 || len(d.Counts) == 0 {
		return true
	}
	n := len(v.Bounds)
	if n > 0 && n == len(d.Bounds) && &v.Bounds[0] == &d.Bounds[0] { // most often: windows of one counter share them
		return len(v.Counts) == len(d.Counts)
	}
	return sameBuckets(*v, d)
}

// sameBuckets reports whether a and b have the same bucket bounds.
func sameBuckets(a, b Value) bool {
	return len(a.Counts) == len(b.Counts) && slices.Equal(a.Bounds, b.Bounds)
}

// follows reports whether w can be an earlier state of the same counter as v, of the same buckets: nothing of it is more.
func (v *Value) follows(w Value) bool {
	ok := v.Sum-w.Sum >= 0 && v.Count-w.Count >= 0 // neither is where one is no number
	for i, c := range v.Counts {
		ok = ok && c-w.Counts[i] >= 0
	}
	return ok
}

// addIncrease adds what a counter rose by since an earlier state of the same buckets, whose bounds v's become.
func (v *Value) addIncrease(now, before Value) {
	v.Sum += now.Sum - before.Sum
	v.Count += now.Count - before.Count
	if !v.room(len(now.Counts), before.Bounds) {
		return
	}
	for i, c := range now.Counts {
		v.Counts[i] += c - before.Counts[i]
	}
}

// addOwned adds d, with bounds that nobody writes in the place of its own.
func (v *Value) addOwned(d Value, bounds []float64) {
	d.Bounds = bounds
	v.AddScaled(d, 1)
}

// room makes buckets where there are none yet, and reports whether there are n.
func (v *Value) room(n int, bounds []float64) bool {
	if len(v.Counts) == 0 && n > 0 {
		v.Bounds = bounds
		if cap(v.Counts) < n {
			v.Counts = make([]float64, n)
		}
		v.Counts = v.Counts[:n]
		clear(v.Counts)
	}
	return len(v.Counts) == n
}
