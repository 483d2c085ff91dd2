package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

// outcome says what became of a point of a counter.
type outcome int

const (
	baseline outcome = iota // the first point, or the first after a silence: it has no increase yet
	counted                 // the increase since the point before was taken
	late                    // not newer than the point before: ignored
)

// maxGap is the longest silence over which an increase is still counted as recent. Beyond it the increase says nothing of the
// trailing window. In nanoseconds.
const maxGap = int64(2 * trailingLength)

// counter turns the points of one counter into increases. A histogram is a counter of one value per bucket, a plain counter has
// one value.
type counter struct {
	// trustStart takes a first point as counted since its start time. It is set for the processors of this distribution, whose
	// start times are exact; other sources may put the time of their own start there.
	trustStart bool

	seen      bool
	at, start int64 // time and start time of the last point, nanoseconds
	last      []float64
}

// point is one point of a counter. Delta points carry the increase itself.
type point struct {
	at, start int64
	delta     bool
	values    []float64
}

// observe writes the increase into increase, which has the length of p.values. A start time that moved on, a value that fell
// or a changed number of values is a restart: then all that the counter shows was counted since.
func (c *counter) observe(p point, increase []float64) outcome {
	if c.seen && p.at <= c.at {
		return late
	}
	if p.delta {
		overlaps := c.seen && p.start != 0 && p.start < c.at
		if overlaps {
			return late
		}
		c.seen, c.at, c.start = true, p.at, p.start
		copy(increase, p.values)
		return counted
	}
	fresh := !c.seen || p.at-c.at > maxGap
	if !c.seen && c.trustStart && p.start != 0 && p.start < p.at && p.at-p.start <= maxGap {
		fresh = false
	}
	restarted := len(c.last) != len(p.values) || (p.start != 0 && c.start != 0 && p.start > c.start) || fell(c.last, p.values)
	for i, v := range p.values {
		increase[i] = v
		if !restarted {
			increase[i] -= c.last[i]
		}
	}
	c.seen, c.at, c.start = true, p.at, p.start
	c.last = append(c.last[:0], p.values...)
	if fresh {
		return baseline
	}
	return counted
}

// forget drops the state, as after a point that says that the stream ended.
func (c *counter) forget() { *c = counter{trustStart: c.trustStart} }

func fell(before, now []float64) bool {
	for i := range now {
		if now[i] < before[i] {
			return true
		}
	}
	return false
}
