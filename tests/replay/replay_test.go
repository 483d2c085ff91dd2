// Package replay runs recorded metrics through the processors and the adviser again, with the same result each time: `make replay FILE=`.
//
// It is made of tests because only there the standard library has a clock that stands still (testing/synctest): the components' own
// clock follows the times in the recording, so that windows close, workers fall silent and advice is raised as they did, at once.
package replay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// longestLine bounds one line of a recording.
const longestLine = 64 << 20

// TestReplayFile replays REPLAY_FILE, lines of OTLP JSON as the file exporter writes them, and writes into REPLAY_OUT what was derived and
// advised, in OTLP JSON too, in the order of its time.
func TestReplayFile(t *testing.T) {
	file, out := os.Getenv("REPLAY_FILE"), os.Getenv("REPLAY_OUT")
	if file == "" {
		file, out = record(t), os.DevNull // without one, that of the tests
	}
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	said := replay(t, f)
	require.NoError(t, os.WriteFile(out, []byte(strings.Join(said.lines, "\n")+"\n"), 0o644))
	t.Logf("%d batches, %d points derived, %d log records -> %s", said.batches, said.points, said.records, out)
}

// outcome is what a replay said.
type outcome struct {
	batches, points, records int
	lines                    []string
}

// replay runs a recording.
func replay(t *testing.T, recording io.Reader) (said outcome) {
	t.Helper()
	batches := read(t, recording)
	said.batches = len(batches)
	if len(batches) == 0 {
		return said
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(newest(batches[0])))
		sink := &sink{}
		pipeline, stop := newPipeline(t, sink)
		for _, md := range batches {
			// Recordings of several exporters may be a little out of order; time does not go back.
			time.Sleep(time.Until(newest(md)))
			synctest.Wait()
			require.NoError(t, pipeline.ConsumeMetrics(context.Background(), md))
		}
		stop()
		said.points, said.records, said.lines = sink.points, sink.records, sink.inOrder()
	})
	return said
}

// read takes what a receiver said out of a recording; what was derived is derived again. A batch without any time is left out: it would
// be the first, and the clock would have to go through all the years to the next.
func read(t *testing.T, recording io.Reader) (batches []pmetric.Metrics) {
	lines := bufio.NewScanner(recording)
	lines.Buffer(nil, longestLine)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(lines.Bytes())
		require.NoError(t, err, "line %d is not metrics in OTLP JSON", n)
		md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
			rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool { return slices.Contains(derivers(), sm.Scope().Name()) })
			return rm.ScopeMetrics().Len() == 0
		})
		if newest(md).Unix() > 0 {
			batches = append(batches, md)
		}
	}
	require.NoError(t, lines.Err())
	slices.SortStableFunc(batches, func(a, b pmetric.Metrics) int { return newest(a).Compare(newest(b)) })
	return batches
}

// newest is the time of the newest point.
func newest(md pmetric.Metrics) time.Time {
	var at pcommon.Timestamp
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for p := range times(m) {
					at = max(at, p)
				}
			}
		}
	}
	return at.AsTime()
}

// times yields the times of a metric's points.
func times(m pmetric.Metric) func(func(pcommon.Timestamp) bool) {
	return func(yield func(pcommon.Timestamp) bool) {
		switch m.Type() {
		case pmetric.MetricTypeGauge:
			for _, p := range m.Gauge().DataPoints().All() {
				if !yield(p.Timestamp()) {
					return
				}
			}
		case pmetric.MetricTypeSum:
			for _, p := range m.Sum().DataPoints().All() {
				if !yield(p.Timestamp()) {
					return
				}
			}
		case pmetric.MetricTypeHistogram:
			for _, p := range m.Histogram().DataPoints().All() {
				if !yield(p.Timestamp()) {
					return
				}
			}
		case pmetric.MetricTypeExponentialHistogram:
			for _, p := range m.ExponentialHistogram().DataPoints().All() {
				if !yield(p.Timestamp()) {
					return
				}
			}
		case pmetric.MetricTypeSummary:
			for _, p := range m.Summary().DataPoints().All() {
				if !yield(p.Timestamp()) {
					return
				}
			}
		}
	}
}

// sink keeps what was derived and advised. How points are grouped and ordered in a batch is a map's order and says nothing, so each is a
// line.
type sink struct {
	points, records int
	lines           []timed
}

type timed struct {
	at   time.Time
	line string
}

func (s *sink) metrics() (consumer.Metrics, error) {
	return consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		var failed error
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				if !slices.Contains(derivers(), sm.Scope().Name()) {
					continue
				}
				for _, m := range sm.Metrics().All() {
					for point := range points(m) {
						failed = errors.Join(failed, s.point(rm, sm, point))
					}
				}
			}
		}
		return failed
	})
}

func (s *sink) point(rm pmetric.ResourceMetrics, sm pmetric.ScopeMetrics, point pmetric.Metric) error {
	one := pmetric.NewMetrics()
	to := one.ResourceMetrics().AppendEmpty()
	copySorted(rm.Resource().Attributes(), to.Resource().Attributes())
	scope := to.ScopeMetrics().AppendEmpty()
	sm.Scope().CopyTo(scope.Scope())
	point.MoveTo(scope.Metrics().AppendEmpty())
	text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(one)
	s.points++
	s.lines = append(s.lines, timed{newest(one), string(text)})
	return err
}

func (s *sink) logs() (consumer.Logs, error) {
	return consumer.NewLogs(func(_ context.Context, ld plog.Logs) error {
		var failed error
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					one := plog.NewLogs()
					to := one.ResourceLogs().AppendEmpty()
					copySorted(rl.Resource().Attributes(), to.Resource().Attributes())
					scope := to.ScopeLogs().AppendEmpty()
					sl.Scope().CopyTo(scope.Scope())
					r.CopyTo(scope.LogRecords().AppendEmpty())
					text, err := (&plog.JSONMarshaler{}).MarshalLogs(one)
					failed = errors.Join(failed, err)
					s.records++
					s.lines = append(s.lines, timed{r.Timestamp().AsTime(), string(text)})
				}
			}
		}
		return failed
	})
}

func (s *sink) inOrder() (lines []string) {
	slices.SortFunc(s.lines, func(a, b timed) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.line, b.line)
	})
	for _, l := range s.lines {
		lines = append(lines, l.line)
	}
	return lines
}

// points yields a metric's points as metrics of their own.
func points(m pmetric.Metric) func(func(pmetric.Metric) bool) {
	empty := pmetric.NewMetric()
	m.CopyTo(empty)
	one := func(add func(pmetric.Metric)) pmetric.Metric {
		copied := pmetric.NewMetric()
		empty.CopyTo(copied)
		add(copied)
		return copied
	}
	return func(yield func(pmetric.Metric) bool) {
		switch m.Type() {
		case pmetric.MetricTypeGauge:
			empty.Gauge().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { return true })
			for _, p := range m.Gauge().DataPoints().All() {
				if !yield(one(func(to pmetric.Metric) { p.CopyTo(to.Gauge().DataPoints().AppendEmpty()) })) {
					return
				}
			}
		case pmetric.MetricTypeSum:
			empty.Sum().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { return true })
			for _, p := range m.Sum().DataPoints().All() {
				if !yield(one(func(to pmetric.Metric) { p.CopyTo(to.Sum().DataPoints().AppendEmpty()) })) {
					return
				}
			}
		case pmetric.MetricTypeHistogram:
			empty.Histogram().DataPoints().RemoveIf(func(pmetric.HistogramDataPoint) bool { return true })
			for _, p := range m.Histogram().DataPoints().All() {
				if !yield(one(func(to pmetric.Metric) { p.CopyTo(to.Histogram().DataPoints().AppendEmpty()) })) {
					return
				}
			}
		}
	}
}

func copySorted(from, to pcommon.Map) {
	keys := slices.Sorted(func(yield func(string) bool) {
		for k := range from.All() {
			if !yield(k) {
				return
			}
		}
	})
	for _, k := range keys {
		v, _ := from.Get(k)
		v.CopyTo(to.PutEmpty(k))
	}
}

// started starts components and returns what ends them, the last first. Each looks after what fell silent at times of its own, so that
// none does at the same time as another: their order would be chance.
func started(t *testing.T, all ...component.Component) func() {
	for _, c := range all {
		time.Sleep(time.Microsecond)
		require.NoError(t, c.Start(context.Background(), componenttest.NewNopHost()))
	}
	return func() {
		for _, c := range slices.Backward(all) {
			require.NoError(t, c.Shutdown(context.Background()), "%T", c)
		}
	}
}
