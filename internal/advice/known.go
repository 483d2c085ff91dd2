package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"math"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// known is what the subjects of an Advisor have one copy of, and room that they use in turn.
type known struct {
	texts   texts
	metrics map[string]int    // their numbers
	sets    map[string][]Pair // of attributes, by their text
	shapes  window.Shapes     // of histograms

	text    []byte // scratch
	tallies []tally
	buckets []bucket
}

func newKnown() *known {
	return &known{texts: texts{}, metrics: map[string]int{}, sets: map[string][]Pair{}}
}

// number returns the number of a metric; false when there are too many.
func (k *known) number(metric string) (int, bool) {
	n, ok := k.metrics[metric]
	if !ok {
		if n = len(k.metrics); n >= math.MaxInt16 {
			return 0, false
		}
		k.metrics[k.texts.one(metric)] = n
	}
	return n, true
}

// pairs returns attributes that may be kept and are not written.
func (k *known) pairs(ps []Pair) []Pair {
	if len(ps) == 0 {
		return nil
	}
	k.text = k.text[:0]
	for _, p := range ps {
		k.text = append(append(append(append(k.text, p.Key...), 0), p.Value...), 0)
	}
	if set, ok := k.sets[string(k.text)]; ok && slices.Equal(set, ps) {
		return set
	}
	set := k.texts.pairs(ps)
	if len(k.sets) < maxTexts && len(k.text) <= maxKeptText {
		k.sets[string(k.text)] = set
	}
	return set
}
