package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver/internal/metadata"
)

// quiet is how long a target's changes are not logged after one was: one that goes up and down all the time must not fill the
// log. The counters have every change.
const quiet = 30 * time.Second

// reporter says how the scrapes go: counters for each, the log and the component status on change. It is safe for concurrent
// use.
type reporter struct {
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	clock     clock
	status    *status
	success   metric.MeasurementOption // made once, for it is needed with nearly every scrape

	mu      sync.Mutex
	last    map[*target]*standing
	streams map[string]*streamStanding
	sizes   standings // told to the status, for this receiver
	ill     standings
}

// standing is what was last said of a target.
type standing struct {
	outcome    outcome // of the last scrape
	logged     outcome // that the log knows
	loggedAt   time.Time
	broken     bool
	overLimit  bool
	incomplete bool // records of iterations are missing
	strange    bool // the page has nothing of an engine
	suppressed int
}

func newReporter(telemetry *metadata.TelemetryBuilder, logger *zap.Logger, c clock, s *status, targets int) *reporter {
	r := &reporter{
		telemetry: telemetry, logger: logger, clock: c, status: s, last: make(map[*target]*standing, targets),
		streams: make(map[string]*streamStanding), success: withOutcome(outcomeSuccess), sizes: standings{endpoints: targets},
	}
	s.enter(r.sizes)
	return r
}

func withOutcome(how outcome) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", string(how))))
}

// body counts the bytes of a page.
func (r *reporter) body(ctx context.Context, n int) {
	r.telemetry.ReceiverLlmEngineBodySize.Add(ctx, int64(n))
}

// scrape takes how a scrape ended; why is nil after success.
func (r *reporter) scrape(ctx context.Context, t *target, why *failure, took time.Duration) {
	how := outcomeSuccess
	if why != nil {
		how = why.outcome
	}
	if how == outcomeSuccess {
		r.telemetry.ReceiverLlmEngineScrapes.Add(ctx, 1, r.success)
	} else {
		r.telemetry.ReceiverLlmEngineScrapes.Add(ctx, 1, withOutcome(how))
	}
	r.telemetry.ReceiverLlmEngineScrapeDuration.Record(ctx, took.Seconds())
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.standing(t)
	was := s.outcome
	s.outcome = how
	r.log(t, s, why)
	if failedBefore, failsNow := was != "" && was != outcomeSuccess, how != outcomeSuccess; failedBefore != failsNow {
		if failsNow {
			r.change(standings{endpoints: 1}, fail(how, "%s: %w", t.name, why))
		} else {
			r.change(standings{endpoints: -1}, fmt.Errorf("%s answers again", t.name))
		}
	}
}

func (r *reporter) standing(t *target) *standing {
	s := r.last[t]
	if s == nil {
		s = &standing{logged: outcomeSuccess}
		r.last[t] = s
	}
	return s
}

// log writes a line when a target's outcome is not the one that the log knows, at most one per target and quiet time.
func (r *reporter) log(t *target, s *standing, why *failure) {
	if s.outcome == s.logged {
		return
	}
	now := r.clock.Now()
	if !s.loggedAt.IsZero() && now.Sub(s.loggedAt) < quiet {
		s.suppressed++
		return
	}
	fields := []zap.Field{zap.String("endpoint", t.name)}
	if s.suppressed > 0 {
		fields = append(fields, zap.Int("scrapes_not_logged", s.suppressed))
	}
	if why == nil {
		r.logger.Info("The engine answers again", fields...)
	} else {
		r.logger.Warn("The engine cannot be scraped", append(fields, zap.String("reason", string(why.outcome)), zap.Error(why.err))...)
	}
	s.logged, s.loggedAt, s.suppressed = s.outcome, now, 0
}

// change takes how many more are in trouble, and why the last is or is not any more. The caller holds mu.
func (r *reporter) change(more standings, last error) {
	r.ill.add(more)
	r.status.change(more, last)
}

// leave takes back what was said of targets that failed to the last, and the series that were remembered. No target scrapes any more.
func (r *reporter) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range r.last {
		r.telemetry.ReceiverLlmEngineSeries.Add(context.Background(), -int64(t.series))
	}
	r.status.leave(r.sizes, r.ill)
	r.status.close()
}

// iterations takes how the reading of iteration records went. What is missing makes their sums too small.
func (r *reporter) iterations(t *target, lost int64, why *failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.standing(t)
	if s.incomplete || lost == 0 && why == nil {
		return
	}
	s.incomplete = true
	fields := []zap.Field{zap.String("endpoint", t.name)}
	if why != nil {
		fields = append(fields, zap.Error(why))
	}
	r.logger.Warn("Records of iterations are missing, so phase times of this engine are too small: another reader may take them",
		append(fields, zap.Int64("records", lost))...)
}

// Bounds of what one log line repeats of a page.
const (
	maxLogged      = 20
	maxLoggedBytes = 120
)

// shortList bounds names that come from a page for the log.
func shortList(names []string) []string {
	names = names[:min(len(names), maxLogged)]
	short := make([]string, len(names))
	for i, name := range names {
		short[i] = name[:min(len(name), maxLoggedBytes)]
	}
	return short
}

// page takes what became of a page.
func (r *reporter) page(ctx context.Context, t *target, p exposition.Report) {
	add := func(c metric.Int64Counter, n int, reason string) {
		if n > 0 {
			c.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", reason)))
		}
	}
	if p.BrokenLines > 0 {
		r.telemetry.ReceiverLlmEngineBrokenLines.Add(ctx, int64(p.BrokenLines))
	}
	add(r.telemetry.ReceiverLlmEngineSeriesRejected, p.RejectedLimit, "limit")
	add(r.telemetry.ReceiverLlmEngineSeriesRejected, p.RejectedLong, "too_long")
	add(r.telemetry.ReceiverLlmEngineSeriesRejected, p.RejectedBad, "malformed")
	add(r.telemetry.ReceiverLlmEnginePointsDropped, p.NotNumbers, "not_a_number")
	add(r.telemetry.ReceiverLlmEnginePointsDropped, p.BadHistograms, "histogram")
	add(r.telemetry.ReceiverLlmEnginePointsDropped, p.ShortPoints, "damaged_page")
	if more := p.SeriesRemembered - t.series; more != 0 {
		r.telemetry.ReceiverLlmEngineSeries.Add(ctx, int64(more))
		t.series = p.SeriesRemembered
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.standing(t)
	strange := t.book.Engine() == ""
	if strange && !s.strange { // some engines have no metrics before their first request
		r.logger.Info("The page has no metrics of an engine that this version knows", zap.String("endpoint", t.name))
	}
	s.strange = strange
	if len(p.Drift) > 0 {
		r.logger.Warn("The engine has metrics that this version does not know", zap.String("endpoint", t.name),
			zap.Int("count", len(p.Drift)), zap.Strings("families", shortList(p.Drift)))
	}
	if len(p.Vanished) > 0 {
		r.logger.Warn("The engine no longer has metrics that it had", zap.String("endpoint", t.name),
			zap.Int("count", len(p.Vanished)), zap.Strings("families", shortList(p.Vanished)))
	}
	if broken := p.BrokenLines > 0; broken && !s.broken {
		r.logger.Warn("Lines of the page cannot be parsed", zap.String("endpoint", t.name), zap.Int("lines", p.BrokenLines))
		s.broken = true
	}
	if over := p.RejectedLimit > 0; over && !s.overLimit {
		r.logger.Warn("The page has more series than max_series", zap.String("endpoint", t.name), zap.Int("rejected", p.RejectedLimit))
		s.overLimit = true
	}
}
