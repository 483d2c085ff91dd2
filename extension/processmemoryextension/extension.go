package processmemoryextension // import "github.com/otelcol-inference/otelcol-inference/extension/processmemoryextension"

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.uber.org/zap"
)

var _ extensioncapabilities.PipelineWatcher = (*processMemory)(nil)

// clock is what the extension needs of time.
type clock interface {
	// After delivers once after d, and returns a function that ends it.
	After(d time.Duration) (<-chan time.Time, func())
}

// processMemory is one extension. What it changes is the process': with several of them the last to start rules.
type processMemory struct {
	cfg      *Config
	log      *zap.Logger
	clock    clock
	gogc     bool                  // GOGC is set in the environment
	giveBack func() (given, error) // the program's pages

	before  int // percent that the collection of garbage had; meaningful where changed
	changed bool
	stop    chan struct{}
	running sync.WaitGroup
}

// given is what was given back, in bytes that were resident.
type given struct{ before, after int64 }

// Start implements component.Component.
func (m *processMemory) Start(context.Context, component.Host) error {
	m.stop = make(chan struct{})
	if m.cfg.GCPercent == keepGCPercent {
		return nil
	}
	if m.gogc {
		m.log.Info("gc_percent has no effect beside GOGC in the environment", zap.Int("gc_percent", m.cfg.GCPercent))
		return nil
	}
	m.before, m.changed = debug.SetGCPercent(m.cfg.GCPercent), true
	return nil
}

// Ready implements extensioncapabilities.PipelineWatcher: all pipelines have started.
func (m *processMemory) Ready() error {
	if m.cfg.GiveBackAfter == 0 {
		return nil
	}
	due, end := m.clock.After(m.cfg.GiveBackAfter)
	m.running.Go(func() {
		defer end()
		select {
		case <-m.stop:
		case <-due:
			m.once()
		}
	})
	return nil
}

// once gives back. That it cannot is no fault of the collector: its pages stay as they are.
func (m *processMemory) once() {
	g, err := m.giveBack()
	m.log.Debug("gave back the program's pages that nothing needs now", zap.Int64("bytes_before", g.before), zap.Int64("bytes_after", g.after), zap.Error(err))
}

// NotReady implements extensioncapabilities.PipelineWatcher.
func (*processMemory) NotReady() error { return nil }

// Shutdown implements component.Component. It may come without a start.
func (m *processMemory) Shutdown(context.Context) error {
	if m.stop == nil {
		return nil
	}
	close(m.stop)
	m.running.Wait()
	m.stop = nil
	if m.changed {
		debug.SetGCPercent(m.before)
		m.changed = false
	}
	return nil
}
