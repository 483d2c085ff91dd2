package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// maxGPUs bounds the GPUs that are read: twice what the largest host has.
const maxGPUs = 64

// finder looks for the GPUs of one session. Each GPU is asked who it is on a thread of its own, for one that is sick may hold the
// call up.
type finder struct {
	manager *manager
	lib     gpu.Library
	system  gpu.System
	stale   chan error // from the workers
}

// probe asks one GPU who it is. One that is held up outlives its session, and there is no second for its GPU meanwhile.
type probe struct {
	of     *finder
	done   chan struct{}
	device gpu.Device
	id     gpu.Identity
	err    error
}

// find starts a worker for each GPU that has none and ends those whose GPU is gone.
func (f *finder) find(ctx context.Context) error {
	m := f.manager
	m.guard.enter(gpu.Find)
	n, err := f.lib.Count()
	m.guard.leave()
	if err != nil {
		return sessionError(err)
	}
	if n == 0 {
		f.leave(nil)
		return errNoGPU
	}
	n = min(n, maxGPUs)
	for i := range n {
		if p := m.probes[i]; p == nil || p.of != f && p.answered() {
			m.probes[i] = f.start(i)
		}
	}
	found, problems := f.answers(ctx, n)
	for _, p := range found {
		f.meet(ctx, p)
	}
	if len(problems) == 0 {
		f.leave(found)
	}
	return errors.Join(problems...)
}

// sessionError marks errors after which NVML must be initialised.
func sessionError(err error) error {
	switch gpu.CodeOf(err) {
	case gpu.Uninitialized, gpu.DriverNotLoaded, gpu.VersionMismatch:
		return fmt.Errorf("%w: %w", errStale, err)
	default:
		return err
	}
}

func (f *finder) start(index int) *probe {
	p := &probe{of: f, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if p.device, p.err = f.lib.ByIndex(index); p.err == nil {
			p.id, p.err = p.device.Identity()
		}
	}()
	return p
}

// answers waits for the probes, at most for call_timeout. One that is held up stays under way and is looked at the next time.
func (f *finder) answers(ctx context.Context, n int) (found []*probe, problems []error) {
	limit := f.manager.shop.cfg.CallTimeout
	late, stop := newDeadline(f.manager.shop.clock, limit)
	defer stop()
	for i := range n {
		p := f.manager.probes[i]
		if _, ok := await(ctx, p.done, nil, late); !ok || p.of != f {
			problems = append(problems, fmt.Errorf("GPU %d: %s has not returned for more than %s", i, gpu.Find, limit))
			continue
		}
		delete(f.manager.probes, i)
		if p.err != nil {
			problems = append(problems, fmt.Errorf("GPU %d: %w", i, sessionError(p.err)))
			continue
		}
		found = append(found, p)
	}
	return found, problems
}

// meet gives a GPU a worker if it has none. One whose old worker is held up in the library gets no other thread.
func (f *finder) meet(ctx context.Context, p *probe) {
	m := f.manager
	for _, w := range m.all() {
		if w.id.UUID != p.id.UUID {
			continue
		}
		if !w.ended() {
			return
		}
		m.remove(w)
	}
	m.add(ctx, m.shop.newWorker(f, p))
}

// leave ends the workers whose GPU was not found.
func (f *finder) leave(found []*probe) {
	here := make(map[string]bool, len(found))
	for _, p := range found {
		here[p.id.UUID] = true
	}
	for _, w := range f.manager.all() {
		if !here[w.id.UUID] {
			f.manager.dismiss(w)
		}
	}
}

func (p *probe) answered() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
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
