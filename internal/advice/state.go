package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"math"
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
	streams map[string][]*stream // by metric
	count   int                  // streams
	keys    int                  // counters of the aligner
	windows []window.Window      // of the trailing time, oldest first
	newest  int64                // data time of the newest point
	started int64                // data time of the first window
	closed  int64                // end of the newest window
	heard   time.Time            // last input, wall clock
	pause   time.Duration        // between the last two inputs
	silent  bool
	touched bool
	lives   map[string]*life // by rule
	levels  map[levelKey]bool
	verdict *verdictLife // of a fleet
	demand  faded        // requests per second
	texts   texts        // shared by all subjects
}

func newState(id Identity, cfg *Config, known texts) *state {
	return &state{
		Identity: id.clone(),
		aligner: window.NewAligner(window.Config{
			Width: cfg.Window, Lateness: cfg.Lateness, MaxGap: max(cfg.MaxStale, 12*cfg.Window),
		}, 1, 0),
		streams: map[string][]*stream{}, keys: 1,
		lives: map[string]*life{}, levels: map[levelKey]bool{}, texts: known,
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
	if (p.Form == Level) != (x.counter == clockKey) {
		return false // a counter that became a gauge, or the reverse
	}
	s.newest = max(s.newest, p.At)
	if p.Form == Level {
		return x.look(p)
	}
	if p.Gone {
		return true
	}
	if p.Form == Delta {
		return s.aligner.ObserveDelta(x.counter, p.Start, p.At, p.Value) != window.Late
	}
	return s.aligner.Observe(x.counter, p.At, p.Start, p.Value) != window.Late
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
			s.Facts[s.texts.one(a.Key)] = s.texts.one(a.Value)
		}
	}
}

func (s *state) stream(p Point) *stream {
	for _, x := range s.streams[p.Metric] {
		if x.is(p.Attributes) {
			return x
		}
	}
	if s.count >= maxStreams {
		return nil
	}
	x := &stream{attributes: s.texts.pairs(p.Attributes)}
	if p.Form != Level {
		x.counter = s.keys
		s.keys++
		s.aligner.Grow(s.keys)
	}
	s.count++
	s.streams[s.texts.one(p.Metric)] = append(s.streams[p.Metric], x)
	return x
}

// look takes a level.
func (x *stream) look(p Point) bool {
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
		s.windows = s.windows[:0]
		s.eachLevel(func(x *stream) { x.means = x.means[:0] })
	}
	s.closed = w.To
	w.Spanned = nil // nobody asks
	s.windows = append(s.windows, w)
	s.eachLevel(func(x *stream) { x.close(len(s.windows)) })
	kept, oldest := 0.0, 0
	for oldest = len(s.windows) - 1; oldest > 0; oldest-- {
		if kept += s.windows[oldest].Seconds(); kept >= trailing.Seconds() {
			break
		}
	}
	s.windows = append(s.windows[:0], s.windows[oldest:]...)
	s.eachLevel(func(x *stream) { x.means = append(x.means[:0], x.means[oldest:]...) })
}

// close ends a window of a level. Levels are averaged by arrival: the looks since the window before.
func (x *stream) close(windows int) {
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

func (s *state) eachLevel(visit func(*stream)) {
	for _, xs := range s.streams {
		for _, x := range xs {
			if x.counter == clockKey {
				visit(x)
			}
		}
	}
}
