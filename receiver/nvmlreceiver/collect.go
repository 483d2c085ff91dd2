package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// collect reads every GPU and waits for those that answer within limit. One that is slower has its page in a later collection; one
// that is held up in the library, and those that are gone, have the status failed. Only one goroutine collects.
func (m *manager) collect(ctx context.Context, limit time.Duration) pmetric.Metrics {
	out := pmetric.NewMetrics()
	workers := m.all()
	for _, w := range workers {
		if !w.asked {
			w.asked = true
			w.requests <- struct{}{} // there is room: the last request was answered
		}
	}
	late, stop := newDeadline(m.shop.clock, limit)
	defer stop()
	for _, w := range workers {
		m.take(ctx, out, w, late)
	}
	for _, id := range m.absent() {
		m.shop.failed(out, id, m.shop.clock.Now())
	}
	return out
}

// take waits for a worker's page, but not for one that is held up.
func (m *manager) take(ctx context.Context, out pmetric.Metrics, w *worker, late *deadline) {
	wait := late
	if m.held(w) {
		wait = &deadline{passed: true}
	}
	page, ok := await(ctx, w.pages, w.done, wait)
	switch {
	case ok:
		w.asked = false
		page.ResourceMetrics().MoveAndAppendTo(out.ResourceMetrics())
	case m.held(w):
		m.shop.failed(out, w.identity(), m.shop.clock.Now())
	}
}

// held says whether the worker's readings are held up in the library.
func (m *manager) held(w *worker) bool {
	_, held := w.guard.blocked(m.shop.cfg.CallTimeout)
	return held
}

// check reports the threads that are held up in the library, and how many there are.
func (m *manager) check() (blocked int) {
	limit := m.shop.cfg.CallTimeout
	held := func(blockedFor func(time.Duration) (gpu.Question, bool), limit time.Duration) error {
		q, is := blockedFor(limit)
		if !is {
			return nil
		}
		blocked++
		return fmt.Errorf("%s has not returned for more than %s", q, limit)
	}
	if err := held(m.guard.blocked, limit); err != nil {
		m.tell.trouble(subjectNVML, err)
	}
	for _, w := range m.everyone() {
		err := held(w.guard.blocked, limit)
		if watch := held(w.watch.blocked, limit+eventWait); err == nil {
			err = watch
		}
		if err != nil || !w.lost.Load() {
			m.tell.trouble(w.uuid, err)
		}
	}
	return blocked
}

// blocked says which call of the manager's own thread is held up.
func (m *manager) blocked() (gpu.Question, bool) { return m.guard.blocked(m.shop.cfg.CallTimeout) }
