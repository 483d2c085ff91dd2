package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"encoding/json"
	"fmt"
	"math/bits"
)

// Direction is which way the bytes of a transfer went, as its initiator sees it.
type Direction int

// Directions, as indexes into the histograms of a Tally.
const (
	Transmit Direction = iota // WRITE
	Receive                   // READ
	Undirected
)

// Tally sums up the events of one ring. It is a Sink.
//
// NIXL writes the events of one transfer next to each other: [post time] time bytes requests. From them the tally pieces each
// transfer together again, across polls, as far as the order allows it: what stands alone feeds the counters, and the histograms
// under Undirected. Nothing is guessed over a cut.
type Tally struct {
	Sums Sums
	// Unknown events had a type without a meaning. They are in no sum.
	Unknown uint64

	Duration, Post   [3]Histogram // microseconds, by Direction
	Size, Throughput [2]Histogram // bytes, bytes per second

	batched bool
	types   EventType
	has     part // of the transfer that is being pieced together
	post    uint64
	time    uint64
}

// part is a set of the events of a transfer.
type part uint8

const (
	hasPost part = 1 << iota
	hasTime
)

// NewTally returns an empty tally for rings of a layout.
func NewTally(l Layout) *Tally {
	t := &Tally{batched: l.Batched(), types: l.form().types}
	times, sizes, throughputs := DefaultBuckets(), sizeBuckets(), throughputBuckets()
	for i := range t.Duration {
		t.Duration[i], t.Post[i] = newHistogram(times), newHistogram(times)
	}
	for i := range t.Size {
		t.Size[i], t.Throughput[i] = newHistogram(sizes), newHistogram(throughputs)
	}
	return t
}

// Take adds events.
func (t *Tally) Take(events []Event) {
	for len(events) > 0 {
		if t.batched && isTransfer(events) {
			t.transfer((*[4]Event)(events))
			events = events[4:]
			continue
		}
		t.take(&events[0])
		events = events[1:]
	}
}

// isTransfer says whether the first four events are those of one transfer, as most are.
func isTransfer(e []Event) bool {
	return len(e) >= 4 && e[0].Type == XferPostTime && e[1].Type == XferTime && e[2].Type <= RxBytes &&
		e[3].Type == e[2].Type+(TxRequests-TxBytes)
}

// transfer does what take does with each of the events.
func (t *Tally) transfer(e *[4]Event) {
	t.Cut()
	d := Direction(e[2].Type)
	post, us, size := e[0].Value, e[1].Value, e[2].Value
	t.Sums[XferPostTime] += post
	t.Sums[XferTime] += us
	t.Sums[e[2].Type] += size
	t.Sums[e[3].Type] += e[3].Value
	t.Post[d].add(post)
	t.Duration[d].add(us)
	t.Size[d].add(size)
	if us > 0 {
		t.Throughput[d].add(perSecond(size, us))
	}
}

func (t *Tally) take(e *Event) {
	if e.Type >= t.types {
		t.Unknown++
		t.Cut()
		return
	}
	t.Sums[e.Type] += e.Value
	switch e.Type {
	case XferPostTime:
		t.posted(e.Value)
	case XferTime:
		t.timed(e.Value)
	case TxBytes:
		t.sized(Transmit, e.Value)
	case RxBytes:
		t.sized(Receive, e.Value)
	case TxRequests:
		t.directed(Transmit)
	case RxRequests:
		t.directed(Receive)
	default:
		t.Cut()
	}
}

// Cut ends the transfer that is being pieced together.
func (t *Tally) Cut() { t.directed(Undirected) }

func (t *Tally) posted(us uint64) {
	t.Cut()
	if !t.batched {
		// It was staged when the transfer was posted, so the next time may be another's.
		t.Post[Undirected].add(us)
		return
	}
	t.post, t.has = us, hasPost
}

func (t *Tally) timed(us uint64) {
	if t.has != hasPost {
		t.Cut()
	}
	t.time, t.has = us, t.has|hasTime
}

func (t *Tally) sized(d Direction, size uint64) {
	t.Size[d].add(size)
	if t.has&hasTime != 0 && t.time > 0 {
		t.Throughput[d].add(perSecond(size, t.time))
	}
	t.directed(d)
}

// directed says which way the transfer went that is being pieced together, if there is one, and ends it.
func (t *Tally) directed(d Direction) {
	if t.has == 0 {
		return
	}
	if t.has&hasPost != 0 {
		t.Post[d].add(t.post)
	}
	if t.has&hasTime != 0 {
		t.Duration[d].add(t.time)
	}
	t.has = 0
}

// perSecond is size/us in bytes per second, at most what fits.
func perSecond(size, us uint64) uint64 {
	high, low := bits.Mul64(size, 1e6)
	if high >= us {
		return 1<<64 - 1
	}
	rate, _ := bits.Div64(high, low, us)
	return rate
}

// Save returns what the tally has counted. The transfer that is being pieced together is not in it.
func (t *Tally) Save() ([]byte, error) { return json.Marshal(t) }

// Restore returns a tally for rings of a layout that goes on from what was saved.
func Restore(l Layout, raw []byte) (*Tally, error) {
	t := NewTally(l)
	if err := json.Unmarshal(raw, t); err != nil {
		return nil, fmt.Errorf("saved tally: %w", err)
	}
	for _, set := range [][]Histogram{t.Duration[:], t.Post[:], t.Size[:], t.Throughput[:]} {
		for _, h := range set {
			if len(h.Counts) != len(h.Bounds)+1 {
				return nil, fmt.Errorf("saved tally: a histogram must have %d buckets (got %d)", len(h.Bounds)+1, len(h.Counts))
			}
		}
	}
	return t, nil
}
