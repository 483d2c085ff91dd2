package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
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
	id     gpu.Identity
	system gpu.System
	guard  *guard // of the sampling thread
	watch  *guard // of the event thread
	stop   context.CancelFunc

	requests     chan chan<- pmetric.Metrics // one collection each
	reconfigured chan struct{}               // the set of MIG devices changed
	stale        chan<- error                // NVML must be initialised
	done         chan struct{}               // the threads have ended
	lost         atomic.Bool

	// Of the sampling thread.
	gpu     *reader
	migs    []*reader
	retryAt time.Time
	retry   time.Duration
}

// shop is what all workers share.
type shop struct {
	cfg     *Config
	plan    *plan
	words   *vocabulary
	clock   clock
	tell    *reporter
	ledgers *ledgers
	join    *joiner
	xid     func(context.Context, gpu.Event, gpu.Identity) // takes an XID
}

func (s *shop) newWorker(f *finder, p *probe) *worker {
	w := &worker{
		shop: s, lib: f.lib, id: p.id, system: f.system, guard: newGuard(s.clock), watch: newGuard(s.clock),
		requests: make(chan chan<- pmetric.Metrics, 1), reconfigured: make(chan struct{}, 1), stale: f.stale, done: make(chan struct{}),
	}
	w.gpu = w.reader(p.device, p.id)
	return w
}

func (w *worker) reader(d gpu.Device, id gpu.Identity) *reader {
	return newReader(d, id, w.shop.plan, w.shop.clock, w.guard, w.shop.ledgers.get(id.UUID, w.shop.clock.Now()), w.shop.tell)
}

// run reads until ctx ends.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
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
			ticks, stop := w.shop.clock.Ticks(w.shop.cfg.SamplingInterval)
			defer stop() // once
			samples = ticks
		}
		select {
		case <-ctx.Done():
			return
		case <-samples:
			w.note(w.sample())
		case reply := <-w.requests:
			reply <- w.collect()
		case <-look:
			w.note(w.findInstances())
		case <-w.reconfigured:
			w.note(w.findInstances())
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

// findInstances follows the set of MIG devices.
func (w *worker) findInstances() error {
	if w.lost.Load() || w.gpu.off[gpu.Instances] {
		return nil
	}
	w.guard.enter(gpu.Instances)
	found, err := w.gpu.device.Instances()
	w.guard.leave()
	if ok, err := w.gpu.judge(gpu.Instances, err); !ok {
		return err
	}
	before := make(map[string]*reader, len(w.migs))
	for _, m := range w.migs {
		before[m.id.UUID] = m
	}
	w.migs = nil
	defer func() {
		for _, gone := range before {
			gone.close()
		}
	}()
	for _, d := range found {
		w.guard.enter(gpu.Find)
		id, err := d.Identity()
		w.guard.leave()
		if ok, err := w.gpu.judge(gpu.Find, err); err != nil {
			return err
		} else if !ok {
			continue
		}
		m := before[id.UUID]
		delete(before, id.UUID)
		if m != nil {
			w.migs = append(w.migs, m)
			continue
		}
		m = w.reader(d, id)
		w.migs = append(w.migs, m)
		if err := m.open(); err != nil {
			return err
		}
	}
	return w.divide(len(w.migs) > 0)
}

// divide takes whether the GPU has MIG devices. It answers other questions then, so it is asked all of them anew.
func (w *worker) divide(divided bool) error {
	if w.gpu.divided == divided {
		return nil
	}
	w.gpu.close()
	w.gpu = w.reader(w.gpu.device, w.id)
	w.gpu.divided = divided
	return w.gpu.open()
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
	if err := w.gpu.sample(false); err != nil {
		return err
	}
	for _, m := range w.migs {
		if err := m.sample(false); err != nil {
			return err
		}
	}
	return nil
}

// collect reads everything and makes a page for each device.
func (w *worker) collect() pmetric.Metrics {
	out := pmetric.NewMetrics()
	if w.lost.Load() {
		w.note(w.revive())
	}
	var err error
	if !w.lost.Load() {
		err = w.read()
		w.note(err)
	}
	now := w.shop.clock.Now()
	if w.lost.Load() || err != nil {
		w.shop.failed(out, w.id, now)
		return out
	}
	w.emit(out, now)
	return out
}

func (w *worker) read() error {
	if err := w.gpu.collect(); err != nil {
		return err
	}
	for _, m := range w.migs {
		if err := m.collect(); err != nil {
			return err
		}
	}
	return nil
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
			w.retry, w.retryAt = firstRetry, w.shop.clock.Now().Add(firstRetry)
		}
		w.shop.tell.trouble(w.id.UUID, err)
	}
}

// revive looks whether a lost GPU is there again, now and then.
func (w *worker) revive() error {
	now := w.shop.clock.Now()
	if now.Before(w.retryAt) {
		return nil
	}
	w.retry = min(2*w.retry, lastRetry)
	w.retryAt = now.Add(w.retry)
	w.guard.enter(gpu.Find)
	d, err := w.lib.ByUUID(w.id.UUID)
	if err == nil {
		_, err = d.Identity()
	}
	w.guard.leave()
	if err != nil {
		return nil //nolint:nilerr // still lost
	}
	w.close()
	w.gpu = w.reader(d, w.id)
	w.lost.Store(false)
	err = w.open()
	if err == nil {
		w.shop.tell.trouble(w.id.UUID, nil)
	}
	return err
}

// close ends the sampling.
func (w *worker) close() {
	w.guard.enter(gpu.GPM)
	defer w.guard.leave()
	w.gpu.close()
	for _, m := range w.migs {
		m.close()
	}
	w.migs = nil
}

// blocked says which call of the worker is held up for too long.
func (w *worker) blocked(limit time.Duration) (gpu.Question, bool) {
	if q, is := w.guard.blocked(limit); is {
		return q, true
	}
	return w.watch.blocked(limit + eventWait)
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
