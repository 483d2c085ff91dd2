package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"sync/atomic"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// guard marks when a thread is inside the library, where it can neither be interrupted nor asked. The thread enters and leaves;
// others look.
type guard struct {
	clock clock
	epoch time.Time
	since atomic.Int64  // nanoseconds after epoch, at least 1; 0 outside
	what  atomic.Uint32 // gpu.Question of the last call

	longest time.Duration // call since the thread set it to 0; the thread's own
}

func newGuard(c clock) *guard { return &guard{clock: c, epoch: c.Now()} }

// enter marks the begin of a call, and the end of one before it.
func (g *guard) enter(q gpu.Question) {
	g.leave()
	g.what.Store(uint32(q))
	g.since.Store(g.now())
}

func (g *guard) leave() {
	if since := g.since.Swap(0); since != 0 {
		g.longest = max(g.longest, time.Duration(g.now()-since))
	}
}

func (g *guard) now() int64 { return max(int64(g.clock.Now().Sub(g.epoch)), 1) }

// blocked says whether the thread has been in a call for longer than limit, and in which.
func (g *guard) blocked(limit time.Duration) (gpu.Question, bool) {
	since := g.since.Load()
	return gpu.Question(g.what.Load()), since != 0 && time.Duration(g.now()-since) > limit
}
