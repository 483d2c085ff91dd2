package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// Times between attempts to reach a GPU that is lost, or a library that cannot be initialised: doubled from the first to the last.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// worker reads one GPU and its MIG devices in a goroutine of its own. Inside the library a goroutine has a thread to itself, so a GPU
// on which calls block holds up itself only.
type worker struct {
	shop   *shop
	lib    gpu.Library
	uuid   string
	id     atomic.Pointer[gpu.Identity] // all but the UUID may change
	system gpu.System
	ledger *ledger
	guard  *guard // of the sampling thread
	watch  *watch // of the event thread
	stop   context.CancelFunc

	requests     chan struct{}        // one collection each
	pages        chan pmetric.Metrics // the answer to each
	asked        bool                 // a page is awaited; the collector's own
	reconfigured chan struct{}        // the set of MIG devices changed
	stale        chan<- error         // NVML must be initialised
	done         chan struct{}        // the threads have ended
	lost         atomic.Bool

	// Of the sampling thread.
	gpu     *reader
	migs    []*reader
	retryAt time.Time
	retry   time.Duration // 0 while the GPU answers
}

func (s *shop) newWorker(f *finder, p *probe) *worker {
	w := &worker{
		shop: s, lib: f.lib, uuid: p.id.UUID, system: f.system, ledger: s.ledgers.take(p.id.UUID, s.clock.Now()),
		guard: newGuard(s.clock), watch: newWatch(s.clock),
		requests: make(chan struct{}, 1), pages: make(chan pmetric.Metrics, 1), reconfigured: make(chan struct{}, 1),
		stale: f.stale, done: make(chan struct{}),
	}
	w.id.Store(&p.id)
	w.gpu = w.reader(p.device)
	return w
}

// identity is who the GPU is, as of the last look for GPUs.
func (w *worker) identity() gpu.Identity { return *w.id.Load() }

// reader reads the GPU itself.
func (w *worker) reader(d gpu.Device) *reader {
	return newReader(d, w.identity(), w.shop.plan, w.shop.clock, w.guard, w.ledger, w.shop.tell)
}

// run reads until ctx ends.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	defer func() { w.shop.ledgers.giveBack(w.uuid, w.shop.clock.Now()) }()
	events := make(chan struct{})
	go func() {
		defer close(events)
		if w.shop.plan.events {
			w.wait(ctx)
		}
	}()
	defer func() { <-events }()
	defer w.close()

	w.note(w.open())
	look, stop := w.shop.clock.Ticks(w.shop.cfg.DiscoveryInterval)
	defer stop()
	var samples <-chan time.Time
	for {
		if samples == nil && w.sampling() {
			ticks, stop := w.shop.beat.follow()
			defer stop() // once
			samples = ticks
		}
		select {
		case <-ctx.Done():
			return
		case <-samples:
			w.note(w.sample())
		case <-w.requests:
			w.pages <- w.collect() // there is room: one page is asked for at a time
		case <-look:
			w.look()
		case <-w.reconfigured:
			w.look()
		}
	}
}

// open begins to read the GPU, and its MIG devices if it has any.
func (w *worker) open() error {
	if err := w.gpu.open(); err != nil {
		return err
	}
	return w.findInstances()
}

// sampling says whether there is anything to sample.
func (w *worker) sampling() bool {
	return w.gpu.sampler.active() || slices.ContainsFunc(w.migs, func(m *reader) bool { return m.sampler.active() })
}

// sample takes a sample of each device.
func (w *worker) sample() error {
	if w.lost.Load() {
		return w.revive()
	}
	return w.each(func(r *reader) error { return r.sample(false) })
}

// collect reads everything and makes a page for each device.
func (w *worker) collect() pmetric.Metrics {
	out := pmetric.NewMetrics()
	w.guard.longest = 0
	var err error
	if w.lost.Load() {
		err = w.revive()
	} else {
		err = w.read()
	}
	w.note(err)
	now := w.shop.clock.Now()
	switch {
	case w.lost.Load() || err != nil:
		w.shop.failed(out, w.identity(), now)
	case w.guard.longest > w.shop.cfg.CallTimeout: // what was read before that call is old
	default:
		w.emit(out, now)
	}
	return out
}

// read collects of each device. The GPU answers when it says so.
func (w *worker) read() error {
	err := w.each((*reader).collect)
	if err == nil {
		w.retry = 0
	}
	return err
}

// each does something with the GPU and with each of its MIG devices. One that is gone is looked for soon.
func (w *worker) each(do func(*reader) error) error {
	if err := do(w.gpu); err != nil {
		return err
	}
	for _, m := range w.migs {
		if m.gone {
			continue
		}
		err := do(m)
		if m.gone = errors.Is(err, errGone); m.gone {
			w.lookAgain()
		} else if err != nil {
			return err
		}
	}
	return nil
}

// lookAgain has the sampling thread look for MIG devices.
func (w *worker) lookAgain() {
	select {
	case w.reconfigured <- struct{}{}:
	default:
	}
}

// note takes what a call said of the GPU.
func (w *worker) note(err error) {
	switch {
	case errors.Is(err, errStale):
		select {
		case w.stale <- err:
		default:
		}
	case errors.Is(err, errLost):
		if !w.lost.Swap(true) {
			w.retry = min(max(firstRetry, 2*w.retry), lastRetry)
			w.retryAt = w.shop.clock.Now().Add(w.retry)
		}
		w.shop.tell.trouble(w.uuid, err)
	}
}

// revive looks whether a lost GPU answers again, now and then.
func (w *worker) revive() error {
	now := w.shop.clock.Now()
	if now.Before(w.retryAt) {
		return nil
	}
	w.retry = min(2*w.retry, lastRetry)
	w.retryAt = now.Add(w.retry)
	w.guard.enter(gpu.Find)
	d, err := w.lib.ByUUID(w.uuid)
	if err == nil {
		_, err = identify(d, w.guard)
	}
	w.guard.leave()
	if err != nil {
		if broken, _ := brokenError(err); errors.Is(broken, errStale) {
			return broken
		}
		w.shop.tell.trouble(w.uuid, fmt.Errorf("%w: %w", errLost, err))
		return nil //nolint:nilerr // still lost
	}
	w.close()
	w.gpu = w.reader(d)
	if err := w.open(); err != nil {
		return err
	}
	if err := w.read(); err != nil {
		return err
	}
	w.lost.Store(false)
	w.shop.tell.trouble(w.uuid, nil)
	return nil
}

// close ends the sampling.
func (w *worker) close() {
	w.guard.enter(gpu.GPM)
	defer w.guard.leave()
	w.gpu.close()
	for _, m := range w.migs {
		w.closeInstance(m)
	}
	w.migs = nil
}

// ended says whether the worker's threads have left the library for good.
func (w *worker) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}
