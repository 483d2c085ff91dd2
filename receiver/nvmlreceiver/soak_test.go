//go:build cgo && linux

package nvmlreceiver

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

// soaking is how long the soak lasts: NVML_SOAK, or a few seconds.
func soaking(t *testing.T) time.Duration {
	text := os.Getenv("NVML_SOAK")
	if text == "" {
		return 5 * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, "NVML_SOAK")
	return d
}

// A receiver that has run for a while, with faults of every kind now and then, takes no more memory, goroutines or references than
// before, and has all GPUs back when the faults end. NVML_SOAK=10m soaks for that long. The sink keeps nothing.
func TestMemoryStaysFlat(t *testing.T) {
	const gpus = 8
	b := newBench(t, template(t, "h100", gpus), busy())
	r := b.observeMetrics(func(c *Config) {
		everything(c)
		c.SamplingInterval, c.CollectionInterval, c.DiscoveryInterval, c.CallTimeout = 20*time.Millisecond, 100*time.Millisecond, time.Second, 200*time.Millisecond
	})
	random := rand.New(rand.NewPCG(9, 9))
	cycle := func() {
		for range 8 {
			b.mischief(random)
			r.batches(2)
			r.metrics.Reset()
		}
		require.NoError(t, b.state.ClearFaults())
		require.NoError(t, b.state.SetDeviceCount(gpus))
	}
	settle := func() (heap uint64, goroutines int) {
		require.Eventually(t, func() bool {
			defer r.metrics.Reset()
			whole := map[string]int{}
			for s := range r.last() {
				whole[s.device]++
			}
			for _, n := range whole {
				if n < 80 {
					return false
				}
			}
			return len(whole) == gpus
		}, 3*lastRetry, 200*time.Millisecond, "all GPUs are back")
		r.log.TakeAll() // what the test keeps is not the receiver's
		r.telemetry.SpanRecorder.Reset()
		r.host.forget()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, runtime.NumGoroutine()
	}
	settle()
	cycle()
	heap, goroutines := settle()
	rss := residentAnon(t)
	for end := time.Now().Add(soaking(t)); time.Now().Before(end); {
		cycle()
	}
	after, later := settle()
	t.Logf("heap %d -> %d B, resident %d -> %d B, goroutines %d -> %d", heap, after, rss, residentAnon(t), goroutines, later)
	assert.Less(t, float64(after), float64(heap)+512<<10, "heap")
	assert.LessOrEqual(t, later, goroutines+1)
	assert.Less(t, float64(residentAnon(t)), float64(rss)+8<<20, "resident memory")
}

func (h *statusHost) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = nil
}

// mischief sets a fault, or pulls a GPU, or clears all that.
func (b *bench) mischief(random *rand.Rand) {
	functions := sim.Functions()
	device := random.IntN(8)
	switch random.IntN(6) {
	case 0:
		require.NoError(b.t, b.state.SetDeviceCount(1+random.IntN(8)))
	case 1:
		require.NoError(b.t, b.state.ClearFaults())
	case 2:
		b.fault(device, functions[random.IntN(len(functions))], sim.Fault{Delay: time.Duration(random.IntN(400)) * time.Millisecond})
	case 3:
		b.fault(device, sim.AllFunctions, sim.Fault{Return: sim.GPUIsLost})
	default:
		answers := []sim.Return{sim.NoPermission, sim.InvalidArgument, sim.NotFound, sim.Timeout, sim.Unknown, sim.NoData, sim.ResetRequired}
		b.fault(device, functions[random.IntN(len(functions))], sim.Fault{Return: answers[random.IntN(len(answers))]})
	}
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
