package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// tellers have to tell something new after the clock was set.
var tellers = []string{"llmenginereceiver", "phaseattributionprocessor", "kvfragmentationprocessor", "disaggregationprocessor", "adviceconnector"}

// The clock of the collector's machine is set forward by an hour, back to the right time, and back by some seconds. Everybody goes on telling
// of the time that it now is, derived sums never fall, no phase gets more time than went by, no rate is negative, and each point that was
// accepted arrives.
func TestOwnClockIsSet(t *testing.T) {
	sink := rig.NewSink(t)
	seen := newTimeline()
	sink.See = seen.take
	fleet := rig.NewFleet(t, "pd-balanced")
	c := rig.NewCollector(t, "collector", "config.yaml", "config.otlp.yaml")
	c.Skew = &rig.Skew{}
	page := rig.Local(rig.FreePort(t))
	c.Overlay = fmt.Sprintf(`
receivers:
  llm_engine/fleet: {collection_interval: 1s, endpoints: %s}
  otlp: {protocols: {http: {endpoint: "%s"}}}
processors: {phase_attribution: {window: 1s}, kv_fragmentation: {window: 1s}, disaggregation: {window: 1s, allowed_lateness: 1s}}
connectors: {advice: {window: 1s}}
exporters: {inference_dashboard: {endpoint: "%s"}, prometheus: {endpoint: "%s"}, otlp_http: {endpoint: "%s"}}
service: {pipelines: {metrics: {receivers: [llm_engine/fleet, otlp]}}}
`, fleet.Entries, rig.Local(c.Feed), page, rig.Local(rig.FreePort(t)), sink.URL(c.Name))
	c.Start(t)
	feeder := rig.NewFeeder("feeder", "numbered", c.Feed, 20)
	stop := feeder.Start(t, 50*time.Millisecond)
	for _, by := range []time.Duration{0, time.Hour, 0, -7 * time.Second} {
		seen.set(t, c.Skew, by)
		for _, teller := range tellers {
			rig.Eventually(t, fmt.Sprintf("%s tells of the time that is %s off", teller, by), func() bool { return seen.told(teller) >= 2 })
		}
		t.Logf("%s off: all told after %s", by, seen.age())
		require.True(t, c.Running())
	}
	stop()
	rig.Arrived(t, sink, feeder)
	for _, fault := range seen.faults() {
		t.Error(fault)
	}
}

// timeline judges points in the order in which they come.
type timeline struct {
	mu     sync.Mutex
	clock  rig.Skew
	from   time.Time                             // by that clock, when it was set
	times  map[string]map[pcommon.Timestamp]bool // of points since then, by who told
	series map[string]last
	wrong  map[string]string // one example by metric
}

// last is the newest point of a sum.
type last struct {
	start, at pcommon.Timestamp
	value     float64
}

func newTimeline() *timeline {
	return &timeline{series: map[string]last{}, wrong: map[string]string{}}
}

// set sets the clock, and takes it that nothing was told since.
func (l *timeline) set(t *testing.T, clock *rig.Skew, by time.Duration) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	clock.Set(t, by)
	l.clock, l.from, l.times = *clock, clock.Now(), map[string]map[pcommon.Timestamp]bool{}
}

// told is of how many moments since the clock was set somebody told.
func (l *timeline) told(teller string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.times[teller])
}

func (l *timeline) age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.Now().Sub(l.from).Round(time.Second)
}

func (l *timeline) take(md pmetric.Metrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rm := range md.ResourceMetrics().All() {
		of := fmt.Sprint(rm.Resource().Attributes().AsRaw())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				switch metric.Type() {
				case pmetric.MetricTypeSum:
					for _, p := range metric.Sum().DataPoints().All() {
						l.tell(sm.Scope().Name(), p)
						// What engines count has the start that they tell, by their clock.
						if metric.Sum().IsMonotonic() && !strings.HasSuffix(sm.Scope().Name(), tellers[0]) {
							l.sum(metric.Name(), of, p)
						}
					}
				case pmetric.MetricTypeGauge:
					for _, p := range metric.Gauge().DataPoints().All() {
						l.tell(sm.Scope().Name(), p)
						if strings.HasSuffix(metric.Unit(), "/s") {
							l.rate(metric.Name(), p)
						}
					}
				}
			}
		}
	}
}

func (l *timeline) tell(scope string, p pmetric.NumberDataPoint) {
	at := p.Timestamp().AsTime()
	if p.Flags().NoRecordedValue() || at.Before(l.from) || at.After(l.clock.Now()) {
		return
	}
	teller := scope[strings.LastIndexByte(scope, '/')+1:]
	if l.times[teller] == nil {
		l.times[teller] = map[pcommon.Timestamp]bool{}
	}
	l.times[teller][p.Timestamp()] = true
}

func (l *timeline) sum(metric, of string, p pmetric.NumberDataPoint) {
	if p.Flags().NoRecordedValue() {
		return
	}
	key := metric + of + fmt.Sprint(p.Attributes().AsRaw())
	now, before := last{p.StartTimestamp(), p.Timestamp(), number(p)}, l.series[key]
	l.series[key] = now
	if now.start > now.at {
		l.wrong[metric] = fmt.Sprintf("%s: starts at %s, after its time, %s", key, now.start.AsTime(), now.at.AsTime())
	}
	if now.start != before.start {
		return
	}
	if now.value < before.value {
		l.wrong[metric] = fmt.Sprintf("%s: fell from %g to %g", key, before.value, now.value)
	}
	elapsed := now.at.AsTime().Sub(before.at.AsTime()).Seconds()
	if metric == "llm.phase.worker.time" && now.value-before.value > elapsed+0.001 {
		l.wrong[metric] = fmt.Sprintf("%s: %g s more in %g s", key, now.value-before.value, elapsed)
	}
}

func (l *timeline) rate(metric string, p pmetric.NumberDataPoint) {
	if value := number(p); !p.Flags().NoRecordedValue() && value < 0 {
		l.wrong[metric] = fmt.Sprintf("%s: %g", metric, value)
	}
}

func number(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

// faults are those found.
func (l *timeline) faults() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.wrong))
}
