package nixlreceiver

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestTransfersAreTold(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "worker-0", 64)
	r.run(10, 1, w)
	began := r.now
	w.event(4, 1<<30)
	w.transfer(true)
	w.transfer(true)
	w.transfer(false)
	w.event(11, 1)
	w.event(20, 3)
	w.event(99, 1)
	w.event(5, 1<<29)
	r.survey()
	r.now = r.now.Add(2 * time.Second)
	r.poll()
	r.now = r.now.Add(3 * time.Second)
	got := r.told()

	assert.Equal(t, 2.0*(1<<20), got.value(t, signal.NIXLTransferIO, signal.AttrNetDirection, "transmit"))
	assert.Equal(t, 1.0*(1<<20), got.value(t, signal.NIXLTransferIO, signal.AttrNetDirection, "receive"))
	assert.Equal(t, 2.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	assert.InDelta(t, 750e-6, got.value(t, signal.NIXLBusyTime), 1e-12)
	assert.Equal(t, 1.0*(1<<29), got.value(t, signal.NIXLMemory))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLErrors, signal.AttrErrorType, "not_found"))
	assert.Equal(t, 3.0, got.value(t, signal.NIXLEventsDropped, signal.AttrReason, "staging_queue"))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLEventsDropped, signal.AttrReason, "decode"))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLAgentUp))
	assert.Equal(t, 3.0, got.value(t, signal.NIXLLastEventAge))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLAgents, signal.AttrNIXLSource, "buffer"))

	duration := got.of(signal.NIXLTransferTime, signal.AttrNetDirection, "transmit")[0]
	assert.Equal(t, 2.0, duration.value)
	assert.InDelta(t, 500e-6, duration.sum, 1e-12)
	assert.Equal(t, began.UTC(), duration.start)
	p := duration.metric.Histogram().DataPoints().At(0)
	var bounds []float64
	for _, us := range nixl.DefaultBuckets() {
		bounds = append(bounds, float64(us)/1e6)
	}
	assert.Equal(t, bounds, p.ExplicitBounds().AsRaw())
	assert.Equal(t, uint64(2), p.BucketCounts().At(4), "250 us belong to the bucket up to 250 us")
	assert.InDelta(t, 2*4_194_304_000.0, got.of(signal.NIXLThroughput, signal.AttrNetDirection, "transmit")[0].sum, 1)
	assert.InDelta(t, 24e-6, got.of(signal.NIXLTransferPost, signal.AttrNetDirection, "transmit")[0].sum, 1e-12)
	assert.Equal(t, 1.0*(1<<20), got.of(signal.NIXLTransferSize, signal.AttrNetDirection, "receive")[0].sum)

	info := got.of(signal.NIXLAgentInfo)[0].attributes
	assert.Equal(t, map[string]any{
		"nixl.local_rank": "0",
		"nixl.agent.name": "worker-0", "process.pid": int64(10), "llm.engine.name": "vllm", "nixl.telemetry.reader.mode": "observe",
		"process.environment_variable.UCX_TLS": "rc",
	}, info)
	assert.Equal(t, map[string]any{
		"host.name": "h", "nixl.agent.name": "worker-0", "nixl.telemetry.source": "buffer", "nixl.layout.version": "v4",
	}, duration.resource)
}

// TestEverythingToldIsInTheVocabulary holds names, units, instruments and attributes against the table.
func TestEverythingToldIsInTheVocabulary(t *testing.T) {
	r := newRig(t, nil)
	host(r.sys, 0)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	w.transfer(true)
	w.event(11, 1)
	r.look()
	w.transfer(true)
	host(r.sys, 10<<20)
	r.now = r.now.Add(time.Second)
	all := r.look()
	table := signal.Index(signal.NIXLMetrics())
	seen := make(map[string]bool)
	for _, p := range all {
		declared, ok := table[p.name]
		require.True(t, ok, p.name)
		seen[p.name] = true
		assert.Equal(t, declared.Unit, p.metric.Unit(), p.name)
		for name := range p.attributes {
			assert.Contains(t, declared.Attributes, name, p.name)
		}
		switch declared.Instrument {
		case signal.Histogram:
			assert.Equal(t, pmetric.MetricTypeHistogram, p.metric.Type(), p.name)
		case signal.Sum, signal.UpDownCounter:
			require.Equal(t, pmetric.MetricTypeSum, p.metric.Type(), p.name)
			assert.Equal(t, declared.Instrument == signal.Sum, p.metric.Sum().IsMonotonic(), p.name)
			assert.Equal(t, pmetric.AggregationTemporalityCumulative, p.metric.Sum().AggregationTemporality(), p.name)
			assert.False(t, p.start.IsZero(), p.name)
		default:
			assert.Equal(t, pmetric.MetricTypeGauge, p.metric.Type(), p.name)
		}
	}
	for name := range table {
		assert.True(t, seen[name] || name == signal.SourceMissing, "%s is never told", name)
	}
	perAgent := all.of(signal.NIXLAgentUp)
	require.Len(t, perAgent, 1)
	n := 0
	for _, p := range all {
		if p.resource[signal.AttrNIXLAgentName] != nil {
			n++
		}
	}
	assert.LessOrEqual(t, n, 50, "points of an agent")
}

// TestAutoTakesWhatNobodyTakes: the ring is left alone for takeover_after, then emptied.
func TestAutoTakesWhatNobodyTakes(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.survey()
	r.after(time.Minute)
	for range 48 { // of 63
		w.event(4, 1)
	}
	before, err := os.ReadFile(w.path)
	require.NoError(t, err)
	r.cfg.Sources.Buffer.TakeoverAfter = 2 * time.Minute
	r.after(59 * time.Second)
	after, err := os.ReadFile(w.path)
	require.NoError(t, err)
	assert.Equal(t, before, after, "it only looks")
	assert.Equal(t, 48.0, r.told().value(t, signal.NIXLMemory), "and tells what it sees")
	r.after(2 * r.cfg.RescanInterval)
	assert.Equal(t, uint64(48), *w.word(8), "the events are taken out")
	assert.Equal(t, "consume", r.told().of(signal.NIXLAgentInfo)[0].attributes["nixl.telemetry.reader.mode"])
	for range 30 {
		w.transfer(true)
		w.transfer(true)
		r.poll()
	}
	assert.Equal(t, 60.0, r.told().value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"), "nothing is lost")
	assert.Equal(t, []string{"Nobody else empties a ring of NIXL, so it is consumed from now on"}, r.messages())
}

func TestAnotherReaderMakesUsObserve(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	w.transfer(true)
	r.look()
	assert.Equal(t, uint64(4), *w.word(8), "consume does not wait")
	var last float64
	for i := range 20 {
		w.transfer(true)
		w.steal()
		r.after(time.Second)
		got := r.told()
		count := got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit")
		assert.Greater(t, count, last)
		last = count
		assert.Equal(t, float64(i+1), got.value(t, signal.NIXLContention))
	}
	assert.Equal(t, 21.0, last)
	w.transfer(true)
	r.after(10 * time.Second)
	assert.NotEqual(t, *w.word(0), *w.word(8), "it stays away")
	assert.Contains(t, r.messages(), "Another reader empties a ring of NIXL, so it is only observed from now on")
	r.after(30 * time.Second)
	assert.Equal(t, *w.word(0), *w.word(8), "until the other is silent")
	assert.Equal(t, 22.0, r.told().value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
}

func TestObserveNeverWrites(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeObserve })
	w := newWriter(t, r.dir, "a", 8)
	r.run(10, 1, w)
	r.look()
	for range 3 {
		w.transfer(true)
	}
	before, err := os.ReadFile(w.path)
	require.NoError(t, err)
	r.after(time.Hour)
	after, err := os.ReadFile(w.path)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	got := r.told()
	assert.Equal(t, 1.0, got.value(t, signal.NIXLEventsDropped, signal.AttrReason, "ring_full"))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLRingUsage))
}

// TestAnAgentIsJoinedToItsServer: here the process that serves is the agent's own.
func TestAnAgentIsJoinedToItsServer(t *testing.T) {
	r := newRig(t, nil)
	r.run(10, 1, newWriter(t, r.dir, "a", 64))
	r.proc["10/cmdline"] = &fstest.MapFile{Data: []byte("vllm\x00serve\x00m\x00")}
	r.proc["10/net/tcp"] = &fstest.MapFile{Data: []byte("   0: 00000000:1F40 00000000:0000 0A 0:0 0:0 0 0 0 99 1\n")}
	delete(r.proc, "10/fd")
	r.proc["10/fd/5"] = &fstest.MapFile{Data: []byte("socket:[99]"), Mode: fs.ModeSymlink}
	info := r.look().of(signal.NIXLAgentInfo)
	require.Len(t, info, 1)
	assert.Equal(t, int64(8000), info[0].attributes[signal.AttrServerPort])
}
