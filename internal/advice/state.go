package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

const (
	// clockKey is a counter of the aligner that counts nothing: it is observed at the time of the newest point, so that windows also close
	// for a subject that has levels only, such as a worker that is down.
	clockKey = 0
	// maxText bounds an attribute's value, in bytes. They come from the network.
	maxText = 4096
	// maxStreams bounds the streams kept of one subject.
	maxStreams = 512
)

// state is what is kept of one subject.
type state struct {
	Identity
	aligner *window.Aligner
	streams []stream      // in the order in which they came, which for counters is that of their keys
	heads   []int16       // by number of the metric, the place of its first stream plus one, 0 without any
	keys    int           // counters of the aligner
	past    []past        // windows of the trailing time, oldest first
	newest  int64         // data time of the newest point
	started int64         // data time of the first window
	closed  int64         // end of the newest window
	heard   time.Time     // last input, wall clock
	pause   time.Duration // between the last two inputs
	silent  bool
	touched bool
	lives   map[string]*life // by rule
	levels  map[levelKey]bool
	verdict *verdictLife // of a fleet
	demand  faded        // requests per second
	known   *known       // shared by all subjects
}

func newState(id Identity, cfg *Config, k *known) *state {
	return &state{
		Identity: id.clone(k.texts),
		aligner: window.NewAligner(window.Config{
			Width: cfg.Window, Lateness: cfg.Lateness, MaxGap: max(cfg.MaxStale, 12*cfg.Window), Shapes: &k.shapes,
		}, 1, 0),
		keys:  1,
		lives: map[string]*life{}, levels: map[levelKey]bool{}, known: k,
	}
}

// take keeps a point; false when it was refused for its time or for want of room.
func (s *state) take(p Point) bool {
	if p.At <= 0 || math.IsNaN(p.Value.Sum) || math.IsInf(p.Value.Sum, 0) || tooLong(p.Attributes) {
		return false
	}
	if strings.HasSuffix(p.Metric, ".info") && !p.Gone {
		s.learn(p)
	}
	x := s.stream(p)
	if x == nil {
		return false
	}
	if (p.Form == Level) != (x.level != nil) {
		return false // a counter that became a gauge, or the reverse
	}
	s.newest = max(s.newest, p.At)
	if p.Form == Level {
		return x.level.look(p)
	}
	if p.Gone {
		return true
	}
	if p.Form == Delta {
		return s.aligner.ObserveDelta(int(x.counter), p.Start, p.At, p.Value) != window.Late
	}
	return s.aligner.Observe(int(x.counter), p.At, p.Start, p.Value) != window.Late
}

func tooLong(attributes []Pair) bool {
	for _, a := range attributes {
		if len(a.Value) > maxText {
			return true
		}
	}
	return false
}

// complete hands out the window that is complete, if there is one; on flush also one that waits for a lagging series.
func (s *state) complete(flush bool) (window.Window, bool) {
	if s.newest == 0 {
		return window.Window{}, false
	}
	s.aligner.Observe(clockKey, s.newest, 0, window.Value{})
	if flush {
		return s.aligner.Flush()
	}
	return s.aligner.Close()
}

// learn takes the attributes of an info point as facts.
func (s *state) learn(p Point) {
	for _, a := range p.Attributes {
		if s.Facts[a.Key] != a.Value {
			s.Facts[s.known.texts.one(a.Key)] = s.known.texts.one(a.Value)
		}
	}
}

// of are the streams of a metric.
func (s *state) of(metric string) iter.Seq[*stream] {
	return func(yield func(*stream) bool) {
		for at := s.head(metric); at > 0; {
			x := &s.streams[at-1]
			if !yield(x) {
				return
			}
			at = x.next
		}
	}
}

// told reports whether a metric has streams.
func (s *state) told(metric string) bool { return s.head(metric) > 0 }

func (s *state) head(metric string) int16 {
	if s.known == nil {
		return 0
	}
	if n, ok := s.known.metrics[metric]; ok && n < len(s.heads) {
		return s.heads[n]
	}
	return 0
}

// stream finds a point's stream or makes it; nil when there is no room. It is valid until the next one is made.
func (s *state) stream(p Point) *stream {
	var last *stream
	for x := range s.of(p.Metric) {
		if x.is(p.Attributes) {
			return x
		}
		last = x
	}
	n, ok := s.known.number(p.Metric)
	if len(s.streams) >= maxStreams || !ok {
		return nil
	}
	x := stream{attributes: s.known.pairs(p.Attributes)}
	if p.Form == Level {
		x.level = &level{}
	} else {
		x.counter = int32(s.keys)
		s.keys++
		s.aligner.Grow(s.keys)
	}
	at := int16(len(s.streams) + 1)
	if last != nil {
		last.next = at
	} else {
		if n >= len(s.heads) {
			s.heads = append(s.heads, make([]int16, n+1-len(s.heads))...)
		}
		s.heads[n] = at
	}
	if len(s.streams) == cap(s.streams) { // append would make twice what is there, for good
		s.streams = append(make([]stream, 0, len(s.streams)+streamRoom), s.streams...)
	}
	s.streams = append(s.streams, x)
	return &s.streams[at-1]
}

// streamRoom is for how many streams more there is room when there was none.
const streamRoom = 8

// look takes a level.
func (x *level) look(p Point) bool {
	if p.At < x.at {
		return false
	}
	x.at, x.gone = p.At, p.Gone
	if !p.Gone {
		x.value = p.Value.Sum
		x.sum += p.Value.Sum
		x.looks++
	}
	return true
}

// keep takes a window that is complete and forgets those that the trailing time no longer reaches.
func (s *state) keep(w window.Window, trailing time.Duration) {
	if s.started == 0 || w.From != s.closed {
		s.started = w.From
		s.past = s.past[:0]
		s.eachLevel(func(x *level) { x.means = x.means[:0] })
	}
	s.closed = w.To
	s.past = append(s.past, s.remember(w))
	s.eachLevel(func(x *level) { x.close(len(s.past)) })
	kept, oldest := 0.0, 0
	for oldest = len(s.past) - 1; oldest > 0; oldest-- {
		if kept += s.past[oldest].seconds(); kept >= trailing.Seconds() {
			break
		}
	}
	s.past = slices.Delete(s.past, 0, oldest)
	s.eachLevel(func(x *level) { x.means = append(x.means[:0], x.means[oldest:]...) })
}

// close ends a window of a level. Levels are averaged by arrival: the looks since the window before.
func (x *level) close(windows int) {
	for len(x.means) < windows-1 {
		x.means = append(x.means, math.NaN())
	}
	mean := math.NaN()
	if x.looks > 0 && !x.gone {
		mean = x.sum / x.looks
	}
	x.means = append(x.means, mean)
	x.sum, x.looks = 0, 0
}

func (s *state) eachLevel(visit func(*level)) {
	for i := range s.streams {
		if x := s.streams[i].level; x != nil {
			visit(x)
		}
	}
}
