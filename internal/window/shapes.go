package window // import "github.com/otelcol-inference/otelcol-inference/internal/window"

import "slices"

// maxShapes bounds the bucket bounds that are kept once: they come from the network. Engines have a dozen.
const maxShapes = 64

// Shapes has one copy of the bucket bounds that the Aligners of many workers observe, which are the same for all. Its Aligners are used one at
// a time: it is not safe for concurrent use. The zero value is ready; nil keeps a copy for each counter.
type Shapes struct{ known [][]float64 }

// one returns bounds that nobody writes.
func (s *Shapes) one(bounds []float64) []float64 {
	if s == nil {
		return slices.Clone(bounds)
	}
	for _, known := range s.known {
		if slices.Equal(known, bounds) {
			return known
		}
	}
	bounds = slices.Clone(bounds)
	if len(s.known) < maxShapes {
		s.known = append(s.known, bounds)
	}
	return bounds
}
