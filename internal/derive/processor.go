package derive

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// Deriver is the part of a processor that others do not have.
type Deriver interface {
	// Begin takes what the processor holds while it runs; it fails when that cannot be had, and then holds nothing.
	Begin(ctx context.Context, host component.Host) error
	// End gives it back, once, when no sweep is on.
	End(ctx context.Context) error
	// Derive reads a batch and returns what comes of it. ok is false when there is nothing in it for this processor.
	Derive(ctx context.Context, md pmetric.Metrics) (derived pmetric.Metrics, ok bool)
	// Sweep adds to derived what comes of silence until now: it finishes windows, and forgets the long silent.
	Sweep(ctx context.Context, now time.Time, derived pmetric.Metrics)
}

// Parts are what a Processor is made of. All are needed.
type Parts struct {
	Deriver   Deriver
	Next      consumer.Metrics
	Clock     Clock
	Every     time.Duration // between two sweeps
	Logger    *zap.Logger
	Failed    metric.Int64Counter     // derived batches that were refused downstream
	Telemetry interface{ Shutdown() } // of the component
}

// Processor runs a Deriver: it passes batches on, then what is derived of them, and sweeps by the clock from Start to Shutdown.
type Processor struct {
	parts   Parts
	sweeper Sweeper
	refused Change
}

// NewProcessor puts a processor together.
func NewProcessor(p Parts) Processor { return Processor{parts: p} }

// Capabilities says that batches are read only.
func (p *Processor) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start begins the sweep for what falls silent.
func (p *Processor) Start(ctx context.Context, host component.Host) error {
	if err := p.parts.Deriver.Begin(ctx, host); err != nil {
		return err
	}
	p.sweeper.Start(ctx, p.parts.Clock, p.parts.Every, p.Tick)
	return nil
}

// Shutdown ends the sweep and waits for it. It may be called without Start and more than once.
func (p *Processor) Shutdown(ctx context.Context) error {
	var err error
	if p.sweeper.Stop() {
		err = p.parts.Deriver.End(ctx)
	}
	p.parts.Telemetry.Shutdown()
	return err
}

// ConsumeMetrics passes md on, then what was derived from it as a batch of its own. Only the first decides the outcome.
func (p *Processor) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	// Read before passing on: afterwards the data belongs to the next component.
	derived, ok := p.parts.Deriver.Derive(ctx, md)
	err := p.parts.Next.ConsumeMetrics(ctx, md)
	if ok {
		// Also when md was refused and will be offered again: its windows are closed now, and the second offer is late.
		p.send(ctx, derived)
	}
	return err
}

// Tick is what the clock has it do: one sweep.
func (p *Processor) Tick(ctx context.Context) {
	derived := pmetric.NewMetrics()
	p.parts.Deriver.Sweep(ctx, p.parts.Clock.Now(), derived)
	p.send(ctx, derived)
}

// send passes derived metrics on. Their failure is counted and never fails the input.
func (p *Processor) send(ctx context.Context, derived pmetric.Metrics) {
	if derived.ResourceMetrics().Len() == 0 {
		return
	}
	err := p.parts.Next.ConsumeMetrics(ctx, derived)
	if err != nil {
		p.parts.Failed.Add(ctx, 1)
	}
	if p.refused.To(err != nil) {
		if err != nil {
			p.parts.Logger.Warn("derived metrics are refused downstream", zap.Error(err))
		} else {
			p.parts.Logger.Info("derived metrics are accepted again")
		}
	}
}

// Level tells a counter of both ways how many there are, which counts differences. The zero value is ready; it is for one goroutine.
type Level struct{ told int64 }

// To tells that there are n now.
func (l *Level) To(ctx context.Context, counter metric.Int64UpDownCounter, n int64) {
	counter.Add(ctx, n-l.told)
	l.told = n
}
