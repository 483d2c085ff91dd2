package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"
	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	scenarios "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

// stage is a fleet for some time. The next one looks like the same fleet, restarted with other settings.
type stage struct {
	scenario scenarios.Scenario
	lasts    time.Duration
	passes   bool // forward passes are received
}

// told is what the advice connector said.
type told struct {
	events   []toldEvent
	verdicts []toldVerdict
}

// toldVerdict is the verdict in force at the end of a window.
type toldVerdict struct {
	at   time.Duration
	code string
}

type toldEvent struct {
	at   time.Duration
	name string
	rule string
	body map[string]any
}

// before is what was said up to a time.
func (t told) before(end time.Duration) (early told) {
	for _, e := range t.events {
		if e.at <= end {
			early.events = append(early.events, e)
		}
	}
	for _, v := range t.verdicts {
		if v.at <= end {
			early.verdicts = append(early.verdicts, v)
		}
	}
	return early
}

// windowsOf is the share of windows, the first minute apart, in which a verdict was in force.
func (t told) windowsOf(code string) float64 {
	all, of := 0, 0
	for _, v := range t.verdicts {
		if v.at > time.Minute {
			all++
			if v.code == code {
				of++
			}
		}
	}
	return float64(of) / float64(max(1, all))
}

// count is how many events of a name a rule had.
func (t told) count(rule, name string) (n int) {
	for _, e := range t.events {
		if e.rule == rule && e.name == name {
			n++
		}
	}
	return n
}

// predictions is how many events of a rule have a prediction.
func (t told) predictions(rule string) (n int) {
	for _, e := range t.events {
		if e.rule == rule && e.body["predicted"] != nil {
			n++
		}
	}
	return n
}

// raised are the rules that raised an advice, in order.
func (t told) raised() (rules []string) {
	for _, e := range t.events {
		if e.name == "llm.advice.raised" {
			rules = append(rules, e.rule)
		}
	}
	return rules
}

const adviceInterval = 5 * time.Second

// advise plays stages: every worker's page is decoded as the receiver does, goes through phase_attribution and into the advice connector.
func advise(stages []stage) (told, error) {
	var t told
	epoch := stages[0].scenario.Fleet.StartTime
	pipeline, stop, err := newAdvicePipeline(stages[0].scenario.Fleet.Objectives, &t, epoch)
	if err != nil {
		return t, err
	}
	defer stop()
	dialects, err := dialect.Load()
	if err != nil {
		return t, err
	}
	books := map[string]*exposition.Book{}
	base := time.Duration(0)
	for _, s := range stages {
		if err := playStage(s, epoch.Add(base), dialects, books, pipeline); err != nil {
			return t, err
		}
		base += s.lasts
	}
	return t, nil
}

func playStage(s stage, start time.Time, dialects *dialect.Set, books map[string]*exposition.Book, pipeline consumer.Metrics) error {
	cfg := s.scenario.Fleet
	feeds := map[int]*passFeed{}
	if s.passes {
		for w := range cfg.Workers() {
			feeds[w] = newPassFeed()
		}
		cfg.OnPass = func(p fleetsim.Pass) { feeds[p.Worker].take(p) }
	}
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return err
	}
	defer fleet.Close()
	var failed error
	if err := s.scenario.Arm(fleet, func(err error) { failed = err }); err != nil {
		return err
	}
	var page bytes.Buffer
	for now := adviceInterval; now <= s.lasts; now += adviceInterval {
		if err := fleet.Advance(now); err != nil {
			return err
		}
		inRole := map[string]int{}
		for w := range fleet.Workers() {
			role := string(fleet.Pool(w).Role)
			page.Reset()
			if err := fleet.WriteMetrics(w, &page); err != nil {
				return err
			}
			page.Grow(1) // the decoder writes behind the end
			md, _, err := bookOf(fmt.Sprintf("%s%d", role, inRole[role]), dialects, books).Scrape(page.Bytes(), false, start.Add(now), engine.VLLMVersion)
			if err != nil {
				return err
			}
			inRole[role]++
			if role == signal.RolePrefill || role == signal.RoleDecode {
				md.ResourceMetrics().At(0).Resource().Attributes().PutStr(signal.AttrRole, role)
			}
			if feeds[w] != nil {
				feeds[w].append(md, start, start.Add(now))
			}
			if err := pipeline.ConsumeMetrics(context.Background(), md); err != nil {
				return err
			}
		}
	}
	return failed
}

func bookOf(worker string, dialects *dialect.Set, books map[string]*exposition.Book) *exposition.Book {
	if books[worker] == nil {
		books[worker] = exposition.NewBook(exposition.Settings{
			Dialects: dialects, Scope: "accuracy", MaxSeries: 20_000,
			Identity: exposition.Identity{Address: worker, Port: 8000, Fleet: "fleet"},
		})
	}
	return books[worker]
}

// newAdvicePipeline is phase_attribution before the advice connector, whose two outputs go into t.
func newAdvicePipeline(o fleetsim.Objectives, t *told, epoch time.Time) (consumer.Metrics, func(), error) {
	advice, stopAdvice, err := newAdvice(t, epoch)
	if err != nil {
		return nil, nil, err
	}
	factory := phaseattributionprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*phaseattributionprocessor.Config)
	cfg.Objectives = objectives.Config{{TTFT: objectives.Bound{Max: o.TTFT}, ITL: objectives.Bound{Max: o.ITL}}}
	p, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, advice)
	if err == nil {
		err = p.Start(context.Background(), componenttest.NewNopHost())
	}
	if err != nil {
		stopAdvice()
		return nil, nil, err
	}
	return p, func() {
		_ = p.Shutdown(context.Background())
		stopAdvice()
	}, nil
}

// newAdvice makes the connector as the collector does: one instance for logs and one for metrics, both of which get everything.
func newAdvice(t *told, epoch time.Time) (consumer.Metrics, func(), error) {
	logs, err := consumer.NewLogs(func(_ context.Context, ld plog.Logs) error { return t.takeLogs(ld, epoch) })
	if err != nil {
		return nil, nil, err
	}
	metrics, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error { return t.takeMetrics(md, epoch) })
	if err != nil {
		return nil, nil, err
	}
	factory := adviceconnector.NewFactory()
	set := connectortest.NewNopSettings(factory.Type())
	cfg := factory.CreateDefaultConfig()
	toLogs, err := factory.CreateMetricsToLogs(context.Background(), set, cfg, logs)
	if err != nil {
		return nil, nil, err
	}
	toMetrics, err := factory.CreateMetricsToMetrics(context.Background(), set, cfg, metrics)
	if err != nil {
		return nil, nil, err
	}
	instances := []connector.Metrics{toLogs, toMetrics}
	for _, i := range instances {
		if err := i.Start(context.Background(), componenttest.NewNopHost()); err != nil {
			return nil, nil, err
		}
	}
	both, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		for _, i := range instances {
			if err := i.ConsumeMetrics(ctx, md); err != nil {
				return err
			}
		}
		return nil
	})
	return both, func() {
		for _, i := range instances {
			_ = i.Shutdown(context.Background())
		}
	}, err
}

func (t *told) takeLogs(ld plog.Logs, epoch time.Time) error {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				e := toldEvent{at: r.Timestamp().AsTime().Sub(epoch), name: r.EventName(), body: r.Body().Map().AsRaw()}
				if id, ok := r.Attributes().Get(signal.AttrAdviceID); ok {
					e.rule = id.Str()
				}
				t.events = append(t.events, e)
			}
		}
	}
	return nil
}

func (t *told) takeMetrics(md pmetric.Metrics, epoch time.Time) error {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() != signal.Verdict {
					continue
				}
				for _, dp := range m.Gauge().DataPoints().All() {
					if code, ok := dp.Attributes().Get(signal.AttrVerdictCode); ok && !dp.Flags().NoRecordedValue() {
						t.verdicts = append(t.verdicts, toldVerdict{dp.Timestamp().AsTime().Sub(epoch), code.Str()})
					}
				}
			}
		}
	}
	return nil
}
