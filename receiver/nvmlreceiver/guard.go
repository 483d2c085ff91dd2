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
}

func newGuard(c clock) *guard { return &guard{clock: c, epoch: c.Now()} }

func (g *guard) enter(q gpu.Question) {
	g.what.Store(uint32(q))
	g.since.Store(max(int64(g.clock.Now().Sub(g.epoch)), 1))
}

func (g *guard) leave() { g.since.Store(0) }

// blocked says for how long the thread has been in a call, and in which, when that is longer than limit.
func (g *guard) blocked(limit time.Duration) (time.Duration, gpu.Question, bool) {
	since := g.since.Load()
	if since == 0 {
		return 0, 0, false
	}
	d := g.clock.Now().Sub(g.epoch) - time.Duration(since)
	return d, gpu.Question(g.what.Load()), d > limit
}
