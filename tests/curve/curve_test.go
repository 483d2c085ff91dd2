package curve

import (
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// mostExponent is how steeply cost may grow with workers: 1 is in proportion.
const mostExponent = 1.1

// sizes are gateways of one worker to ten thousand; fleets have up to fifty.
var sizes = []struct{ fleets, each int }{{1, 1}, {1, 10}, {2, 50}, {20, 50}, {200, 50}}

// cost is what the components of a gateway took for some intervals.
type cost struct {
	workers, points    int
	allocations, bytes float64
	cpu                time.Duration // of the thread that consumes; garbage is collected on others
	heap               uint64        // that is live after them
}

// measure has warmUp intervals, in which workers are met, and then as many as are counted.
func measure(tb testing.TB, fleets, each, warmUp, counted int) (c cost) {
	g := newGateway(tb, fleets, each, warmUp+counted)
	for range warmUp {
		g.send(tb, func(consume func()) { consume() })
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.workers = fleets * each
	var before, after runtime.MemStats
	for range counted {
		c.points += g.send(tb, func(consume func()) {
			runtime.ReadMemStats(&before)
			began := threadTime(tb)
			consume()
			c.cpu += threadTime(tb) - began
			runtime.ReadMemStats(&after)
			c.allocations += float64(after.Mallocs - before.Mallocs)
			c.bytes += float64(after.TotalAlloc - before.TotalAlloc)
		})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	c.heap = after.HeapAlloc
	runtime.KeepAlive(g)
	return c
}

func threadTime(tb testing.TB) time.Duration {
	var t unix.Timespec
	require.NoError(tb, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}

// exponent is the slope of the line through the logarithms: cost grows with workers to that power.
func exponent(all []cost, of func(cost) float64) float64 {
	var n, x, y, xx, xy float64
	for _, c := range all {
		lx, ly := math.Log(float64(c.workers)), math.Log(of(c))
		n, x, y, xx, xy = n+1, x+lx, y+ly, xx+lx*lx, xy+lx*ly
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// TestCostGrowsWithWorkersInProportion by what is allocated, which does not depend on the machine.
func TestCostGrowsWithWorkersInProportion(t *testing.T) {
	var all []cost
	for _, s := range sizes[1:4] {
		c := measure(t, s.fleets, s.each, 2, 2)
		t.Logf("%d workers: %.2f allocations, %.0f bytes a point", c.workers, c.allocations/float64(c.points), c.bytes/float64(c.points))
		all = append(all, c)
	}
	assert.Less(t, exponent(all, func(c cost) float64 { return c.allocations }), mostExponent, "allocations")
	assert.Less(t, exponent(all, func(c cost) float64 { return c.bytes }), mostExponent, "bytes")
}

// TestTheExponentIsThatOfTheCost of what grows in proportion, and as the square.
func TestTheExponentIsThatOfTheCost(t *testing.T) {
	all := []cost{{workers: 10}, {workers: 100}, {workers: 1000}}
	assert.InDelta(t, 1, exponent(all, func(c cost) float64 { return 7 * float64(c.workers) }), 1e-9)
	assert.InDelta(t, 2, exponent(all, func(c cost) float64 { return 7 * float64(c.workers) * float64(c.workers) }), 1e-9)
}

// TestCurve prints the table of docs/performance.md; it asserts nothing of time.
func TestCurve(t *testing.T) {
	if os.Getenv("CURVE") == "" {
		t.Skip("prints figures for docs/performance.md: make curve-gateway")
	}
	var all []cost
	for _, s := range sizes {
		c := measure(t, s.fleets, s.each, 2, 2)
		t.Logf("| %d | %.2f | %.1f | %.0f | %.1f |", c.workers, float64(c.cpu.Microseconds())/float64(c.points), c.allocations/float64(c.points),
			c.bytes/float64(c.points), float64(c.heap)/float64(c.workers)/1000)
		all = append(all, c)
	}
	t.Logf("exponents: CPU %.3f, allocations %.3f, bytes %.3f", exponent(all, func(c cost) float64 { return c.cpu.Seconds() }),
		exponent(all, func(c cost) float64 { return c.allocations }), exponent(all, func(c cost) float64 { return c.bytes }))
}
