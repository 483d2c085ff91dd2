package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// shop is what all workers share.
type shop struct {
	cfg     *Config
	plan    *plan
	words   *vocabulary
	clock   clock
	beat    *metronome // of the samples
	tell    *reporter
	ledgers *ledgers
	join    *joiner
	xid     func(context.Context, gpu.Event, gpu.Identity, *ledger) // takes an XID
}

// emit makes the pages of the GPU and of its MIG devices.
func (w *worker) emit(out pmetric.Metrics, now time.Time) {
	s, id := w.shop, w.identity()
	p := newPage(out, s.words, id, "")
	e := emitter{reader: w.gpu, page: p, at: now}
	e.all()
	s.join.emit(&e, id)
	if s.plan.on[signal.HWStatus] {
		putHealth(p, w.gpu.health(), w.gpu.ledger.since, now)
	}
	if s.plan.on[signal.GPUInfo] {
		w.info(p, id, now)
	}
	for _, m := range w.migs {
		if m.gone {
			continue
		}
		e := emitter{reader: m, page: newPage(out, s.words, m.id, id.UUID), at: now}
		e.all()
		s.join.emit(&e, id)
	}
}

func (w *worker) info(p *page, id gpu.Identity, now time.Time) {
	dp := p.point(signal.GPUInfo, time.Time{}, now)
	dp.SetIntValue(1)
	a := dp.Attributes()
	for _, fact := range []struct{ key, value string }{
		{signal.AttrHWDriverVersion, w.system.DriverVersion}, {signal.AttrNVMLVersion, w.system.NVMLVersion},
		{signal.AttrCUDAVersion, w.system.CUDAVersion}, {signal.AttrGPUArchitecture, id.Architecture},
	} {
		if fact.value != "" {
			a.PutStr(fact.key, fact.value)
		}
	}
	if id.Index >= 0 {
		a.PutInt(signal.AttrGPUIndex, int64(id.Index))
	}
	a.PutBool(signal.AttrGPUMIG, len(w.migs) > 0)
}

// putHealth emits one point for each state.
func putHealth(p *page, is health, start, now time.Time) {
	for _, h := range healths() {
		value := int64(0)
		if h == is {
			value = 1
		}
		p.integer(signal.HWStatus, value, start, now, signal.AttrHWState, string(h))
	}
}

// failed makes the page of a GPU that does not answer: its status is all that is known.
func (s *shop) failed(out pmetric.Metrics, id gpu.Identity, now time.Time) {
	if !s.plan.on[signal.HWStatus] {
		return
	}
	putHealth(newPage(out, s.words, id, ""), healthFailed, s.ledgers.since(id.UUID, now), now)
}
