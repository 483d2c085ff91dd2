package llmenginereceiver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream" //nolint:depguard // it publishes as engines do
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

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

	r.reaches(5, worker, signal.KVBlockResident, signal.AttrCacheTier, signal.TierDevice)
	r.reaches(2, worker, signal.SourceMessages, signal.AttrSource, signal.SourceForwardPasses, signal.AttrOutcome, "taken")
	for _, tt := range []struct {
		want       float64
		name       string
		attributes []string
	}{
		{6, signal.KVBlockStored, []string{signal.AttrCacheTier, signal.TierDevice}},
		{1, signal.KVBlockRemoved, []string{signal.AttrCacheTier, signal.TierDevice}},
		{1, signal.KVBlockResidence, []string{signal.AttrCacheTier, signal.TierDevice}},
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

func TestPagesCanBeLeftAlone(t *testing.T) {
	e := newEngine(t)
	p := publisher(t, stream.KVOptions{})
	r := startRig(t, nil, func(c *Config) {
		c.Scrape.Endpoints = []EndpointConfig{{Endpoint: e.URL, Fleet: "blue", KVEvents: &KVStreamConfig{Endpoint: p.Endpoint()}}}
		c.Streams.Pages.Enabled = false
	})
	followed(t, p)
	p.Publish(stored(epoch, 0, 1))
	r.reaches(1, instance(e), signal.KVBlockResident)
	_, n := r.last(instance(e))
	assert.Zero(t, n)
	assert.Zero(t, e.versions.Load())
}
