package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"errors"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// look follows the set of MIG devices, unless the GPU is lost.
func (w *worker) look() {
	if !w.lost.Load() {
		w.note(w.findInstances())
	}
}

// findInstances follows the set of MIG devices.
func (w *worker) findInstances() error {
	if !w.shop.plan.instances || !w.gpu.due(gpu.Instances) {
		return nil
	}
	w.guard.enter(gpu.Instances)
	mig, found, err := w.gpu.device.Instances()
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
			w.closeInstance(gone)
		}
	}()
	for _, d := range found {
		id, err := identify(d, w.guard)
		if broken, is := brokenError(err); is {
			return broken
		} else if err != nil {
			w.shop.tell.failed(w.uuid, gpu.Find, err)
			continue
		}
		m := before[id.UUID]
		if m == nil || m.gone {
			m = w.instance(d, id)
		} else {
			delete(before, id.UUID)
		}
		w.migs = append(w.migs, m)
		if err := m.open(); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	return w.divide(mig, len(w.migs) > 0)
}

// instance reads a MIG device.
func (w *worker) instance(d gpu.Device, id gpu.Identity) *reader {
	l := w.shop.ledgers.take(id.UUID, w.shop.clock.Now())
	return newReader(d, id, w.shop.plan, w.shop.clock, w.guard, l, w.shop.tell)
}

func (w *worker) closeInstance(m *reader) {
	m.close()
	w.shop.ledgers.giveBack(m.id.UUID, w.shop.clock.Now())
}

// divide takes whether the GPU is in MIG mode and has MIG devices. With either change it answers other questions, so it is asked all of
// them anew: what it did not support in MIG mode it does afterwards.
func (w *worker) divide(mig, divided bool) error {
	if w.gpu.mig == mig && w.gpu.divided == divided {
		return nil
	}
	w.gpu.close()
	w.gpu = w.reader(w.gpu.device)
	w.gpu.mig, w.gpu.divided = mig, divided
	return w.gpu.open()
}
