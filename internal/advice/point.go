package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// Pair is an attribute.
type Pair struct{ Key, Value string }

// Form says how a metric's points combine.
type Form int

// The forms of points.
const (
	Level Form = iota // a value that holds at its time
	Total             // a cumulative sum or histogram
	Delta             // the increase of one over (Start, At]
)

// Point is one data point of a subject. The strings of Attributes are cloned before they are kept.
type Point struct {
	Metric     string
	Attributes []Pair
	Form       Form
	At, Start  int64 // data time in unix nanoseconds; Start is 0 where it is not known
	Gone       bool  // the stream ended: nothing holds from At on
	Value      window.Value
}

// stream is one time series of a subject.
type stream struct {
	attributes []Pair // of all streams that have them
	level      *level // nil of a counter
	buckets    *shape // nil of a level, and of a counter that was never a histogram
	counter    int32  // key in the aligner
	next       int16  // the place of the metric's next stream plus one, 0 of the last
}

// shape is the bounds that a histogram has, and the data time from which on it has as many.
type shape struct {
	bounds []float64
	since  int64
}

// level is what is known of a stream that is no counter.
type level struct {
	at         int64
	value      float64
	gone       bool
	sum, looks float64   // of the values since the last window
	means      []float64 // one a window kept, NaN where it was not seen
}

// is reports whether the stream has exactly these attributes.
func (s *stream) is(attributes []Pair) bool {
	if len(attributes) != len(s.attributes) {
		return false
	}
	for _, a := range attributes {
		if !slices.Contains(s.attributes, a) {
			return false
		}
	}
	return true
}

// has reports whether the stream has these attributes among others, given as key, value, key, value.
func (s *stream) has(pairs []string) bool {
	for i := 0; i+1 < len(pairs); i += 2 {
		if !slices.Contains(s.attributes, Pair{pairs[i], pairs[i+1]}) {
			return false
		}
	}
	return true
}
