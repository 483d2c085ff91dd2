package derive

import (
	"context"
	"sync"
	"time"
)

// Clock is what processors know of wall time; tests drive it by hand.
type Clock interface {
	Now() time.Time
	// Ticks returns a channel that delivers every d, and a function that ends it.
	Ticks(d time.Duration) (<-chan time.Time, func())
}

// Sweeper looks after what fell silent, by the clock. The zero value is ready.
type Sweeper struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

// Start has sweep called every d until Stop, with the values of ctx and not its end.
func (s *Sweeper) Start(ctx context.Context, clock Clock, d time.Duration, sweep func(context.Context)) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	ticks, end := clock.Ticks(d)
	s.done.Go(func() {
		defer end()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				sweep(ctx)
			}
		}
	})
}

// Stop waits for the sweep that is on and has none follow. It reports whether there was anything to stop.
func (s *Sweeper) Stop() bool {
	if s.stop == nil {
		return false
	}
	s.stop()
	s.stop = nil
	s.done.Wait()
	return true
}
