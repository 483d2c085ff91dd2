package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// incarnation is what a worker's resource tells of its present life: an engine that begins again behind the same address has others.
// "" and 0 where not told.
type incarnation struct {
	role, pod, container string
	pid                  int64
	steps                int64 // of this machine's clock until it was seen first
}

func incarnationOf(resource pcommon.Resource) (i incarnation) {
	for key, v := range resource.Attributes().All() {
		switch key {
		case signal.AttrRole:
			i.role = v.Str()
		case signal.AttrK8sPodUID:
			i.pod = v.Str()
		case signal.AttrContainerID:
			i.container = v.Str()
		case signal.AttrProcessPID:
			i.pid = v.Int()
		}
	}
	return i
}

// becomes reports whether the later one is another life. What either does not tell says nothing: the resources of one worker need not
// all tell the same.
func (i incarnation) becomes(later incarnation) bool {
	other := func(a, b string) bool { return a != "" && b != "" && a != b }
	return other(i.role, later.role) || other(i.pod, later.pod) || other(i.container, later.container) ||
		i.pid != 0 && later.pid != 0 && i.pid != later.pid || i.steps != later.steps
}

// find returns the worker that a resource speaks of, made at first sight, or nil when there is no room. One whose engine began another
// life gives way to a new one: what is derived has the new resource from then on, with sums that begin anew, and joins and spans look for the
// new one. What was learnt of its steps stays until its configuration differs. When the clock of this machine was set, windows before and
// after are not of one axis, and every worker gives way likewise.
func (p *phaseAttribution) find(ctx context.Context, id derive.WorkerID, resource pcommon.Resource, now time.Time, derived pmetric.Metrics) *worker {
	life := incarnationOf(resource)
	life.steps = p.steps.Count()
	if w := p.workers.Find(id); w != nil && !w.life.becomes(life) {
		return w
	}
	p.births.Lock()
	defer p.births.Unlock()
	old := p.workers.Find(id)
	if old != nil && !old.life.becomes(life) {
		return old // made meanwhile
	}
	if old == nil && p.workers.Full() {
		p.telemetry.ProcessorPhaseAttributionRejected.Add(ctx, 1)
		return nil
	}
	w := newWorker(p.cfg, p.table, p.inputs, &p.book, p.hooks(ctx, id), resource)
	w.life = life
	w.seen = now // nobody forgets it before its first page is read
	if old == nil {
		p.snapshots.Load(ctx, id.Key(), w.restore)
	} else {
		old.finish(now, derived)
		w.inherit(old)
		p.joins.remove(old)
		p.board.remove(old.posting)
	}
	p.joins.add(w)
	p.board.add(w.posting)
	p.workers.Put(id, w)
	return w
}

// end finishes the windows that are open and marks the gauges as no longer recorded.
func (w *worker) end(now time.Time, out pmetric.Metrics) {
	w.silent = true
	if win, ok := w.aligner.Flush(); ok {
		w.estimate(win, out)
	}
	if !w.gauges.Empty() {
		newBuilder(w, pcommon.NewTimestampFromTime(now), out).Finish()
	}
}

// finish is end for who does not hold the lock.
func (w *worker) finish(now time.Time, out pmetric.Metrics) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(now, out)
}

// inherit takes over what another worker, of which nobody will hear again, has learnt. Its roofline waits for the GPUs to be joined again.
func (w *worker) inherit(old *worker) {
	old.mu.Lock()
	defer old.mu.Unlock()
	w.engine, w.tiers, w.clocks.fit, w.clocks.seen, w.spending.pricers = old.engine, old.tiers, old.clocks.fit, old.clocks.seen, old.spending.pricers
	w.tiers.keep()
	w.deploy()
	// Who still holds the old one must not write what is another's now.
	old.tiers = newTiers(float64(w.cfg.MaxNumBatchedTokens))
	old.spending.forget()
}
