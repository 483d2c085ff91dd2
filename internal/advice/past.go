package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"cmp"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// past is what the counters of a subject rose by in a window of the trailing time. Most counters of a worker stand still in most windows, and most
// buckets of a histogram are empty: what is kept is what is not, in a fifth of the room.
type past struct {
	from, to int64
	counters int32   // that there were, clockKey among them
	covered  float64 // s of the window that observations span, of a counter that stood still and is in no tally
	tallies  []tally // ascending by counter
	buckets  []bucket
}

// tally is the increase of one counter. Its buckets are those from first up to the next tally's.
type tally struct {
	sum, count, covered float64
	counter, first      int32
}

// bucket is one of a histogram that is not empty; its count is right to a 16-millionth.
type bucket struct {
	at    int32
	count float32
}

func (p *past) seconds() float64 { return float64(p.to-p.from) / 1e9 }

// remember keeps of a window what rules look at. New bucket bounds begin a counter anew.
func (s *state) remember(w window.Window) past {
	p := past{from: w.From, to: w.To, counters: int32(len(w.Totals))}
	for _, covered := range w.Covered[clockKey+1:] {
		p.covered = max(p.covered, covered) // that of nearly all: they come together
	}
	tallies, buckets := s.known.tallies[:0], s.known.buckets[:0]
	for i := range s.streams {
		x := &s.streams[i]
		key := int(x.counter)
		if x.level != nil || key >= len(w.Totals) {
			continue
		}
		v := w.Totals[key]
		if v.Empty() && w.Covered[key] == p.covered {
			continue
		}
		tallies = append(tallies, tally{v.Sum, v.Count, w.Covered[key], x.counter, int32(len(buckets))})
		if len(v.Counts) == 0 {
			continue
		}
		if x.buckets == nil {
			x.buckets = &shape{}
		} else if !slices.Equal(x.buckets.bounds, v.Bounds) {
			x.buckets.since = w.From
		}
		x.buckets.bounds = v.Bounds
		for at, n := range v.Counts {
			if n != 0 {
				buckets = append(buckets, bucket{int32(at), float32(n)})
			}
		}
	}
	p.tallies, p.buckets = append([]tally(nil), tallies...), append([]bucket(nil), buckets...)
	s.known.tallies, s.known.buckets = tallies, buckets
	return p
}

// of is what a counter rose by; ok is false where there was no such counter yet.
func (p *past) of(counter int32) (t tally, buckets []bucket, ok bool) {
	if counter >= p.counters {
		return tally{}, nil, false
	}
	i, found := slices.BinarySearchFunc(p.tallies, counter, func(t tally, counter int32) int { return cmp.Compare(t.counter, counter) })
	if !found {
		return tally{covered: p.covered}, nil, true
	}
	end := len(p.buckets)
	if i+1 < len(p.tallies) {
		end = int(p.tallies[i+1].first)
	}
	t = p.tallies[i]
	return t, p.buckets[t.first:end], true
}
