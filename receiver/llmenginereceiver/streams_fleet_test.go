package llmenginereceiver

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream" //nolint:depguard // it publishes as engines do
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestAFleetIsSeenAcrossReceivers: receiver_creator starts one receiver an engine; those of one factory share the view.
func TestAFleetIsSeenAcrossReceivers(t *testing.T) {
	a, b := publisher(t, stream.KVOptions{}), publisher(t, stream.KVOptions{})
	shared := newShared()
	sink := new(consumertest.MetricsSink)
	clocks := [2]*handClock{newHandClock(), newHandClock()}
	for i, p := range []*stream.KVPublisher{a, b} {
		cfg := createDefaultConfig().(*Config)
		cfg.Scrape.Fleet = "blue"
		cfg.Streams.KVEvents.Stream = KVStreamConfig{Endpoint: p.Endpoint()}
		r := startShared(t, cfg, sink, clocks[i], shared)
		t.Cleanup(func() { require.NoError(t, r.Shutdown(context.Background())) })
	}
	followed(t, a, b)
	a.Publish(stored(epoch, 0, 1, 2, 3))
	last := func(name string) (float64, bool) {
		for _, c := range clocks {
			c.tick(5 * time.Second)
		}
		all := sink.AllMetrics()
		for i := len(all) - 1; i >= 0; i-- {
			for _, rm := range all[i].ResourceMetrics().All() {
				if m, ok := named(rm, name); ok {
					if v, _ := value(m, nil); v > 0 {
						return v, true
					}
				}
			}
		}
		return 0, false
	}
	require.Eventually(t, func() bool { n, _ := last(signal.KVBlockStored); return n == 3 }, patience, poll)
	require.Eventually(t, func() bool { n, _ := last(signal.Coverage); return n == 0.5 }, patience, poll, "b has not said a word")
	b.Publish(stored(epoch, 0, 1, 2, 9))
	require.Eventually(t, func() bool { n, _ := last(signal.Coverage); return n == 1 }, patience, poll)
	require.Eventually(t, func() bool { n, _ := last(signal.KVDuplicates); return n == 32 }, patience, poll)
	require.Eventually(t, func() bool { n, _ := last(signal.KVRoutingTokens); return n == 32 }, patience, poll)
	ratio, _ := last(signal.KVDuplicateRatio)
	assert.InDelta(t, 2.0/6, ratio, 1e-9)
}

// TestAnEngineThatDiesIsNotKnown: what it held is no duplicate, and is not known again before the next engine there has spoken.
func TestAnEngineThatDiesIsNotKnown(t *testing.T) {
	a, b := publisher(t, stream.KVOptions{}), publisher(t, stream.KVOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{
			{Fleet: "blue", KVEvents: &KVStreamConfig{Endpoint: a.Endpoint()}}, {Fleet: "blue", KVEvents: &KVStreamConfig{Endpoint: b.Endpoint()}},
		}
	})
	followed(t, a, b)
	a.Publish(stored(epoch, 0, 1, 2, 3))
	b.Publish(stored(epoch, 0, 1, 2, 9))
	first, second := a.Endpoint()[len("tcp://"):], b.Endpoint()[len("tcp://"):]
	ofFleet := func(name string) (float64, bool) {
		r.clock.tick(5 * time.Second)
		all := r.sink.AllMetrics()
		for _, rm := range all[len(all)-1].ResourceMetrics().All() {
			if _, isWorker := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID); isWorker {
				continue
			}
			if m, ok := named(rm, name); ok {
				return value(m, nil)
			}
		}
		return 0, false
	}
	fleetReaches := func(name string, want float64) {
		t.Helper()
		require.Eventually(t, func() bool { n, ok := ofFleet(name); return ok && n == want }, patience, poll, name)
	}
	r.reaches(3, first, signal.KVBlockResident)
	r.reaches(3, second, signal.KVBlockResident)
	fleetReaches(signal.KVDuplicates, 32)
	require.NoError(t, b.Close())

	r.reaches(0, second, signal.KVEventsKnown)
	_, ok := r.point(second, signal.KVBlockResident)
	assert.False(t, ok)
	fleetReaches(signal.Coverage, 0.5)
	_, ok = ofFleet(signal.KVDuplicates)
	assert.False(t, ok)
	r.reaches(1, first, signal.KVEventsKnown)

	b = publisher(t, stream.KVOptions{Endpoint: b.Endpoint()})
	followed(t, b)
	r.reaches(1, second, signal.SourceConnected)
	r.reaches(0, second, signal.KVEventsKnown)
	for range 2 { // the first number is that which the old engine would have had next
		b.Publish(stored(epoch+1, 0, 1))
	}
	r.reaches(1, second, signal.KVEventsKnown)
	fleetReaches(signal.Coverage, 1)
	checkPoints(t, r)
}

// TestAFleetThatIsHalfSeenIsWithheld: another worker of the fleet is scraped and its events are not followed.
func TestAFleetThatIsHalfSeenIsWithheld(t *testing.T) {
	e, other := newEngine(t), newEngine(t)
	p := publisher(t, stream.KVOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{{Endpoint: e.URL, KVEvents: &KVStreamConfig{Endpoint: p.Endpoint()}}, {Endpoint: other.URL}}
	})
	followed(t, p)
	p.Publish(stored(epoch, 0, 1))
	r.reaches(1, instance(e), signal.KVEventsKnown)
	var withheld pmetric.Metric
	r.until(func() bool {
		var ok bool
		withheld, ok = r.find(signal.EstimateWithheld)
		return ok
	}, "withheld")
	n, ok := value(withheld, []string{signal.AttrEstimate, signal.EstimateKVDuplicates, signal.AttrReason, reasonCoverage})
	assert.True(t, ok && n > 0)
	covered, _ := r.find(signal.Coverage)
	share, _ := value(covered, []string{signal.AttrEstimate, signal.EstimateKVDuplicates})
	assert.Equal(t, 0.5, share)
	_, ok = r.find(signal.KVDuplicates)
	assert.False(t, ok)
	_, ok = r.find(signal.KVRoutingTokens)
	assert.False(t, ok)
}

func TestWhatIsMissing(t *testing.T) {
	e, other := newEngine(t), newEngine(t)
	p := publisher(t, stream.KVOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{{Endpoint: e.URL, KVEvents: &KVStreamConfig{Endpoint: p.Endpoint()}}, {Endpoint: other.URL}}
	})
	sources := func(instance string) map[string]string {
		found := map[string]string{}
		for _, md := range r.sink.AllMetrics() {
			for _, rm := range md.ResourceMetrics().All() {
				id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
				if m, ok := named(rm, signal.SourceMissing); ok && id.Str() == instance {
					for _, p := range m.Gauge().DataPoints().All() {
						source, _ := p.Attributes().Get(signal.AttrSource)
						hint, _ := p.Attributes().Get(signal.AttrSourceHint)
						found[source.Str()] = hint.Str()
					}
				}
			}
		}
		return found
	}
	r.until(func() bool {
		return sources(instance(other))[signal.SourceKVEvents] != "" && len(sources(instance(e))) > 0
	}, "what is missing")
	assert.Contains(t, sources(instance(other))[signal.SourceKVEvents], "--kv-events-config")
	assert.NotContains(t, sources(instance(e)), signal.SourceKVEvents)
}

// TestTheCoverageOfHits holds the hits of events against the engine's counter.
func TestTheCoverageOfHits(t *testing.T) {
	e := newEngine(t)
	page := func(hits int) {
		e.metrics.Store(answer(fmt.Sprintf("# TYPE vllm:prefix_cache_hits_total counter\nvllm:prefix_cache_hits_total{engine=\"0\",model_name=\"m\"} %d\n", hits)))
	}
	page(5000)
	p := publisher(t, stream.KVOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{{Endpoint: e.URL, KVEvents: &KVStreamConfig{Endpoint: p.Endpoint()}}}
	})
	followed(t, p)
	hashes := make([]uint64, 100)
	for i := range hashes {
		hashes[i] = uint64(i) + 1
	}
	p.Publish(stored(epoch, 0, hashes...))
	r.reaches(100, instance(e), signal.KVBlockResident)
	p.Publish(stored(epoch+100, 100, 200))
	r.reaches(1600, instance(e), signal.KVReuseTokens)
	page(5000 + 2000)
	require.Eventually(t, func() bool {
		r.clock.tick(5 * time.Second)
		share, ok := r.point(instance(e), signal.Coverage, signal.AttrEstimate, signal.EstimateKVReuse)
		return ok && share > 0.5 && share < 1
	}, patience, poll)
}

func TestCoverage(t *testing.T) {
	var c coverage
	share := func() float64 { v, _ := c.share(); return v }
	c.update(1e6, 5e5)
	_, ok := c.share()
	assert.False(t, ok, "what came before the first look does not count")
	c.update(1e6+2000, 5e5+1600)
	assert.InDelta(t, 0.8, share(), 1e-9)
	c.update(100, 5e5+1600) // the engine began anew
	assert.InDelta(t, 0.8, share(), 1e-9)
	for range 200 {
		c.update(c.lastHits, c.lastTouched)
	}
	assert.InDelta(t, 0.8, share(), 1e-9, "nothing is forgotten while nothing is hit")
	_, ok = c.share()
	assert.True(t, ok)
	for range 200 {
		c.update(c.lastHits+1000, c.lastTouched+2000)
	}
	assert.InDelta(t, 0.5, share(), 0.01, "events that show too much are no full coverage")
	c = coverage{primed: true}
	for i := range 200 { // each hit shows an interval later
		c.update(float64(1000*(i+1-i%2)), float64(1000*(i-i%2)))
	}
	assert.InDelta(t, 1, share(), 0.02)
}

// TestCoverageOfEqualTotals: where events show what the engine counts, the coverage is whole, however rarely the points are made.
func TestCoverageOfEqualTotals(t *testing.T) {
	e := newEngine(t)
	hits := 0
	page := func(n int) {
		hits = n
		e.metrics.Store(answer(fmt.Sprintf("# TYPE vllm:prefix_cache_hits_total counter\nvllm:prefix_cache_hits_total{engine=\"0\",model_name=\"m\"} %d\n", n)))
	}
	page(0)
	p := publisher(t, stream.KVOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{{Endpoint: e.URL, KVEvents: &KVStreamConfig{Endpoint: p.Endpoint()}}}
	})
	followed(t, p)
	hashes := make([]uint64, 100)
	for i := range hashes {
		hashes[i] = uint64(i) + 1
	}
	p.Publish(stored(epoch, 0, hashes...))
	r.reaches(100, instance(e), signal.KVBlockResident)
	for i := range 5 {
		p.Publish(stored(epoch+100*float64(i+1), 100, uint64(200+i)))
		page(hits + 1600)
		r.reaches(float64(1600*(i+1)), instance(e), signal.KVReuseTokens)
	}
	r.until(func() bool {
		share, ok := r.point(instance(e), signal.Coverage, signal.AttrEstimate, signal.EstimateKVReuse)
		return ok && share > 0.96
	}, "equal totals")
}

// TestAWorkerThatServesAnotherModelLeavesItsFleet, which is seen as a whole from then on.
func TestAWorkerThatServesAnotherModelLeavesItsFleet(t *testing.T) {
	a, b, other := newEngine(t), newEngine(t), newEngine(t)
	page := func(model string) *http.HandlerFunc {
		return answer(fmt.Sprintf("# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{engine=\"0\",model_name=%q} 1\n", model))
	}
	for _, e := range []*engine{a, b, other} {
		e.metrics.Store(page("m"))
	}
	p, q := publisher(t, stream.KVOptions{}), publisher(t, stream.KVOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{
			{Endpoint: a.URL, KVEvents: &KVStreamConfig{Endpoint: p.Endpoint()}}, {Endpoint: b.URL, KVEvents: &KVStreamConfig{Endpoint: q.Endpoint()}},
			{Endpoint: other.URL},
		}
	})
	followed(t, p, q)
	p.Publish(stored(epoch, 0, 1))
	q.Publish(stored(epoch, 0, 1))
	covered := func(want float64) {
		t.Helper()
		r.until(func() bool {
			all := r.sink.AllMetrics()
			for i := len(all) - 1; i >= 0; i-- {
				for _, rm := range all[i].ResourceMetrics().All() {
					if m, ok := named(rm, signal.Coverage); ok {
						share, ok := value(m, []string{signal.AttrEstimate, signal.EstimateKVDuplicates})
						return ok && math.Abs(share-want) < 1e-9
					}
				}
			}
			return false
		}, "coverage")
	}
	covered(2. / 3)
	other.metrics.Store(page("n"))
	covered(1)
	other.metrics.Store(page("m"))
	covered(2. / 3)
}
