// Package window puts counters that were scraped at odd moments on one time axis: it turns cumulative or delta observations
// of several series into their increase over common, aligned windows of data time.
//
// Between two observations an increase is spread evenly, so that a window boundary between two scrapes splits it in
// proportion (linear interpolation of the cumulative value). Everything is in data time: the package never reads a clock.
// It knows nothing of OpenTelemetry.
package window // import "github.com/otelcol-inference/otelcol-inference/internal/window"

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

// AddScaled adds f times d to v. Bucket counts are added only where the bounds agree or v has none yet; the caller starts a
// new Value when bounds change.
func (v *Value) AddScaled(d Value, f float64) {
	v.Sum += f * d.Sum
	v.Count += f * d.Count
	if len(d.Counts) == 0 {
		return
	}
	if len(v.Counts) == 0 {
		v.Bounds = d.Bounds
		v.Counts = make([]float64, len(d.Counts))
	}
	if len(v.Counts) != len(d.Counts) {
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

// sameBuckets reports whether a and b have the same bucket bounds.
func sameBuckets(a, b Value) bool {
	if len(a.Counts) != len(b.Counts) || len(a.Bounds) != len(b.Bounds) {
		return false
	}
	if len(a.Bounds) > 0 && &a.Bounds[0] == &b.Bounds[0] {
		return true
	}
	for i := range a.Bounds {
		if a.Bounds[i] != b.Bounds[i] {
			return false
		}
	}
	return true
}

// minus returns v-w and whether no part of it is negative, that is whether w can be an earlier state of the same counter.
func (v Value) minus(w Value) (Value, bool) {
	d := Value{Sum: v.Sum - w.Sum, Count: v.Count - w.Count, Bounds: v.Bounds}
	ok := d.Sum >= 0 && d.Count >= 0
	if len(v.Counts) > 0 {
		d.Counts = make([]float64, len(v.Counts))
		for i := range v.Counts {
			d.Counts[i] = v.Counts[i] - w.Counts[i]
			ok = ok && d.Counts[i] >= 0
		}
	}
	return d, ok
}
