package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// eventWait is how long the event thread is inside the driver at a time, and so how late it sees the end.
const eventWait = 500 * time.Millisecond

// wait takes the events of the worker's GPU until ctx ends. It is a thread of its own: a wait is a call that blocks by intent.
func (w *worker) wait(ctx context.Context) {
	var again rest
	for ctx.Err() == nil {
		began := w.shop.clock.Now()
		err := w.waitOnce(ctx)
		switch gpu.CodeOf(err) {
		case gpu.OK:
			return
		case gpu.NotSupported, gpu.FunctionNotFound:
			w.shop.tell.unsupported(w.uuid, gpu.EventWait, err)
			return
		case gpu.NoPermission, gpu.InvalidArgument:
			w.shop.tell.unsupported(w.uuid, gpu.EventWait, err)
		default:
			w.shop.tell.failed(w.uuid, gpu.EventWait, err)
		}
		now := w.shop.clock.Now()
		if now.Sub(began) > 2*lastRetry {
			again = rest{} // it had worked
		}
		again.begin(now, firstRetry)
		w.pause(ctx, min(again.wait, lastRetry))
	}
}

// waitOnce registers for events and takes them until ctx ends, then nil, or a call fails. It asks for the device anew: after a loss the
// old handle is no good.
func (w *worker) waitOnce(ctx context.Context) error {
	defer context.AfterFunc(ctx, w.watch.stop)()
	w.watch.enter(gpu.EventWait)
	events, err := w.lib.Events(w.uuid)
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
		event, err := events.Wait(eventWait, &w.watch.pulse)
		w.watch.leave()
		switch gpu.CodeOf(err) {
		case gpu.OK:
			w.event(ctx, event)
		case gpu.Timeout: // told to stop
		default:
			return err
		}
	}
	return nil
}

// pause keeps a wait that fails at once from spinning.
func (w *worker) pause(ctx context.Context, d time.Duration) {
	again, stop := w.shop.clock.After(d)
	defer stop()
	select {
	case <-ctx.Done():
	case <-again:
	}
}

func (w *worker) event(ctx context.Context, e gpu.Event) {
	switch {
	case ctx.Err() != nil: // the end came while the driver held the thread
	case e.Reconfigured:
		w.lookAgain()
	default:
		w.shop.xid(ctx, e, w.identity(), w.ledger)
	}
}
