//go:build cgo && linux

package nvmlreceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// BenchmarkCalls is no benchmark of time: it reports NVML calls per GPU and second, while a receiver runs for b.N collections.
func BenchmarkCalls(b *testing.B) {
	for _, c := range []struct {
		model    string
		preset   Preset
		sampling time.Duration
	}{
		{"h100", PresetMinimal, 100 * time.Millisecond},
		{"h100", PresetDefault, 20 * time.Millisecond},
		{"h100", PresetDefault, 100 * time.Millisecond},
		{"h100", PresetDefault, time.Second},
		{"h100", PresetFull, 20 * time.Millisecond},
		{"h100", PresetFull, 100 * time.Millisecond},
		{"h100", PresetFull, time.Second},
		{"a100", PresetDefault, 100 * time.Millisecond},
	} {
		b.Run(fmt.Sprintf("%s/%s/%s", c.model, c.preset, c.sampling), func(b *testing.B) {
			bench := newBench(b, template(b, c.model, 1), busy())
			r := bench.observe(func(cfg *Config) {
				cfg.Preset, cfg.SamplingInterval, cfg.CollectionInterval, cfg.DiscoveryInterval = c.preset, c.sampling, time.Second, 30*time.Second
			})
			r.batches(2)
			before, begin := total(bench.state.Calls()), time.Now()
			r.batches(max(b.N, 4))
			b.ReportMetric(float64(total(bench.state.Calls())-before)/time.Since(begin).Seconds(), "calls/s")
		})
	}
}

func total(calls map[string]uint64) (n uint64) {
	for _, c := range calls {
		n += c
	}
	return n
}

// A receiver that has run for a while takes no more memory than before. The points are taken by a sink that keeps none.
func TestMemoryStaysFlat(t *testing.T) {
	b := newBench(t, template(t, "h100", 8), busy())
	r := b.observe(func(c *Config) {
		everything(c)
		c.SamplingInterval, c.CollectionInterval, c.DiscoveryInterval = 20*time.Millisecond, 100*time.Millisecond, time.Second
	})
	settle := func(collections int) uint64 {
		for range collections / 5 {
			r.batches(5)
			r.metrics.Reset()
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	settle(10)
	before, goroutines := settle(10), runtime.NumGoroutine()
	rss := residentAnon(t)
	after := settle(25)
	assert.Less(t, float64(after), 1.15*float64(before)+1<<20, "heap")
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+2)
	assert.Less(t, float64(residentAnon(t)), 1.2*float64(rss)+16<<20, "resident memory")
}

// residentAnon is RssAnon of this process in bytes.
func residentAnon(t *testing.T) int {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(os.Getpid()), "status"))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return kb << 10
		}
	}
	t.Fatal("no RssAnon")
	return 0
}
