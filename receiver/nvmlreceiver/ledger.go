package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// span is the time that a sum stands for.
type span struct {
	start time.Time // zero before the first value
	at    time.Time // up to which the sum reaches
	sent  time.Time // up to which a page has had it
}

func (s *span) seen() bool { return !s.start.IsZero() }

// due says whether the sum reaches further than what a page has had, and takes that a page has it now: a value that nobody read
// again must not look like a new one.
func (s *span) due() bool {
	if !s.seen() || !s.at.After(s.sent) {
		return false
	}
	s.sent = s.at
	return true
}

// counter turns a counter of the driver into a sum that begins at 0 when it is first seen and never falls.
type counter struct {
	span
	total uint64
	last  uint64
}

// observe takes a value. A narrow counter has 32 bits and begins again when they are used up; any other that falls was reset by
// the driver, and what it counted since is what it shows.
func (c *counter) observe(raw uint64, wide bool, at time.Time) {
	switch {
	case !c.seen():
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

// integral sums a rate over time.
type integral struct {
	span
	value float64
}

// add takes that the rate was so much from one time to another.
func (i *integral) add(rate float64, from, to time.Time) {
	if !i.seen() {
		i.start = from
	}
	i.value += rate * to.Sub(from).Seconds()
	i.at = to
}

// gpmIDs is more than the largest GPM id that is asked for.
const gpmIDs = 64

// fieldKey is a field of a scope.
type fieldKey struct{ id, scope uint32 }

// sampling is where the activity of a device comes from.
type sampling uint8

const (
	unsampled sampling = iota // not known yet
	byGPMSamples
	byDriverSamples
)

// ledger is what was summed up of one device. It outlives a re-initialisation of NVML, so that no sum falls. One worker at a time
// writes it.
type ledger struct {
	since    time.Time // when the device was first seen
	energy   counter
	power    integral // mJ; energy of a GPU without a counter
	fields   map[fieldKey]*counter
	activity [gpmIDs]integral // by GPM id: seconds of activity, or MiB
	sampled  sampling         // where the activities that both samplings have come from
	samples  struct{ gpm, driver samples }
	speeds   linkSpeeds
	sources  [2]struct{ pcie, nvlink source } // by direction
	xids     xidCounts
}

// samples counts samples of a sampler.
type samples struct {
	span
	n uint64
}

func (s *samples) count(n int, from, to time.Time) {
	if !s.seen() {
		s.start = from
	}
	s.n += uint64(n)
	s.at = to
}

// sampleBy takes where samples come from now. GPM and the driver's buffers mean different things by activity, so a change begins new
// sums of what both have.
func (l *ledger) sampleBy(s sampling) {
	if l.sampled != unsampled && l.sampled != s {
		l.activity[gpu.GPMGraphics], l.activity[gpu.GPMDRAM] = integral{}, integral{}
	}
	l.sampled = s
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
	hasGPM, hasField := l.activity[gpmID].seen(), c != nil && c.seen()
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

// traffic is the bytes of a link, unit being the bytes of one count of the driver's counter; ok is false where there is nothing that
// a page has not had.
func (l *ledger) traffic(s source, gpmID int, field fieldKey, unit float64) (t traffic, ok bool) {
	switch s {
	case byGPM:
		i := &l.activity[gpmID]
		return traffic{i.value * mebibyte, i.start, i.at}, i.due()
	case byField:
		c := l.fields[field]
		return traffic{float64(c.total) * unit, c.start, c.at}, c.due()
	default:
		return traffic{}, false
	}
}
