package window // import "github.com/otelcol-inference/otelcol-inference/internal/window"

// Outcome says what became of an observation.
type Outcome int

const (
	// Baseline is the first observation, or the first after a gap; it has no increase yet.
	Baseline Outcome = iota
	// Counted means that the increase since the observation before was taken.
	Counted
	// Reset means that the counter began again; what it has counted since was taken.
	Reset
	// Late means not newer than an observation before; ignored.
	Late
)

// segment is an increase that happened evenly over (from, to], in nanoseconds of data time.
type segment struct {
	from, to int64
	increase Value
}

// series is one counter of one worker.
type series struct {
	seen  bool
	at    int64 // time of the last observation
	start int64 // start time of the counter at the last observation, 0 when unknown
	last  Value // cumulative value at the last observation
	open  []segment
}

// observe takes a cumulative value. maxGap bounds how long a silence may be bridged by interpolation.
func (s *series) observe(at, start int64, v Value, maxGap int64) Outcome {
	if s.seen && at <= s.at {
		return Late
	}
	previous := *s
	s.seen, s.at, s.start, s.last = true, at, start, v.Clone()
	if !previous.seen || at-previous.at > maxGap {
		return Baseline
	}
	restarted := start != 0 && previous.start != 0 && start > previous.start
	if !restarted && !sameBuckets(v, previous.last) {
		return Baseline // other bounds and no word of a restart: what was counted since the last look cannot be told
	}
	if !restarted {
		if increase, ok := v.minus(previous.last); ok {
			s.open = append(s.open, segment{previous.at, at, increase})
			return Counted
		}
	}
	// The counter began again from zero: all it shows was counted since its start, or at the earliest since the last look.
	s.open = append(s.open, segment{max(previous.at, min(start, at-1)), at, v.Clone()})
	return Reset
}

// observeDelta takes an increase over (from, at]; from 0 means since the observation before.
func (s *series) observeDelta(from, at int64, v Value) Outcome {
	if at <= from || (s.seen && at <= s.at) {
		return Late
	}
	first := !s.seen
	from = max(from, s.at)
	s.seen, s.at, s.start, s.last = true, at, 0, Value{}
	if first && from == 0 {
		return Baseline
	}
	s.open = append(s.open, segment{from, at, v.Clone()})
	return Counted
}

// take removes what happened up to boundary and returns it with the seconds of (from, boundary] that observations cover, and with all
// that they tell of.
func (s *series) take(from, boundary int64) (total Value, covered, spanned float64) {
	held := s.open
	rest := s.open[:0]
	for _, g := range s.open {
		end := min(g.to, boundary)
		if end > g.from {
			part := float64(end-g.from) / float64(g.to-g.from)
			total.AddScaled(g.increase, part)
			covered += seconds(end - max(g.from, from))
			spanned += seconds(end - g.from)
		}
		if g.to > boundary {
			rest = append(rest, g.after(boundary))
		}
	}
	clear(held[len(rest):]) // or they would be held on to until others take their place
	s.open = rest
	return total, covered, spanned
}

// after returns the part of g past boundary.
func (g segment) after(boundary int64) segment {
	if g.from >= boundary {
		return g
	}
	var increase Value
	increase.AddScaled(g.increase, float64(g.to-boundary)/float64(g.to-g.from))
	return segment{boundary, g.to, increase}
}

func seconds(ns int64) float64 {
	if ns <= 0 {
		return 0
	}
	return float64(ns) / 1e9
}
