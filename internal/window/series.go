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

// segment is an increase that happened evenly over (from, to], in nanoseconds of data time, or several that follow each other between two
// boundaries: no window will ever part them. It alone has its counts.
type segment struct {
	from, to int64
	increase Value
}

// series is one counter of one worker.
type series struct {
	seen  bool
	at    int64 // time of the last observation
	start int64 // start time of the counter at the last observation, 0 when unknown
	last  Value // cumulative value at the last observation; its counts are written again
	open  []segment
}

// observe takes a cumulative value. maxGap bounds how long a silence may be bridged by interpolation.
func (s *series) observe(at, start int64, v Value, maxGap, width int64, shapes *Shapes) Outcome {
	if s.seen && at <= s.at {
		return Late
	}
	seen, from, began := s.seen, s.at, s.start
	s.seen, s.at, s.start = true, at, start
	if !seen || at-from > maxGap {
		s.last.set(v, shapes)
		return Baseline
	}
	restarted := start != 0 && began != 0 && start > began
	if !restarted && !sameBuckets(v, s.last) {
		s.last.set(v, shapes)
		return Baseline // other bounds and no word of a restart: what was counted since the last look cannot be told
	}
	if !restarted && v.follows(s.last) {
		s.during(from, at, width).addIncrease(v, s.last)
		s.last.set(v, shapes)
		return Counted
	}
	// The counter began again from zero: all it shows was counted since its start, or at the earliest since the last look.
	s.last.set(v, shapes)
	s.during(max(from, min(start, at-1)), at, width).addOwned(v, s.last.Bounds)
	return Reset
}

// observeDelta takes an increase over (from, at]; from 0 means since the observation before.
func (s *series) observeDelta(from, at int64, v Value, width int64, shapes *Shapes) Outcome {
	if at <= from || (s.seen && at <= s.at) {
		return Late
	}
	first := !s.seen
	from = max(from, s.at)
	s.seen, s.at, s.start = true, at, 0
	bounds := s.last.keep(v.Bounds, shapes)
	s.last = Value{Bounds: bounds}
	if first && from == 0 {
		return Baseline
	}
	s.during(from, at, width).addOwned(v, bounds)
	return Counted
}

// during returns what increases over (from, to] are added to: the newest segment where they follow it between the same boundaries, else a
// new one.
func (s *series) during(from, to, width int64) *Value {
	if n := len(s.open); n > 0 {
		if g := &s.open[n-1]; g.to == from && to <= g.from-g.from%width+width {
			g.to = to
			return &g.increase
		}
	}
	s.open = append(s.open, segment{from: from, to: to})
	return &s.open[len(s.open)-1].increase
}

// take removes what happened up to boundary and returns it with the seconds of (from, boundary] that observations cover, and with all
// that they tell of.
func (s *series) take(from, boundary int64) (total Value, covered, spanned float64) {
	rest := s.open[:0]
	for i := range s.open {
		g := s.open[i]
		end := min(g.to, boundary)
		if end > g.from {
			covered += seconds(end - max(g.from, from))
			spanned += seconds(end - g.from)
			if end == g.to && total.Empty() && len(total.Counts) == 0 {
				total = g.increase // nobody else has it
				continue
			}
			total.AddScaled(g.increase, float64(end-g.from)/float64(g.to-g.from))
		}
		if g.to > boundary {
			rest = append(rest, g.after(boundary))
		}
	}
	clear(s.open[len(rest):]) // what was given away
	s.open = rest
	return total, covered, spanned
}

// after returns the part of g past boundary, with its counts.
func (g segment) after(boundary int64) segment {
	if g.from >= boundary {
		return g
	}
	f := float64(g.to-boundary) / float64(g.to-g.from)
	g.from = boundary
	g.increase.Sum *= f
	g.increase.Count *= f
	for i := range g.increase.Counts {
		g.increase.Counts[i] *= f
	}
	return g
}

func seconds(ns int64) float64 {
	if ns <= 0 {
		return 0
	}
	return float64(ns) / 1e9
}
