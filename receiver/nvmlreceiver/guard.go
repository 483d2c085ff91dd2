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

// watch guards a thread that waits for events inside the library, on and on: it is held up when no step of the wait comes back.
type watch struct {
	guard
	pulse gpu.Pulse
	seen  uint32 // beats at the last look; of the thread that looks
}

func newWatch(c clock) *watch { return &watch{guard: guard{clock: c, epoch: c.Now()}} }

// stop ends the wait after its step, and all later ones.
func (w *watch) stop() { w.pulse.Stop.Store(1) }

// blocked is the guard's, for one thread that looks now and then.
func (w *watch) blocked(limit time.Duration) (gpu.Question, bool) {
	if beats := w.pulse.Beats.Load(); beats != w.seen {
		w.seen = beats
		if since := w.since.Load(); since != 0 {
			w.since.CompareAndSwap(since, w.now()) // else it has left
		}
	}
	return w.guard.blocked(limit)
}
