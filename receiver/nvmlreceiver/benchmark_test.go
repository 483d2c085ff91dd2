//go:build cgo && linux

package nvmlreceiver

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// mallocsOf counts the allocations of f alone.
func mallocsOf(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

// The sampling loop makes no garbage, with values as without.
func TestSamplingDoesNotAllocate(t *testing.T) {
	for _, model := range []string{"h100", "a100"} {
		t.Run(model, func(t *testing.T) {
			d := newDesk(t, model, nil)
			var worst uint64
			for range 50 {
				d.work(200*time.Millisecond, busy())
				for range 3 { // only the first finds something new
					worst = max(worst, mallocsOf(func() { d.reader.sampler.tick(true) }))
				}
			}
			assert.Zero(t, worst)
			assert.NotZero(t, d.reader.ledger.samples.gpm.n+d.reader.ledger.samples.driver.n)
		})
	}
}

// BenchmarkSample is one tick of the sampling loop with the stub's GPU behind it: the receiver's own cost, not a driver's.
func BenchmarkSample(b *testing.B) {
	for _, model := range []string{"h100", "a100"} {
		b.Run(model, func(b *testing.B) {
			d := newDesk(b, model, nil)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				d.work(200*time.Millisecond, busy())
				b.StartTimer()
				if !d.reader.sampler.tick(true) {
					b.Fatal(d.reader.sampler.gpmErr)
				}
			}
		})
	}
}

// BenchmarkCollect is one collection of one GPU: every question of the preset, and the page.
func BenchmarkCollect(b *testing.B) {
	for _, preset := range presets() {
		b.Run(string(preset), func(b *testing.B) {
			d := newDesk(b, "h100", func(c *Config) { c.Preset = preset })
			d.work(time.Second, busy())
			b.ReportAllocs()
			for b.Loop() {
				d.clock.advance(time.Millisecond)
				d.collectPage()
			}
		})
	}
}
