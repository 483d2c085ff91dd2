package window // import "github.com/otelcol-inference/otelcol-inference/internal/window"

import (
	"slices"
	"sync"
)

// maxLayouts bounds what Layouts keeps: engines have a dozen, and what comes over the network may have any.
const maxLayouts = 256

// Layouts keeps one copy of each list of bucket bounds for all series that have it: those of ten thousand workers are alike. Its zero value is
// ready, and one that is nil keeps none. It is safe for concurrent use.
type Layouts struct {
	mu    sync.RWMutex
	known [][]float64
}

// Of returns the n bounds that at tells. Nobody may write to them.
func (l *Layouts) Of(n int, at func(int) float64) []float64 {
	if l == nil {
		return boundsOf(n, at)
	}
	if known := l.find(n, at); known != nil {
		return known
	}
	own := boundsOf(n, at)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) < maxLayouts && !slices.ContainsFunc(l.known, func(b []float64) bool { return slices.Equal(b, own) }) {
		l.known = append(l.known, own)
	}
	return own
}

func (l *Layouts) find(n int, at func(int) float64) []float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
next:
	for _, known := range l.known {
		if len(known) != n {
			continue
		}
		for i, b := range known {
			if b != at(i) {
				continue next
			}
		}
		return known
	}
	return nil
}

func boundsOf(n int, at func(int) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = at(i)
	}
	return out
}
