package llmenginereceiver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
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

// TestStreamsJoinTheWorkerOfTheirPage: one target with two ranks, each with both streams.
func TestStreamsJoinTheWorkerOfTheirPage(t *testing.T) {
	e := newEngine(t)
	e.metrics.Store(answer(`# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3
vllm:num_requests_running{engine="1",model_name="m"} 3
`))
	dir := t.TempDir()
	var kvs [2]*stream.KVPublisher
	var passes [2]*stream.PassPublisher
	var err error
	for rank := range kvs {
		kvs[rank] = publisher(t, stream.KVOptions{Endpoint: "ipc://" + dir + "/kv", ReplayEndpoint: "ipc://" + dir + "/replay", Rank: rank})
		passes[rank], err = stream.NewPassPublisher(stream.PassOptions{
			Endpoint: "ipc://" + dir + "/fpm", Rank: rank, Dialect: stream.SGLangPasses, Heartbeat: -1,
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = passes[rank].Close() })
	}
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{{
			Endpoint:      e.URL,
			KVEvents:      &KVStreamConfig{Endpoint: "ipc://" + dir + "/kv", ReplayEndpoint: "ipc://" + dir + "/replay", Ranks: 2},
			ForwardPasses: &PassStreamConfig{Endpoint: "ipc://" + dir + "/fpm.{rank}", Ranks: 2},
		}}
	})
	followed(t, kvs[0], kvs[1], passes[0], passes[1])
	kvs[1].Publish(stored(epoch, 0, 1))
	r.reaches(1, instance(e)+"/dp1", signal.KVBlockResident)
	worker := instance(e) + "/dp0"
	kvs[0].Publish(stored(epoch, 0, 1, 2, 3, 4))
	kvs[0].Publish(stored(epoch+100, 2, 5, 6))
	kvs[0].Publish(removed(epoch+101, 6))
	passes[0].Publish(stream.ForwardPass{WallTime: 0.25, Scheduled: stream.ScheduledRequests{Prefills: 1, PrefillTokens: 80, Decodes: 2, DecodeKVTokens: 70}})
	passes[0].Publish(stream.ForwardPass{WallTime: 0.5, Scheduled: stream.ScheduledRequests{Prefills: 1, PrefillTokens: 20, PrefillKVTokens: 5}})

	r.reaches(5, worker, signal.KVBlockResident, signal.AttrCacheTier, "gpu")
	r.reaches(2, worker, signal.SourceMessages, signal.AttrSource, signal.SourceForwardPasses, signal.AttrOutcome, "taken")
	for _, tt := range []struct {
		want       float64
		name       string
		attributes []string
	}{
		{6, signal.KVBlockStored, []string{signal.AttrCacheTier, "gpu"}},
		{1, signal.KVBlockRemoved, []string{signal.AttrCacheTier, "gpu"}},
		{1, signal.KVBlockResidence, []string{signal.AttrCacheTier, "gpu"}},
		{8, signal.KVReuseDistance, nil},
		{32, signal.KVReuseTokens, nil},
		{96, signal.KVStoredTokens, []string{signal.AttrMissCause, "compulsory"}},
		{0, signal.KVRegretTokens, nil},
		{1, signal.KVEventsKnown, nil},
		{1, signal.KVSamplingRate, nil},
		{1, signal.SourceConnected, []string{signal.AttrSource, signal.SourceKVEvents}},
		{3, signal.SourceMessages, []string{signal.AttrSource, signal.SourceKVEvents, signal.AttrOutcome, "taken"}},
		{0, signal.SourceLost, []string{signal.AttrSource, signal.SourceForwardPasses}},
		{1, signal.StepCount, []string{signal.AttrComposition, "mixed"}},
		{0.25, signal.StepTime, []string{signal.AttrComposition, "mixed"}},
		{0.5, signal.StepTime, []string{signal.AttrComposition, "prefill"}},
		{0, signal.StepTime, []string{signal.AttrComposition, "decode"}},
		{80, signal.StepPrefillTokens, []string{signal.AttrComposition, "mixed"}},
		{5, signal.StepPrefillKVTokens, []string{signal.AttrComposition, "prefill"}},
		{2, signal.StepDecodeSequences, []string{signal.AttrComposition, "mixed"}},
		{70, signal.StepDecodeKVTokens, []string{signal.AttrComposition, "mixed"}},
		{1, signal.StepDuration, []string{signal.AttrComposition, "prefill"}},
		{1, signal.StepInfo, []string{signal.AttrTimingScope, "unstated"}},
	} {
		got, ok := r.point(worker, tt.name, tt.attributes...)
		assert.True(t, ok, tt.name)
		assert.Equal(t, tt.want, got, "%s %v", tt.name, tt.attributes)
	}
	sameResource(t, r, worker)
	sameResource(t, r, instance(e)+"/dp1")
	checkPoints(t, r)
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

func TestAStreamAlone(t *testing.T) {
	p := publisher(t, stream.KVOptions{Wire: stream.Wire{Dialect: stream.SGLang}})
	r, worker := streamOnly(t, p, "")
	p.Publish(stored(epoch, 0, 1, 2))
	r.reaches(2, worker, signal.KVBlockResident)
	_, n := r.last(worker)
	assert.Zero(t, n, "nothing is scraped")
}

// TestAGapIsSeen: it is on a metric, in the status and in the log, and resident blocks are left out while they are not known.
func TestAGapIsSeen(t *testing.T) {
	p := publisher(t, stream.KVOptions{})
	r, worker := streamOnly(t, p, "")
	p.Publish(stored(epoch, 0, 1, 2))
	r.reaches(1, worker, signal.KVEventsKnown)
	p.Faults().DropNext(3)
	for i := range 4 {
		p.Publish(removed(epoch+float64(i), 1))
	}
	r.reaches(0, worker, signal.KVEventsKnown)
	r.reaches(3, worker, signal.SourceLost, signal.AttrSource, signal.SourceKVEvents)
	_, ok := r.point(worker, signal.KVBlockResident)
	assert.False(t, ok)
	require.Eventually(t, func() bool { return lastStatus(r) == componentstatus.StatusRecoverableError }, patience, poll)
	p.Publish(cleared(epoch + 10))
	r.reaches(1, worker, signal.KVEventsKnown)
	r.reaches(0, worker, signal.KVBlockResident)
	require.Eventually(t, func() bool { return lastStatus(r) == componentstatus.StatusOK }, patience, poll)
	assert.Equal(t, 1, r.logs.FilterMessage("The stream is in trouble").Len())
	checkPoints(t, r)
}

func lastStatus(r *rig) componentstatus.Status {
	all := r.host.all()
	if len(all) == 0 {
		return componentstatus.StatusNone
	}
	return all[len(all)-1]
}

func TestReplayAndRestart(t *testing.T) {
	p := publisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	p.Publish(stored(epoch, 0, 1, 2)) // before anybody listens
	r, worker := streamOnly(t, p, p.ReplayEndpoint())
	p.Faults().DropNext(1)
	p.Publish(stored(epoch+1, 2, 3, 4, 5, 6))
	p.Publish(removed(epoch+2, 1))
	r.reaches(5, worker, signal.KVBlockResident)
	r.reaches(2, worker, signal.SourceMessages, signal.AttrSource, signal.SourceKVEvents, signal.AttrOutcome, "replayed")
	p.Restart()
	followed(t, p)
	p.Publish(stored(epoch+10, 0, 7))
	r.reaches(1, worker, signal.KVBlockResident)
	r.reaches(7, worker, signal.KVBlockStored)
	r.reaches(1, worker, signal.KVEventsKnown)
	checkPoints(t, r)
}

// TestGarbageCostsItself: a page, forward passes and another engine's events go on.
func TestGarbageCostsItself(t *testing.T) {
	e := newEngine(t)
	bad, good := publisher(t, stream.KVOptions{}), publisher(t, stream.KVOptions{})
	passes := passPublisher(t, stream.PassOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{
			{Endpoint: e.URL, KVEvents: &KVStreamConfig{Endpoint: bad.Endpoint()}, ForwardPasses: &PassStreamConfig{Endpoint: passes.Endpoint()}},
			{KVEvents: &KVStreamConfig{Endpoint: good.Endpoint()}},
			{KVEvents: &KVStreamConfig{Endpoint: "ipc://" + t.TempDir() + "/nobody"}},
		}
	})
	followed(t, bad, good, passes)
	bad.Faults().GarbageNext(2)
	bad.Publish(stored(epoch, 0, 1))
	bad.Publish(stored(epoch, 0, 1))
	passes.Faults().GarbageNext(1)
	passes.Publish(stream.ForwardPass{})
	passes.Publish(stream.ForwardPass{WallTime: 1, Scheduled: stream.ScheduledRequests{Decodes: 1}})
	good.Publish(stored(epoch, 0, 1, 2))
	r.reaches(2, instance(e), signal.SourceMessages, signal.AttrSource, signal.SourceKVEvents, signal.AttrOutcome, "malformed")
	r.reaches(1, instance(e), signal.SourceMessages, signal.AttrSource, signal.SourceForwardPasses, signal.AttrOutcome, "malformed")
	r.reaches(1, instance(e), signal.StepCount, signal.AttrComposition, "decode")
	r.reaches(0, instance(e), signal.KVEventsKnown)
	r.reaches(2, good.Endpoint()[len("tcp://"):], signal.KVBlockResident)
	r.waitUp(e, 1)
	require.NoError(t, bad.Close())
	require.NoError(t, passes.Close())
	r.reaches(0, instance(e), signal.SourceConnected, signal.AttrSource, signal.SourceKVEvents)
	r.reaches(0, instance(e), signal.SourceConnected, signal.AttrSource, signal.SourceForwardPasses)
	good.Publish(stored(epoch+1, 2, 3))
	r.reaches(3, good.Endpoint()[len("tcp://"):], signal.KVBlockResident)
	_, before := r.last(instance(e))
	r.until(func() bool { _, n := r.last(instance(e)); return n > before+2 }, "scrapes go on")
	checkPoints(t, r)
}

// TestTimesThatCannotBe: an engine's clock that is a day off is not believed.
func TestTimesThatCannotBe(t *testing.T) {
	p := publisher(t, stream.KVOptions{})
	r, worker := streamOnly(t, p, "")
	p.Publish(stored(1e300, 0, 1))
	p.Publish(removed(-5, 1))
	r.reaches(1, worker, signal.KVBlockResidence)
	for _, md := range r.sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			if m, ok := named(rm, signal.KVBlockResidence); ok {
				assert.Less(t, m.Histogram().DataPoints().At(0).Sum(), 3600.0)
			}
		}
	}
}

func TestAPipelineThatRefuses(t *testing.T) {
	p := publisher(t, stream.KVOptions{})
	sink := consumertest.NewErr(consumererror.NewPermanent(fmt.Errorf("full")))
	r := startRig(t, sink, func(c *Config) { c.Streams.KVEvents.Stream = KVStreamConfig{Endpoint: p.Endpoint()} })
	followed(t, p)
	r.until(func() bool { return r.logs.FilterMessage("The pipeline refuses the points of the streams").Len() == 1 }, "a line")
}

// TestAFleetIsSeenAcrossReceivers: receiver_creator starts one receiver an engine; those of one factory share the view.
func TestAFleetIsSeenAcrossReceivers(t *testing.T) {
	a, b := publisher(t, stream.KVOptions{}), publisher(t, stream.KVOptions{})
	shared := newFleets()
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
	require.Eventually(t, func() bool { n, _ := last(signal.Coverage); return n == 1 }, patience, poll)
	b.Publish(stored(epoch, 0, 1, 2, 9))
	require.Eventually(t, func() bool { n, _ := last(signal.KVDuplicates); return n == 32 }, patience, poll)
	require.Eventually(t, func() bool { n, _ := last(signal.KVRoutingTokens); return n == 32 }, patience, poll)
	ratio, _ := last(signal.KVDuplicateRatio)
	assert.InDelta(t, 2.0/6, ratio, 1e-9)
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
	r.until(func() bool { return len(sources(instance(other))) == 2 && len(sources(instance(e))) == 1 }, "hints")
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
	_, ok := c.update(1e6, 5e5)
	assert.False(t, ok, "what came before the first look does not count")
	share, ok := c.update(1e6+2000, 5e5+1600)
	assert.True(t, ok)
	assert.InDelta(t, 0.8, share, 1e-9)
	share, _ = c.update(100, 5e5+1600) // the engine began anew
	assert.InDelta(t, 0.8, share, 1e-9)
	for range 200 {
		share, _ = c.update(c.lastHits+1000, c.lastTouched+2000)
	}
	assert.InDelta(t, 0.5, share, 0.01, "events that show too much are no full coverage")
}
