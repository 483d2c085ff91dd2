package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// departedFor is how long a GPU that was there and is no longer found has the status failed.
const departedFor = 10 * time.Minute

// errNoGPU means that NVML works and finds nothing.
var errNoGPU = errors.New("NVML finds no GPU")

// manager initialises NVML, finds the GPUs and gives each a worker; and does all that again when NVML says so.
type manager struct {
	shop *shop
	open func() gpu.Library // for each session anew
	tell *reporter

	guard   *guard         // of the thread that initialises
	probes  map[int]*probe // of that thread, by index; those under way
	threads sync.WaitGroup // the workers

	mu       sync.Mutex
	workers  map[string]*worker  // by UUID; those that are read
	leaving  []*worker           // told to end, and maybe still inside the library
	departed map[string]departed // GPUs that were there
}

type departed struct {
	id gpu.Identity
	at time.Time
}

func newManager(s *shop, open func() gpu.Library) *manager {
	return &manager{
		shop: s, open: open, tell: s.tell, guard: newGuard(s.clock), probes: make(map[int]*probe),
		workers: make(map[string]*worker), departed: make(map[string]departed),
	}
}

// run keeps a session up until ctx ends. first gets how the first attempt went.
func (m *manager) run(ctx context.Context, first chan<- error) {
	told := false
	wait := firstRetry
	for ctx.Err() == nil {
		began := m.shop.clock.Now()
		err := m.session(ctx, func(err error) {
			if !told {
				told = true
				first <- err
			}
			m.tell.trouble(subjectNVML, err)
		})
		if ctx.Err() != nil {
			return
		}
		m.tell.trouble(subjectNVML, err)
		if m.shop.clock.Now().Sub(began) > 2*lastRetry {
			wait = firstRetry // it had worked
		}
		m.pause(ctx, wait)
		wait = min(2*wait, lastRetry)
	}
}

func (m *manager) pause(ctx context.Context, d time.Duration) {
	again, stop := m.shop.clock.After(d)
	defer stop()
	select {
	case <-ctx.Done():
	case <-again:
	}
}

// session initialises NVML and follows the GPUs until ctx ends or NVML must be initialised anew. opened gets how it begins, once.
func (m *manager) session(ctx context.Context, opened func(error)) error {
	lib := m.open()
	m.guard.enter(gpu.Init)
	err := lib.Open()
	m.guard.leave()
	if err != nil {
		opened(err)
		return err
	}
	m.tell.telemetry.ReceiverNvmlInitializations.Add(ctx, 1)
	f := &finder{manager: m, lib: lib, stale: make(chan error, 1)}
	inside, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		m.closeSession(f)
	}()
	m.guard.enter(gpu.Find)
	f.system = lib.System()
	m.guard.leave()

	err = f.find(inside)
	opened(err)
	if errors.Is(err, errStale) || errors.Is(err, errNoGPU) {
		return err // an initialisation may find what came since
	}
	look, stop := m.shop.clock.Ticks(m.shop.cfg.DiscoveryInterval)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-f.stale:
			return err
		case <-look:
			err := f.find(inside)
			m.tell.trouble(subjectNVML, err)
			if errors.Is(err, errStale) || errors.Is(err, errNoGPU) {
				return err
			}
		}
	}
}

// closeSession ends the workers and gives the library back, unless a thread is still inside it: then the library stays as it is
// until the process ends, and the GPU in question gets no other thread.
func (m *manager) closeSession(f *finder) {
	late, stop := newDeadline(m.shop.clock, shutdownGrace)
	defer stop()
	free := m.quiet()
	for _, w := range append(m.all(), m.takeLeaving()...) {
		if _, ended := await(context.Background(), w.done, nil, late); ended {
			m.remove(w)
		} else {
			free = false
		}
	}
	if !free {
		return
	}
	m.guard.enter(gpu.Init)
	err := f.lib.Close()
	m.guard.leave()
	if err != nil {
		m.tell.logger.Sugar().Debugf("NVML cannot be closed: %v", err)
	}
}

// shutdownGrace is how long the threads have to leave the library: an event wait may be under way.
const shutdownGrace = eventWait + time.Second

func (m *manager) all() []*worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.workers))
}

func (m *manager) add(ctx context.Context, w *worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.workers[w.id.UUID] = w
	delete(m.departed, w.id.UUID)
	ctx, w.stop = context.WithCancel(ctx)
	m.threads.Go(func() { w.run(ctx) })
}

// dismiss ends the worker of a GPU that is gone. The GPU stays known for a while.
func (m *manager) dismiss(w *worker) {
	w.stop()
	m.remove(w)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.departed[w.id.UUID] = departed{w.id, m.shop.clock.Now()}
	m.leaving = slices.DeleteFunc(append(m.leaving, w), func(w *worker) bool { return w.ended() })
}

func (m *manager) takeLeaving() []*worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.leaving
	m.leaving = nil
	return all
}

// remove forgets a worker.
func (m *manager) remove(w *worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.workers[w.id.UUID] == w {
		delete(m.workers, w.id.UUID)
	}
	m.tell.trouble(w.id.UUID, nil)
}

// collect reads every GPU and waits for those that answer within limit. The others, and those that are gone, have the status failed.
func (m *manager) collect(ctx context.Context, limit time.Duration) pmetric.Metrics {
	out := pmetric.NewMetrics()
	workers := m.all()
	slices.SortFunc(workers, func(a, b *worker) int { return a.id.Index - b.id.Index })
	replies := make([]chan pmetric.Metrics, len(workers))
	for i, w := range workers {
		replies[i] = make(chan pmetric.Metrics, 1)
		if _, held := w.blocked(m.shop.cfg.CallTimeout); held {
			continue // nothing will come
		}
		select {
		case w.requests <- replies[i]:
		default: // the last request still waits
		}
	}
	late, stop := newDeadline(m.shop.clock, limit)
	defer stop()
	for i, w := range workers {
		page, ok := await(ctx, replies[i], w.done, late)
		switch {
		case ok:
			page.ResourceMetrics().MoveAndAppendTo(out.ResourceMetrics())
		case !w.ended():
			m.shop.failed(out, w.id, m.shop.clock.Now())
		}
	}
	m.emitDeparted(out)
	return out
}

func (m *manager) emitDeparted(out pmetric.Metrics) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.shop.clock.Now()
	for _, uuid := range sortedKeys(m.departed) {
		d := m.departed[uuid]
		if now.Sub(d.at) > departedFor {
			delete(m.departed, uuid)
			continue
		}
		m.shop.failed(out, d.id, now)
	}
}

// check reports the threads that are held up in the library, and how many there are.
func (m *manager) check() (blocked int) {
	limit := m.shop.cfg.CallTimeout
	held := func(subject string, q gpu.Question) {
		blocked++
		m.tell.trouble(subject, fmt.Errorf("%s has not returned for more than %s", q, limit))
	}
	if q, is := m.guard.blocked(limit); is {
		held(subjectNVML, q)
	}
	for _, w := range m.all() {
		if q, is := w.blocked(limit); is {
			held(w.id.UUID, q)
		} else if !w.lost.Load() {
			m.tell.trouble(w.id.UUID, nil)
		}
	}
	return blocked
}
