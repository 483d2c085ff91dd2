package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"math"
	"time"
)

// counter turns a counter of the driver into a sum that begins at 0 when it is first seen and never falls.
type counter struct {
	total uint64
	last  uint64
	start time.Time // of the sum; zero before the first value
	at    time.Time // of the last value
}

// observe takes a value. A narrow counter has 32 bits and begins again when they are used up; any other that falls was reset by
// the driver, and what it counted since is what it shows.
func (c *counter) observe(raw uint64, wide bool, at time.Time) {
	switch {
	case c.start.IsZero():
		c.start = at
	case raw >= c.last:
		c.total += raw - c.last
	case !wide && c.last <= math.MaxUint32 && c.last-raw > math.MaxUint32/2:
		c.total += math.MaxUint32 - c.last + 1 + raw
	default:
		c.total += raw
	}
	c.last, c.at = raw, at
}

func (c *counter) seen() bool { return !c.start.IsZero() }

// integral sums a rate over time.
type integral struct {
	value float64
	start time.Time // of the integral; zero before the first value
	at    time.Time // up to which it reaches
}

// add takes that the rate was so much from one time to another.
func (i *integral) add(rate float64, from, to time.Time) {
	if i.start.IsZero() {
		i.start = from
	}
	i.value += rate * to.Sub(from).Seconds()
	i.at = to
}

func (i *integral) seen() bool { return !i.start.IsZero() }

// gpmIDs is more than the largest GPM id that is asked for.
const gpmIDs = 64

// fieldKey is a field of a scope.
type fieldKey struct{ id, scope uint32 }

// ledger is what was summed up of one device. It outlives a re-initialisation of NVML, so that no sum falls.
type ledger struct {
	since   time.Time // when the device was first seen
	energy  counter
	power   integral // mJ; energy of a GPU without a counter
	fields  map[fieldKey]*counter
	gpm     [gpmIDs]integral // by id: seconds of activity, or MiB
	ring    struct{ graphics, dram integral }
	samples struct{ gpm, ring samples }
	speeds  linkSpeeds
	sources [2]struct{ pcie, nvlink source } // by direction
	xids    xidCounts
}

// samples counts samples of a sampler.
type samples struct {
	n         uint64
	start, at time.Time
}

func (s *samples) count(n int, from, to time.Time) {
	if s.start.IsZero() {
		s.start = from
	}
	s.n += uint64(n)
	s.at = to
}

func newLedger(since time.Time) *ledger {
	return &ledger{since: since, fields: make(map[fieldKey]*counter)}
}

func (l *ledger) field(id, scope uint32) *counter {
	c := l.fields[fieldKey{id, scope}]
	if c == nil {
		c = &counter{}
		l.fields[fieldKey{id, scope}] = c
	}
	return c
}

// traffic is the bytes of a link in one direction.
type traffic struct {
	bytes     float64
	start, at time.Time
}

const mebibyte = 1 << 20

// source is where the bytes of a link come from. It is chosen once, so that the sum has one start and never falls.
type source uint8

const (
	undecided source = iota
	byGPM
	byField
)

// decide chooses between GPM and a counter of the driver, preferring one of them where both have values. It waits for GPM while it
// may still have one.
func (l *ledger) decide(s *source, gpmID int, field fieldKey, prefersField, gpmRuns bool) {
	c := l.fields[field]
	hasGPM, hasField := l.gpm[gpmID].seen(), c != nil && c.seen()
	mayHaveGPM := gpmRuns && l.samples.gpm.n == 0
	switch {
	case *s != undecided:
	case hasField && prefersField:
		*s = byField
	case hasGPM:
		*s = byGPM
	case hasField && !mayHaveGPM:
		*s = byField
	}
}

// traffic is the bytes of a link, unit being the bytes of one count of the driver's counter.
func (l *ledger) traffic(s source, gpmID int, field fieldKey, unit float64) (traffic, bool) {
	switch s {
	case byGPM:
		i := &l.gpm[gpmID]
		return traffic{i.value * mebibyte, i.start, i.at}, true
	case byField:
		c := l.fields[field]
		return traffic{float64(c.total) * unit, c.start, c.at}, true
	default:
		return traffic{}, false
	}
}
