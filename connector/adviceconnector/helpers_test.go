package adviceconnector

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
)

func newHandClock() *walltest.Clock { return walltest.NewClock(time.Unix(1_700_000_000, 0)) }

// rig is a connector as the collector makes it: an instance for logs and one for metrics.
type rig struct {
	t         *testing.T
	clock     *walltest.Clock
	factory   connector.Factory
	cfg       *Config
	instances []connector.Metrics
	logs      *consumertest.LogsSink
	metrics   *consumertest.MetricsSink
	preempted float64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, clock: newHandClock(), logs: &consumertest.LogsSink{}, metrics: &consumertest.MetricsSink{}}
	r.factory = newFactory(r.clock)
	r.cfg = r.factory.CreateDefaultConfig().(*Config)
	return r
}

// start makes and starts both instances; they are shut down with the test unless they were before.
func (r *rig) start(host component.Host) {
	r.t.Helper()
	set := connectortest.NewNopSettings(r.factory.Type())
	set.ID = component.MustNewID("advice")
	toLogs, err := r.factory.CreateMetricsToLogs(context.Background(), set, r.cfg, r.logs)
	require.NoError(r.t, err)
	toMetrics, err := r.factory.CreateMetricsToMetrics(context.Background(), set, r.cfg, r.metrics)
	require.NoError(r.t, err)
	r.instances = []connector.Metrics{toLogs, toMetrics}
	for _, i := range r.instances {
		require.NoError(r.t, i.Start(context.Background(), host))
	}
	r.t.Cleanup(r.stop)
}

func (r *rig) stop() {
	for _, i := range r.instances {
		require.NoError(r.t, i.Shutdown(context.Background()))
	}
}

func nop() component.Host { return componenttest.NewNopHost() }

// windows lets time pass in windows of five seconds, in each of which all instances get the same batch of a worker that preempts.
func (r *rig) windows(n int, perWindow float64) {
	r.t.Helper()
	for range n {
		r.clock.Add(5 * time.Second)
		r.preempted += perWindow
		md := r.batch()
		md.MarkReadOnly()
		for _, i := range r.instances {
			require.NoError(r.t, i.ConsumeMetrics(context.Background(), md))
		}
	}
}

func (r *rig) batch() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	a := rm.Resource().Attributes()
	a.PutStr(signal.AttrEngineName, "vllm")
	a.PutStr(signal.AttrServiceInstanceID, "10.0.0.7:8000")
	a.PutStr(signal.AttrModel, "llama")
	a.PutStr(signal.AttrFleetName, "chat")
	a.PutInt(signal.AttrServerPort, 8000)
	ms := rm.ScopeMetrics().AppendEmpty().Metrics()
	now := pcommon.NewTimestampFromTime(r.clock.Now())
	add := func(name string, v float64, monotonic bool) {
		m := ms.AppendEmpty()
		m.SetName(name)
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(monotonic)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		dp := sum.DataPoints().AppendEmpty()
		dp.SetTimestamp(now)
		dp.SetStartTimestamp(1)
		dp.SetDoubleValue(v)
	}
	add(signal.Running, 100, false)
	add(signal.Waiting, 3, false)
	add(signal.Preemptions, r.preempted, true)
	add("http.server.requests", 5, true)
	return md
}

// events are the records that were told, by event name and advice id.
func (r *rig) events() (names []string, records []plog.LogRecord) {
	for _, ld := range r.logs.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					id, ok := lr.Attributes().Get(signal.AttrAdviceID)
					if !ok {
						continue
					}
					names = append(names, lr.EventName()+" "+id.Str())
					records = append(records, lr)
				}
			}
		}
	}
	return names, records
}
