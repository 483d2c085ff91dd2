package main

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// clock is the wall clock.
type clock interface {
	Now() time.Time
	// Ticker fires every d until stop is called.
	Ticker(d time.Duration) (ticks <-chan time.Time, stop func())
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Ticker(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// tick is how often the simulation catches up with the clock when nobody asks; every request brings it up to date as well.
const tick = 20 * time.Millisecond

// stride is the simulated time advanced at once when running as fast as possible, so that requests are served in between.
const stride = time.Second

// driver moves a fleet along with the clock. It is safe for concurrent use.
type driver struct {
	clock clock
	speed float64       // simulated seconds per second; 0: as fast as possible
	limit time.Duration // simulated end; 0: none
	start time.Time

	mu    sync.Mutex
	fleet *fleetsim.Fleet
	err   error
}

// advance moves the fleet to simulated time t, or to the end, and reports whether that was the end. The lock is held.
func (d *driver) advance(t time.Duration) bool {
	over := d.limit > 0 && t >= d.limit
	if over {
		t = d.limit
	}
	if err := d.fleet.Advance(t); err != nil && d.err == nil {
		d.err = err
	}
	return over || d.err != nil || d.fleet.Done()
}

// catchUp brings the fleet to the time the clock shows. The lock is held.
func (d *driver) catchUp() bool {
	if d.speed == 0 {
		return false
	}
	elapsed := d.clock.Now().Sub(d.start)
	return d.advance(time.Duration(float64(elapsed) * d.speed))
}

// run moves the fleet until the end of the simulation or of the context, and returns the workload's error if there was one.
func (d *driver) run(ctx context.Context) error {
	if d.speed == 0 {
		return d.sprint(ctx)
	}
	ticks, stop := d.clock.Ticker(tick)
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

// metrics is the page of a worker now.
func (d *driver) metrics(worker int) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.catchUp()
	var b bytes.Buffer
	err := d.fleet.WriteMetrics(worker, &b)
	return b.Bytes(), err
}

// truth is the ledger now, as JSON.
func (d *driver) truth() ([]byte, error) {
	d.mu.Lock()
	d.catchUp()
	ledger := d.fleet.Ledger()
	d.mu.Unlock()
	b, err := json.MarshalIndent(ledger, "", "  ")
	return append(b, '\n'), err
}
