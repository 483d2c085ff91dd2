package nixl

import (
	"sync/atomic"
	"testing"
	"unsafe"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

// filled is a ring of V4 with n events waiting, most of them of transfers, and its read position.
func filled(b *testing.B, n int) *agent {
	a := start(b, sim.Options{Capacity: 4096})
	for range n / 4 {
		a.Transfer(sim.Transfer{Write: true, Bytes: 1 << 20, Duration: 250_000, Post: 12_000})
	}
	a.flush()
	return a
}

// counters adds values up by type: the least that a reader can do with events.
type counters [knownTypes]uint64

func (c *counters) Take(events []Event) {
	for i := range events {
		if e := &events[i]; int(e.Type) < len(c) {
			c[e.Type] += e.Value
		}
	}
}

func (c *counters) Cut() {}

const waiting = 4000

// BenchmarkDrain compares, over the same mapping: a bare loop that adds up the values by type, the reader with a sink that does
// the same, and the reader with its tally, which pieces transfers together and fills their histograms. Each takes 4000 events out of a
// ring; x-bare is its time over that of the bare loop in the same run. It fails when an event is lost.
func BenchmarkDrain(b *testing.B) {
	a := filled(b, waiting)
	r := consume(b, a.Path())
	rewind := func() {
		atomic.StoreUint64(r.word(r.form.readPos), 0)
		r.last, r.cursor = 0, 0
	}
	var bare float64 // ns/event, once the bare loop has run
	run := func(name string, drain func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(waiting * 16)
			for b.Loop() {
				rewind()
				drain()
			}
			each := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / waiting
			b.ReportMetric(each, "ns/event")
			if bare == 0 || name == "bare loop" {
				bare = each
			}
			b.ReportMetric(each/bare, "x-bare")
		})
	}
	var sums counters
	run("bare loop", func() {
		read, write := atomic.LoadUint64(r.word(8)), atomic.LoadUint64(r.word(0))
		for ; read != write; read = (read + 1) & (r.geo.Capacity - 1) {
			e := (*Event)(unsafe.Pointer(&r.mem[headerSize+16*read]))
			if int(e.Type) < len(sums) {
				sums[e.Type] += e.Value
			}
		}
		atomic.StoreUint64(r.word(8), read)
	})
	scratch := new(Scratch)
	drain := func(to Sink) func() {
		return func() {
			if p, err := r.Poll(scratch, to); err != nil || p.Read != waiting || p.Overwritten > 0 || p.Full {
				b.Fatalf("all of %d events must be read (got %+v, %v)", waiting, p, err)
			}
		}
	}
	run("reader", drain(&sums))
	run("reader and tally", drain(NewTally(V4)))
}

// BenchmarkIdle polls a ring in which nothing happens.
func BenchmarkIdle(b *testing.B) {
	r := consume(b, start(b, sim.Options{}).Path())
	scratch, tally := new(Scratch), NewTally(V4)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Poll(scratch, tally); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStore reads a store.
func BenchmarkStore(b *testing.B) {
	s := openStore(b, startStore(b, sim.StoreOptions{}).Path())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Read(); err != nil {
			b.Fatal(err)
		}
	}
}
