package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// Bounds of what is remembered of devices that are gone.
const (
	maxLedgers   = 1024
	forgetLedger = time.Hour
)

// ledgers remembers what was summed up of each device, by UUID.
type ledgers struct {
	mu     sync.Mutex
	byUUID map[string]*ledgerEntry
}

type ledgerEntry struct {
	ledger *ledger
	usedAt time.Time
}

func newLedgers() *ledgers { return &ledgers{byUUID: make(map[string]*ledgerEntry)} }

// get returns the ledger of a device; a new one when the device is new or was gone for long.
func (l *ledgers) get(uuid string, now time.Time) *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byUUID[uuid]
	if e == nil {
		if len(l.byUUID) >= maxLedgers {
			l.forget(now)
		}
		e = &ledgerEntry{ledger: newLedger(now)}
		l.byUUID[uuid] = e
	}
	e.usedAt = now
	return e.ledger
}

// forget drops the ledgers that nobody asked for in a while. One that is still in use lives on with its reader.
func (l *ledgers) forget(now time.Time) {
	for uuid, e := range l.byUUID {
		if now.Sub(e.usedAt) > forgetLedger {
			delete(l.byUUID, uuid)
		}
	}
}

// emit makes the pages of the GPU and of its MIG devices.
func (w *worker) emit(out pmetric.Metrics, now time.Time) {
	s := w.shop
	p := newPage(out, s.words, w.id, "")
	e := emitter{reader: w.gpu, page: p, at: now}
	e.all()
	s.join.emit(&e, w.id)
	if s.plan.on[signal.HWStatus] {
		putHealth(p, w.gpu.health(), w.gpu.ledger.since, now)
	}
	if s.plan.on[signal.GPUInfo] {
		w.info(p, now)
	}
	for _, m := range w.migs {
		e := emitter{reader: m, page: newPage(out, s.words, m.id, w.id.UUID), at: now}
		e.all()
		s.join.emit(&e, w.id)
	}
}

func (w *worker) info(p *page, now time.Time) {
	dp := p.point(signal.GPUInfo, time.Time{}, now)
	dp.SetIntValue(1)
	a := dp.Attributes()
	for _, fact := range []struct{ key, value string }{
		{signal.AttrHWDriverVersion, w.system.DriverVersion}, {signal.AttrNVMLVersion, w.system.NVMLVersion},
		{signal.AttrCUDAVersion, w.system.CUDAVersion}, {signal.AttrGPUArchitecture, w.id.Architecture},
	} {
		if fact.value != "" {
			a.PutStr(fact.key, fact.value)
		}
	}
	if w.id.Index >= 0 {
		a.PutInt(signal.AttrGPUIndex, int64(w.id.Index))
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
	putHealth(newPage(out, s.words, id, ""), healthFailed, s.ledgers.get(id.UUID, now).since, now)
}
