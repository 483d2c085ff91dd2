package llmenginereceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream" //nolint:depguard // it publishes as engines do
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	loopback = "tcp://127.0.0.1:0"
	poll     = 5 * time.Millisecond
	epoch    = 1_700_000_000.0 // of handClock
)

func publisher(t *testing.T, o stream.KVOptions) *stream.KVPublisher {
	t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = loopback
	}
	p, err := stream.NewKVPublisher(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func passPublisher(t *testing.T, o stream.PassOptions) *stream.PassPublisher {
	t.Helper()
	o.Endpoint, o.Heartbeat = loopback, -1
	p, err := stream.NewPassPublisher(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func stored(at float64, parent uint64, hashes ...uint64) stream.KVBatch {
	e := stream.KVEvent{Kind: stream.BlockStored, Hashes: hashes, BlockSize: 16, Medium: "GPU", Tokens: make([]uint32, 16*len(hashes))}
	if parent != 0 {
		e.Parent = &parent
	}
	return stream.KVBatch{Time: at, Events: []stream.KVEvent{e}}
}

func removed(at float64, hashes ...uint64) stream.KVBatch {
	return stream.KVBatch{Time: at, Events: []stream.KVEvent{{Kind: stream.BlockRemoved, Hashes: hashes, Medium: "GPU"}}}
}

func cleared(at float64) stream.KVBatch {
	return stream.KVBatch{Time: at, Events: []stream.KVEvent{{Kind: stream.AllBlocksCleared}}}
}

type listener interface{ Subscribers() int }

func followed(t *testing.T, ps ...listener) {
	t.Helper()
	for _, p := range ps {
		require.Eventually(t, func() bool { return p.Subscribers() > 0 }, patience, poll)
	}
}

// point is a value of the newest batch that has an instance's metric; attributes are name and value in turn.
func (r *rig) point(instance, name string, attributes ...string) (float64, bool) {
	all := r.sink.AllMetrics()
	for i := len(all) - 1; i >= 0; i-- {
		for _, rm := range all[i].ResourceMetrics().All() {
			id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
			if id.Str() != instance {
				continue
			}
			if _, isStream := named(rm, signal.SourceConnected); !isStream {
				continue
			}
			m, ok := named(rm, name)
			if !ok {
				return 0, false
			}
			return value(m, attributes)
		}
	}
	return 0, false
}

func named(rm pmetric.ResourceMetrics, name string) (pmetric.Metric, bool) {
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		if m.Name() == name {
			return m, true
		}
	}
	return pmetric.Metric{}, false
}

func value(m pmetric.Metric, attributes []string) (float64, bool) {
	has := func(a pcommon.Map) bool {
		for i := 0; i < len(attributes); i += 2 {
			if v, ok := a.Get(attributes[i]); !ok || v.Str() != attributes[i+1] {
				return false
			}
		}
		return true
	}
	if m.Type() == pmetric.MetricTypeHistogram {
		for _, p := range m.Histogram().DataPoints().All() {
			if has(p.Attributes()) {
				return float64(p.Count()), true
			}
		}
		return 0, false
	}
	var points pmetric.NumberDataPointSlice
	if m.Type() == pmetric.MetricTypeSum {
		points = m.Sum().DataPoints()
	} else {
		points = m.Gauge().DataPoints()
	}
	for _, p := range points.All() {
		if has(p.Attributes()) {
			return p.DoubleValue() + float64(p.IntValue()), true
		}
	}
	return 0, false
}

// reaches waits for a value.
func (r *rig) reaches(want float64, instance, name string, attributes ...string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		r.clock.tick(5 * time.Second)
		got, ok := r.point(instance, name, attributes...)
		return ok && got == want
	}, patience, poll, "%s %v of %s", name, attributes, instance)
}

// sameResource holds the resources of a worker's page and of its streams equal.
func sameResource(t *testing.T, r *rig, worker string) {
	t.Helper()
	var page, streams map[string]any
	for _, md := range r.sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			if id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID); id.Str() != worker {
				continue
			}
			if _, ok := named(rm, signal.Up); ok {
				page = rm.Resource().Attributes().AsRaw()
			} else {
				streams = rm.Resource().Attributes().AsRaw()
			}
		}
	}
	require.NotEmpty(t, page)
	assert.Equal(t, page, streams)
}

// checkPoints holds every point that came out against the vocabulary, and every sum and histogram against the one before.
func checkPoints(t *testing.T, r *rig) {
	t.Helper()
	table := signal.Index(signal.All())
	last := map[string]float64{}
	for _, md := range r.sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
			n, seen := 0, map[string]bool{}
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				declared, ok := table[m.Name()]
				require.True(t, ok, m.Name())
				require.False(t, seen[m.Name()], "%s is there twice", m.Name())
				seen[m.Name()] = true
				require.Equal(t, declared.Unit, m.Unit(), m.Name())
				eachPoint(m, func(a pcommon.Map, start pcommon.Timestamp, v float64) {
					n++
					for name := range a.All() {
						require.Contains(t, declared.Attributes, name, m.Name())
					}
					if declared.Instrument != signal.Sum && declared.Instrument != signal.Histogram {
						return
					}
					require.NotZero(t, start, m.Name())
					key := fmt.Sprint(id.Str(), m.Name(), a.AsRaw(), start)
					require.GreaterOrEqual(t, v, last[key], key)
					last[key] = v
				})
			}
			require.Less(t, n, 350)
		}
	}
}

func eachPoint(m pmetric.Metric, f func(pcommon.Map, pcommon.Timestamp, float64)) {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			f(p.Attributes(), p.StartTimestamp(), float64(p.Count()))
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			f(p.Attributes(), p.StartTimestamp(), p.DoubleValue()+float64(p.IntValue()))
		}
	default:
		for _, p := range m.Gauge().DataPoints().All() {
			f(p.Attributes(), p.StartTimestamp(), p.DoubleValue())
		}
	}
}

// streamOnly follows one publisher of KV events and nothing else.
func streamOnly(t *testing.T, p *stream.KVPublisher, replay string) (*rig, string) {
	t.Helper()
	r := startRig(t, nil, func(c *Config) {
		c.Streams.KVEvents.Stream = KVStreamConfig{Endpoint: p.Endpoint(), ReplayEndpoint: replay}
	})
	followed(t, p)
	return r, p.Endpoint()[len("tcp://"):]
}

func lastStatus(r *rig) componentstatus.Status {
	all := r.host.all()
	if len(all) == 0 {
		return componentstatus.StatusNone
	}
	return all[len(all)-1]
}
