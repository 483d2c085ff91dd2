package live

import (
	"context"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// tick is how often the simulation catches up with the clock when nobody asks; every request brings it up to date as well.
const tick = 20 * time.Millisecond

// stride is the simulated time advanced at once when running as fast as possible, so that requests are served in between.
const stride = time.Second

// driver moves a fleet along with the clock. It is safe for concurrent use: whoever touches the
// fleet holds its lock, and Lock brings the fleet up to date first.
type driver struct {
	clock Clock
	speed float64       // simulated seconds per second; 0: as fast as possible
	limit time.Duration // simulated end; 0: none
	start time.Time

	mu    sync.Mutex
	fleet *fleetsim.Fleet
	moved []func(now time.Duration) error
	err   error
}

// Lock takes the fleet and brings it up to date. With Unlock it makes the driver a sync.Locker for those who read pages.
func (d *driver) Lock() {
	d.mu.Lock()
	d.catchUp()
}

// Unlock gives the fleet back.
func (d *driver) Unlock() { d.mu.Unlock() }

// schedule has something happen at a simulated time, inside the fleet's Advance. What it returns ends the run. The lock is held.
func (d *driver) schedule(at time.Duration, do func() error) error {
	return d.fleet.At(at, func() { d.fail(do()) })
}

// onMove has f called with the time reached after every move, the lock held.
func (d *driver) onMove(f func(now time.Duration) error) { d.moved = append(d.moved, f) }

// advance moves the fleet to simulated time t, or to the end, and reports whether that was the end. The lock is held.
func (d *driver) advance(t time.Duration) bool {
	over := d.limit > 0 && t >= d.limit
	if over {
		t = d.limit
	}
	d.move(t)
	return over || d.err != nil || d.fleet.Done()
}

func (d *driver) move(t time.Duration) {
	if d.err == nil {
		d.fail(d.fleet.Advance(t))
	}
	for _, f := range d.moved {
		d.fail(f(d.fleet.Now()))
	}
}

// fail ends the run because of an error, if it is the first. The lock is held.
func (d *driver) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// now is the wall time of the simulated time reached. The lock is held, or nothing runs yet.
func (d *driver) now() time.Time {
	if d.fleet == nil {
		return d.start
	}
	return d.wall(d.fleet.Now())
}

// catchUp brings the fleet to the time the clock shows. The lock is held.
func (d *driver) catchUp() bool {
	if d.speed == 0 {
		return false
	}
	elapsed := d.clock.Now().Sub(d.start)
	return d.advance(time.Duration(float64(elapsed) * d.speed))
}

// run moves the fleet until the end of the simulation or of the context, and returns what went wrong in the workload or an event.
func (d *driver) run(ctx context.Context) error {
	if d.speed == 0 {
		return d.sprint(ctx)
	}
	ticks, stop := d.clock.Ticks(tick)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
		}
		d.mu.Lock()
		over, err := d.catchUp(), d.err
		d.mu.Unlock()
		if over {
			return err
		}
	}
}

// sprint runs as fast as possible.
func (d *driver) sprint(ctx context.Context) error {
	for ctx.Err() == nil {
		d.mu.Lock()
		over, err := d.advance(d.fleet.Now()+stride), d.err
		d.mu.Unlock()
		if over {
			return err
		}
	}
	return nil
}

// wall is the wall time of a simulated time.
func (d *driver) wall(at time.Duration) time.Time { return d.start.Add(at) }
