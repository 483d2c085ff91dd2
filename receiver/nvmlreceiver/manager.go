package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// errNoGPU means that NVML works and finds nothing.
var errNoGPU = errors.New("NVML finds no GPU")

// manager initialises NVML, finds the GPUs and gives each a worker; and does all that again when NVML says so.
type manager struct {
	shop *shop
	open func() gpu.Library // another each time
	tell *reporter

	guard   *guard         // of the thread that initialises
	lib     gpu.Library    // that is initialised, or nil; that thread's own
	probes  map[int]*probe // of that thread, by index; those under way
	threads sync.WaitGroup // the workers

	crew
}

func newManager(s *shop, open func() gpu.Library) *manager {
	return &manager{
		shop: s, open: open, tell: s.tell, guard: newGuard(s.clock), probes: make(map[int]*probe),
		crew: crew{clock: s.clock, tell: s.tell, workers: make(map[string]*worker), departed: make(map[string]departed)},
	}
}

// run keeps NVML initialised until ctx ends. first gets how the first attempt went.
func (m *manager) run(ctx context.Context, first chan<- error) {
	told := false
	wait := firstRetry
	for ctx.Err() == nil {
		began := m.shop.clock.Now()
		err := m.lifetime(ctx, func(err error) {
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

// lifetime initialises NVML and follows the GPUs until ctx ends or NVML must be initialised anew. opened gets how it begins, once.
func (m *manager) lifetime(ctx context.Context, opened func(error)) error {
	if err := m.initialise(ctx); err != nil {
		opened(err)
		return err
	}
	f := &finder{manager: m, lib: m.lib, stale: make(chan error, 1)}
	inside, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		m.end()
	}()
	m.guard.enter(gpu.Find)
	f.system = m.lib.System()
	m.guard.leave()

	err := f.find(inside)
	opened(err)
	if errors.Is(err, errStale) || errors.Is(err, errNoGPU) {
		return err // an initialisation may find what came since
	}
	m.attend()
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

// initialise opens the library, unless a thread that was inside has kept it open: NVML counts its users, and only the first of them
// initialises it, so another would do nothing.
func (m *manager) initialise(ctx context.Context) error {
	m.settle()
	if m.lib != nil {
		return nil
	}
	lib := m.open()
	err := lib.Open(func() { m.guard.enter(gpu.Init) })
	m.guard.leave()
	if err != nil {
		return err
	}
	m.lib = lib
	m.tell.telemetry.ReceiverNvmlInitializations.Add(ctx, 1)
	return nil
}

// end ends the workers and gives the library back. Until NVML works again their GPUs have failed.
func (m *manager) end() {
	late, stop := newDeadline(m.shop.clock, shutdownGrace)
	defer stop()
	m.abandon()
	for _, w := range m.all() {
		w.stop()
	}
	for _, w := range m.everyone() {
		await(context.Background(), w.done, nil, late)
	}
	for _, w := range m.all() {
		m.dismiss(w)
	}
	m.settle()
}

// settle gives the library back unless a thread is still inside it. Then it stays as it is until that thread has left.
func (m *manager) settle() {
	if m.lib == nil || !m.quiet() || m.sweep() > 0 {
		return
	}
	m.guard.enter(gpu.Init)
	err := m.lib.Close()
	m.guard.leave()
	m.lib = nil
	if err != nil {
		m.tell.logger.Sugar().Debugf("NVML cannot be closed: %v", err)
	}
}

// quiet says whether no probe is inside the library.
func (m *manager) quiet() bool {
	for _, p := range m.probes {
		if !p.answered() {
			return false
		}
	}
	return true
}

// shutdownGrace is how long the threads have to leave the library: an event wait may be under way.
const shutdownGrace = eventWait + time.Second

func (m *manager) add(ctx context.Context, w *worker) {
	ctx, w.stop = context.WithCancel(ctx)
	m.hire(w)
	m.threads.Go(func() { w.run(ctx) })
}
