package passes

import "sort"

// Composition is what a step computed.
type Composition uint8

// The compositions.
const (
	PrefillOnly Composition = iota
	DecodeOnly
	Mixed
	compositionCount
)

// Compositions is the number of compositions.
const Compositions = int(compositionCount)

func (c Composition) String() string { return [Compositions]string{"prefill", "decode", "mixed"}[c] }

// Sums are what the steps of one composition add up to.
type Sums struct {
	Steps           uint64
	Time            float64 // seconds
	PrefillTokens   uint64
	PrefillKVTokens uint64
	DecodeSequences uint64
	DecodeKVTokens  uint64
	Durations       []uint64 // by DurationBounds, and above the last
}

// DurationBounds are the bounds in seconds of a step's duration, upper and inclusive.
func DurationBounds() []float64 {
	return []float64{0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10}
}

// Refusal is why a message was not taken.
type Refusal uint8

// The refusals.
const (
	Malformed Refusal = iota // no pass
	Version                  // of a schema that is not known
	Invalid                  // a duration or an amount that cannot be
	Repeated                 // told twice
	refusalCount
)

// Refusals is the number of refusals.
const Refusals = int(refusalCount)

func (r Refusal) String() string {
	return [Refusals]string{"malformed", "version", "invalid", "repeated"}[r]
}

// Totals since a Reducer was made. They never fall.
type Totals struct {
	Steps      [Compositions]Sums
	Heartbeats uint64
	Lost       uint64 // messages missing in counter_id; what an engine's full queue dropped leaves no gap
	Restarts   uint64 // the counter began anew
	Refused    [Refusals]uint64
	Scope      Scope // of the last step
}

const (
	schemaVersion = 1
	// A step longer than an hour, or one of more tokens than any cache holds, is no step.
	longestStep = 3600
	mostTokens  = 1 << 40
	// farthestGap is hours of steps.
	farthestGap = 1 << 24
)

// Reducer adds up the passes of one engine core. It is not safe for concurrent use.
type Reducer struct {
	bounds  []float64
	totals  Totals
	next    uint64 // counter that follows the last one
	started bool
}

// NewReducer makes an empty reducer.
func NewReducer() *Reducer {
	r := &Reducer{bounds: DurationBounds()}
	for i := range r.totals.Steps {
		r.totals.Steps[i].Durations = make([]uint64, len(r.bounds)+1)
	}
	return r
}

// Take reads a message and adds it. It returns why the message was not taken, with false.
func (r *Reducer) Take(payload []byte) (why Refusal, taken bool) {
	p, err := Decode(payload)
	switch {
	case err != nil && p.Version > schemaVersion, err == nil && p.Version != schemaVersion:
		why = Version
	case err != nil:
		why = Malformed
	case !p.valid():
		why = Invalid
	case r.started && p.Counter+1 == r.next:
		why = Repeated
	default:
		r.count(p.Counter)
		r.add(&p)
		return 0, true
	}
	r.totals.Refused[why]++
	return why, false
}

func (p *Pass) valid() bool {
	s := &p.Scheduled
	most := max(s.Prefills, s.PrefillTokens, s.PrefillKVTokens, s.Decodes, s.DecodeKVTokens)
	return p.WallTime >= 0 && p.WallTime <= longestStep && most <= mostTokens
}

// count follows counter_id. A counter that falls, or leaps, is a new process.
func (r *Reducer) count(counter uint64) {
	switch {
	case !r.started:
	case counter < r.next || counter-r.next > farthestGap:
		r.totals.Restarts++
	default:
		r.totals.Lost += counter - r.next
	}
	r.started, r.next = true, counter+1
}

func (r *Reducer) add(p *Pass) {
	c := PrefillOnly
	switch s := &p.Scheduled; {
	case s.Prefills > 0 && s.Decodes > 0:
		c = Mixed
	case s.Decodes > 0:
		c = DecodeOnly
	case s.Prefills == 0:
		r.totals.Heartbeats++
		return
	}
	r.totals.Scope = p.Scope
	t := &r.totals.Steps[c]
	t.Steps++
	t.Time += p.WallTime
	t.PrefillTokens += uint64(p.Scheduled.PrefillTokens)
	t.PrefillKVTokens += uint64(p.Scheduled.PrefillKVTokens)
	t.DecodeSequences += uint64(p.Scheduled.Decodes)
	t.DecodeKVTokens += uint64(p.Scheduled.DecodeKVTokens)
	t.Durations[sort.SearchFloat64s(r.bounds, p.WallTime)]++
}

// Totals returns a copy.
func (r *Reducer) Totals() Totals {
	t := r.totals
	for i := range t.Steps {
		t.Steps[i].Durations = append([]uint64(nil), t.Steps[i].Durations...)
	}
	return t
}
