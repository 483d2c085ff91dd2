package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
)

// Errors of a poll. After either, the next poll tries again.
var (
	// ErrChanged is a ring whose writer has made, or is making, it anew: see Ring.Reattach.
	ErrChanged = errors.New("the ring was made anew")
	// ErrPosition is a position outside of the ring.
	ErrPosition = errors.New("a position lies outside of the ring")
)

// Sink takes events in their order.
type Sink interface {
	// Take gets events that follow each other. They are good until it returns.
	Take([]Event)
	// Cut says that events may be missing at this place.
	Cut()
}

// Polled is what a poll found.
type Polled struct {
	Read int // events handed to the sink
	// Overwritten events were there but may have been written over while they were read; only a foreign consumer makes that happen.
	Overwritten int
	Waiting     uint64 // events that no consumer had taken, before this poll
	Left        uint64 // events that this poll has not come to
	Full        bool   // the ring filled up: what the agent exported since is lost, without a count
	Moved       bool   // another reader moved the read position
	Restarted   bool   // the writer began anew at slot 0; nothing was read yet
}

// Poll hands the events that have come since the last poll to the sink, at most 65536 of them, and as the consumer then frees their slots. It allocates
// nothing. A consumer that finds another reader at work leaves the read position alone from then on and should be Released.
func (r *Ring) Poll(s *Scratch, to Sink) (p Polled, err error) {
	if r.mem == nil {
		return p, ErrChanged
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer r.recoverFault(&err)
	if !r.intact() {
		return p, ErrChanged
	}
	mask := r.geo.Capacity - 1
	read, write := atomic.LoadUint64(r.word(r.form.readPos)), atomic.LoadUint64(r.word(writePosAt))
	if read > mask || write > mask {
		return p, fmt.Errorf("%w: read %d, write %d, capacity %d", ErrPosition, read, write, r.geo.Capacity)
	}
	p.Waiting = (write - read) & mask
	if r.follow(read, write, &p); p.Restarted {
		return p, nil
	}
	r.notice(&p, mask)
	if write == r.cursor {
		return p, nil
	}
	if p.Full {
		r.cutAt(write)
	}
	end := write
	if unread := (write - r.cursor) & mask; unread > maxRead {
		p.Left, end = unread-maxRead, (r.cursor+maxRead)&mask
	}
	if !r.read(s, to, end, write, &p) {
		return p, nil
	}
	if r.owned && !r.foreign {
		if (atomic.LoadUint64(r.word(writePosAt))-read)&mask == mask && mask > 0 && !p.Full {
			p.Full = true
			r.cutAt((read - 1) & mask)
		}
		r.advance()
	}
	return p, nil
}

// cutAt takes note that events may be missing before a slot. A ring fills at most once in each poll, so that there are few.
func (r *Ring) cutAt(slot uint64) {
	if n := len(r.cuts); n == 0 || r.cuts[n-1] != slot {
		r.cuts = append(r.cuts, slot)
	}
}

// intact says whether the header still has the shape that the ring was opened with.
func (r *Ring) intact() bool {
	return atomic.LoadInt32(r.half(versionAt)) == r.geo.Version && atomic.LoadUint64(r.word(r.form.capacity)) == r.geo.Capacity &&
		atomic.LoadUint64(r.word(r.form.mask)) == r.geo.Capacity-1
}

// follow takes note of a read position that someone else changed. A writer that begins anew puts it to 0; so may another reader, by
// chance, which does no harm unless one was seen before. While nobody takes events, their number cannot fall either.
func (r *Ring) follow(read, write uint64, p *Polled) {
	mask := r.geo.Capacity - 1
	switch {
	case read == r.last && (write-read)&mask >= (r.cursor-read)&mask:
		return
	case read == r.last && r.foreign:
		return // the cursor of an observer may lag behind what the consumer took
	case read == r.last || read == 0 && !r.foreign:
		p.Restarted = true
		r.last, r.cursor, r.cuts, r.full = read, read, r.cuts[:0], false
	default:
		p.Moved = true
		r.last, r.foreign = read, true
	}
}

// notice counts a full ring: at each poll as the consumer, which empties it each time, else when it becomes so.
func (r *Ring) notice(p *Polled, mask uint64) {
	full := mask > 0 && p.Waiting == mask
	p.Full = full && (r.owned && !r.foreign || !r.full)
	r.full = full
}

// read hands the events from the cursor up to stop to the sink, in pieces that neither wrap nor cross a cut. It says whether it
// came there; if not, the next poll finds out why. write is the write position as it was.
func (r *Ring) read(s *Scratch, to Sink, stop, write uint64, p *Polled) bool {
	for at := r.cursor; at != stop; {
		if len(r.cuts) > 0 && at == r.cuts[0] {
			to.Cut()
			r.cuts = slices.Delete(r.cuts, 0, 1)
		}
		end := stop
		if stop < at {
			end = r.geo.Capacity
		}
		if len(r.cuts) > 0 && r.cuts[0] > at && r.cuts[0] < end {
			end = r.cuts[0]
		}
		n := min(end-at, chunk)
		events := s.events[:n]
		r.form.decode(events, r.mem[r.form.header+r.form.event*int(at):][:r.form.event*int(n)])
		// A writer that begins anew voids what was just read, and so does one that a foreign consumer lets overtake.
		if !r.intact() || !r.foreign && atomic.LoadUint64(r.word(r.form.readPos)) != r.last {
			return false
		}
		skip := r.overtaken(at, n, write)
		if skip > 0 {
			to.Cut()
		}
		p.Overwritten += int(skip)
		p.Read += int(n - skip)
		to.Take(events[skip:])
		at = (at + n) & (r.geo.Capacity - 1)
		r.cursor = at
	}
	return true
}

// overtaken says how many of the n events from slot at may have been written over since write was read.
func (r *Ring) overtaken(at, n, write uint64) uint64 {
	if !r.foreign {
		return 0
	}
	mask := r.geo.Capacity - 1
	// The slot of the write position itself may be half written.
	ahead := (atomic.LoadUint64(r.word(writePosAt))-write)&mask + 1
	if room := r.geo.Capacity - (write-at)&mask; ahead > room {
		return min(ahead-room, n)
	}
	return 0
}

// advance tells the writer what was read. If someone else moved the position meanwhile, it stays as it is, and the next poll sees it.
func (r *Ring) advance() {
	if atomic.CompareAndSwapUint64(r.word(r.form.readPos), r.last, r.cursor) {
		r.last = r.cursor
	}
}

// recoverFault turns the fault of reading a file that was cut short under its mapping into ErrChanged.
func (r *Ring) recoverFault(err *error) {
	if fault := asFault(recover()); fault != nil {
		*err = fmt.Errorf("%w: %w", ErrChanged, fault)
	}
}

// guard runs f, and returns the fault of a mapping as an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := asFault(recover()); fault != nil {
			err = fmt.Errorf("%w: %w", ErrChanged, fault)
		}
	}()
	return f()
}

// asFault lets every panic but that of a memory access through.
func asFault(r any) error {
	if r == nil {
		return nil
	}
	fault, ok := r.(runtime.Error)
	if _, addressed := r.(interface{ Addr() uintptr }); !ok || !addressed {
		panic(r)
	}
	return fault
}
