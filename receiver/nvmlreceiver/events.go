package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// eventWait is how long the event thread is inside the library at a time, and so how late it sees the end.
const eventWait = 500 * time.Millisecond

// wait takes the events of the worker's GPU until ctx ends. It is a thread of its own: a wait is a call that blocks by intent.
func (w *worker) wait(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.waitOnce(ctx)
		switch gpu.CodeOf(err) {
		case gpu.OK:
			return
		case gpu.NotSupported, gpu.FunctionNotFound, gpu.NoPermission:
			w.shop.tell.unsupported(w.id.UUID, gpu.EventWait, err)
			return
		default:
			w.shop.tell.failed(w.id.UUID, gpu.EventWait, err)
			w.pause(ctx)
		}
	}
}

// waitOnce registers for events and takes them until ctx ends, then nil, or a call fails.
func (w *worker) waitOnce(ctx context.Context) error {
	w.watch.enter(gpu.EventWait)
	events, err := w.register()
	w.watch.leave()
	if err != nil {
		return err
	}
	defer func() {
		w.watch.enter(gpu.EventWait)
		events.Close()
		w.watch.leave()
	}()
	for ctx.Err() == nil {
		w.watch.enter(gpu.EventWait)
		event, err := events.Wait(eventWait)
		w.watch.leave()
		switch gpu.CodeOf(err) {
		case gpu.OK:
			w.event(ctx, event)
		case gpu.Timeout:
		default:
			return err
		}
	}
	return nil
}

// register asks for the device anew: after a loss the old handle is no good.
func (w *worker) register() (gpu.Events, error) {
	device, err := w.lib.ByUUID(w.id.UUID)
	if err != nil {
		return nil, err
	}
	if _, err := device.Identity(); err != nil {
		return nil, err
	}
	return w.lib.Events(device)
}

// pause keeps a wait that fails at once from spinning.
func (w *worker) pause(ctx context.Context) {
	again, stop := w.shop.clock.After(firstRetry)
	defer stop()
	select {
	case <-ctx.Done():
	case <-again:
	}
}

func (w *worker) event(ctx context.Context, e gpu.Event) {
	if e.Reconfigured {
		select {
		case w.reconfigured <- struct{}{}:
		default:
		}
		return
	}
	w.shop.xid(ctx, e, w.id)
}
