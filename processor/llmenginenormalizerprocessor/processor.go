package llmenginenormalizerprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor"

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor/internal/metadata"
)

// normalizer keeps a book per target.
type normalizer struct {
	component.StartFunc
	cfg        *Config
	logger     *zap.Logger
	telemetry  *metadata.TelemetryBuilder
	next       consumer.Metrics
	now        func() time.Time
	version    string
	dialects   *dialect.Set
	vocabulary *exposition.Vocabulary
	targets    targets
	refused    atomic.Bool // the last batch of normalised metrics was refused
}

func newNormalizer(set processor.Settings, cfg *Config, next consumer.Metrics, now func() time.Time) (*normalizer, error) {
	dialects, err := dialect.Load()
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &normalizer{
		cfg: cfg, logger: set.Logger, telemetry: telemetry, next: next, now: now, version: set.BuildInfo.Version, dialects: dialects,
		vocabulary: exposition.NewVocabulary(signal.Preset(cfg.Preset)),
		targets:    targets{limit: cfg.MaxTargets, stale: cfg.MaxStale, byKey: make(map[string]*target)},
	}, nil
}

func (n *normalizer) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: n.cfg.DropOriginal}
}

func (n *normalizer) Shutdown(context.Context) error {
	n.telemetry.Shutdown()
	return nil
}

// ConsumeMetrics passes md on, then what was made of it as a batch of its own. Only the first decides the outcome.
func (n *normalizer) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	// Read before passing on: afterwards the data belongs to the next component.
	made := n.normalize(ctx, md)
	if n.cfg.DropOriginal {
		n.drop(md)
	}
	var err error
	if md.ResourceMetrics().Len() > 0 {
		err = n.next.ConsumeMetrics(ctx, md)
	}
	n.send(ctx, made)
	return err
}

func (n *normalizer) normalize(ctx context.Context, md pmetric.Metrics) pmetric.Metrics {
	made := pmetric.NewMetrics()
	for _, rm := range md.ResourceMetrics().All() {
		if !n.concerns(rm) {
			continue
		}
		t, more := n.targets.get(keyOf(rm.Resource()), n.now(), func() *exposition.Book { return n.newBook(rm) })
		if more != 0 {
			n.telemetry.ProcessorLlmEngineNormalizerTargets.Add(ctx, int64(more))
		}
		if t == nil {
			n.telemetry.ProcessorLlmEngineNormalizerRejected.Add(ctx, 1)
			continue
		}
		t.mu.Lock()
		fed, report := t.book.Feed(rm)
		t.mu.Unlock()
		if dropped := report.Unreadable + report.NotNumbers + report.BadHistograms; dropped > 0 {
			n.telemetry.ProcessorLlmEngineNormalizerPointsDropped.Add(ctx, int64(dropped))
		}
		fed.ResourceMetrics().MoveAndAppendTo(made.ResourceMetrics())
	}
	return made
}

func (n *normalizer) newBook(rm pmetric.ResourceMetrics) *exposition.Book {
	return exposition.NewBook(exposition.Settings{
		Dialects: n.dialects, Identity: identityOf(rm.Resource()), MaxSeries: n.cfg.MaxSeries, Scope: metadata.ScopeName,
		Version: n.version, Vocabulary: n.vocabulary, Connected: n.cfg.Connected,
	})
}

// concerns reports whether a resource has metrics of an engine.
func (n *normalizer) concerns(rm pmetric.ResourceMetrics) bool {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			if n.dialects.Owns(m.Name()) {
				return true
			}
		}
	}
	return false
}

// drop removes the families of engines, and what is empty then.
func (n *normalizer) drop(md pmetric.Metrics) {
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return n.dialects.Owns(m.Name()) })
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
}

// send passes normalised metrics on. Their failure is counted, logged on change, and never fails the input.
func (n *normalizer) send(ctx context.Context, made pmetric.Metrics) {
	if made.ResourceMetrics().Len() == 0 {
		return
	}
	err := n.next.ConsumeMetrics(ctx, made)
	if err != nil {
		n.telemetry.ProcessorLlmEngineNormalizerDerivedFailed.Add(ctx, 1)
	}
	if was := n.refused.Swap(err != nil); was == (err != nil) {
		return
	}
	if err != nil {
		n.logger.Warn("Normalised metrics are refused downstream", zap.Error(err))
	} else {
		n.logger.Info("Normalised metrics are accepted again")
	}
}
