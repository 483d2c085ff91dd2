package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// maxGPUs bounds the GPUs that are read: twice what the largest host has.
const maxGPUs = 64

// finder looks for the GPUs while NVML is initialised. Each GPU is asked who it is on a thread of its own, for one that is sick may
// hold the call up.
type finder struct {
	manager *manager
	lib     gpu.Library
	system  gpu.System
	stale   chan error // from the workers
}

// probe asks one GPU who it is. One that is held up outlives its finder, and there is no second for its GPU meanwhile.
type probe struct {
	of     *finder
	guard  *guard
	done   chan struct{}
	device gpu.Device
	id     gpu.Identity
	err    error
}

// find starts a worker for each GPU that has none and ends those whose GPU is gone.
func (f *finder) find(ctx context.Context) error {
	m := f.manager
	m.sweep()
	m.guard.enter(gpu.Find)
	n, err := f.lib.Count()
	m.guard.leave()
	if err != nil {
		return staleError(err)
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

// staleError marks errors after which NVML must be initialised.
func staleError(err error) error {
	if broken, _ := brokenError(err); errors.Is(broken, errStale) {
		return broken
	}
	return err
}

func (f *finder) start(index int) *probe {
	p := &probe{of: f, guard: newGuard(f.manager.shop.clock), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.guard.enter(gpu.Find)
		defer p.guard.leave()
		if p.device, p.err = f.lib.ByIndex(index); p.err == nil {
			p.id, p.err = identify(p.device, p.guard)
		}
	}()
	return p
}

// answers waits until each probe has answered or is held up. One that is held up stays under way and is looked at the next time.
func (f *finder) answers(ctx context.Context, n int) (found []*probe, problems []error) {
	limit := f.manager.shop.cfg.CallTimeout
	looks, stop := f.manager.shop.clock.Ticks(limit / 4)
	defer stop()
	for i := range n {
		p := f.manager.probes[i]
		if !p.await(ctx, limit, looks) || p.of != f {
			problems = append(problems, fmt.Errorf("GPU %d: %s has not returned for more than %s", i, gpu.Find, limit))
			continue
		}
		delete(f.manager.probes, i)
		if p.err != nil {
			problems = append(problems, fmt.Errorf("GPU %d: %w", i, staleError(p.err)))
			continue
		}
		found = append(found, p)
	}
	return found, problems
}

// await waits for the answer as long as no call takes longer than limit.
func (p *probe) await(ctx context.Context, limit time.Duration, looks <-chan time.Time) (answered bool) {
	for {
		select {
		case <-p.done:
			return true
		case <-ctx.Done():
			return p.answered()
		case <-looks:
			if _, held := p.guard.blocked(limit); held {
				return p.answered()
			}
		}
	}
}

// meet gives a GPU a worker if it has none. One whose old worker is still inside the library gets no other thread, and its sums no
// other writer: it stays failed until that one has ended.
func (f *finder) meet(ctx context.Context, p *probe) {
	m := f.manager
	if w := m.worker(p.id.UUID); w != nil {
		w.id.Store(&p.id) // its index may be another
		return
	}
	if !m.lingers(p.id.UUID) {
		m.add(ctx, m.shop.newWorker(f, p))
	}
}

// leave ends the workers whose GPU was not found.
func (f *finder) leave(found []*probe) {
	here := make(map[string]bool, len(found))
	for _, p := range found {
		here[p.id.UUID] = true
	}
	for _, w := range f.manager.all() {
		if !here[w.uuid] {
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
