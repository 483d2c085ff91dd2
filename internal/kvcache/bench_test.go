package kvcache

import (
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time of this process: on a busy machine it says more than the clock on the wall.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStep is a steady state of a million resident blocks: each iteration stores a prompt of 32 new blocks below a sequence of 32
// that is found, and removes as many.
func BenchmarkStep(b *testing.B) {
	set := testSettings()
	set.MemoryLimit = 64 << 20
	x := NewIndex(set, true)
	const run, live = 32, 1_000_000
	hashes := make([]uint64, run)
	fill := func(n uint64) {
		for j := range hashes {
			hashes[j] = mix(n*run + uint64(j))
		}
	}
	n := uint64(0)
	step := func() {
		x.At(float64(n) / 100)
		fill(n)
		parent := mix((n-n/2)*run + run - 1)
		x.Store(Stored{Hashes: hashes, Parent: parent, HasParent: n%2 == 1, Tokens: 16})
		if n >= live/run {
			fill(n - live/run)
			x.Remove(hashes, GPU, 0)
		}
		n++
	}
	for range 2 * live / run {
		step()
	}
	b.ReportAllocs()
	began := cpu()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.N)*run/(cpu()-began).Seconds(), "blocks/cpu-s")
}

// BenchmarkTouch finds a sequence of 1,000 blocks again and again among a million.
func BenchmarkTouch(b *testing.B) {
	set := testSettings()
	set.MemoryLimit = 64 << 20
	x := NewIndex(set, true)
	hashes := make([]uint64, 1000)
	for n := range uint64(1000) {
		for j := range hashes {
			hashes[j] = mix(n*1000 + uint64(j))
		}
		x.At(float64(n))
		x.Store(Stored{Hashes: hashes, Tokens: 16})
	}
	last, now := uint64(0), 1e4
	one := make([]uint64, 1)
	b.ReportAllocs()
	began := cpu()
	for b.Loop() {
		last++
		now += 100
		x.At(now)
		one[0] = last
		x.Store(Stored{Hashes: one, Parent: mix(last%1000*1000 + 999), HasParent: true, Tokens: 16})
		x.EndBatch()
		x.Remove(one, GPU, 0)
	}
	b.ReportMetric(float64(b.N)*1000/(cpu()-began).Seconds(), "references/cpu-s")
}

// BenchmarkFleet has a worker of a fleet store a block and another evict one, among eight that hold 20,000 each of which half are
// in the sample.
func BenchmarkFleet(b *testing.B) {
	f := NewFleet(4 << 20 / FleetBlockBytes)
	const live = 160_000
	n := uint64(0)
	step := func() {
		key := mix(n)
		if f.others(key) == 0 {
			f.arrive(key, 16)
		}
		if n >= live {
			f.leave(mix(n - live))
		}
		n++
	}
	for range 2 * live {
		step()
	}
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}
