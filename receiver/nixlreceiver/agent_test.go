package nixlreceiver

import (
	"os"
	"testing"
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
	assert.LessOrEqual(t, n, 40, "points of an agent")
}

// TestAutoTakesWhatNobodyTakes: the ring is left alone for takeover_after, then emptied.
func TestAutoTakesWhatNobodyTakes(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.survey()
	r.after(time.Minute)
	w.event(4, 1)
	before, err := os.ReadFile(w.path)
	require.NoError(t, err)
	r.cfg.Sources.Buffer.TakeoverAfter = 2 * time.Minute
	r.after(59 * time.Second)
	after, err := os.ReadFile(w.path)
	require.NoError(t, err)
	assert.Equal(t, before, after, "it only looks")
	assert.Equal(t, 1.0, r.told().value(t, signal.NIXLMemory), "and tells what it sees")
	r.after(2 * time.Second)
	assert.Equal(t, uint64(1), *w.word(8), "the event is taken out")
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

func TestARestartBeginsNewStreams(t *testing.T) {
	for name, capacity := range map[string]int{"of the same size": 64, "smaller": 8, "larger": 4096} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
			w := newWriter(t, r.dir, "a", 64)
			r.run(10, 1, w)
			began := r.now
			w.transfer(true)
			r.look()
			w.transfer(true) // read, but not told before the end
			r.after(time.Second)
			w.end()
			r.stop(10)
			r.now = r.now.Add(time.Second)
			again := newWriter(t, r.dir, "a", capacity)
			r.run(11, 2, again)
			again.transfer(false)
			r.poll()
			restarted := r.now
			got := r.look()
			io := got.of(signal.NIXLTransferIO, signal.AttrNetDirection, "transmit")
			require.Len(t, io, 2, "the last of the first life, the first of the second")
			assert.Equal(t, 2.0*(1<<20), io[0].value)
			assert.Equal(t, began.UTC(), io[0].start)
			assert.Zero(t, io[1].value)
			assert.Equal(t, restarted.UTC(), io[1].start)
			assert.Equal(t, io[0].resource, io[1].resource)
			in := got.of(signal.NIXLTransferIO, signal.AttrNetDirection, "receive")
			assert.Equal(t, []float64{0, 1 << 20}, []float64{in[0].value, in[1].value})
			assert.Equal(t, 1.0, got.of(signal.NIXLAgentRestarts)[1].value)
			assert.Equal(t, int64(11), got.of(signal.NIXLAgentInfo)[1].attributes[signal.AttrProcessPID])
		})
	}
}

func TestADeadAgentIsDrainedAndThenForgotten(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.look()
	w.transfer(true)
	w.end()
	r.stop(10)
	r.after(6 * time.Second)
	got := r.told()
	assert.Equal(t, 1.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	assert.Equal(t, 0.0, got.value(t, signal.NIXLAgentUp))
	assert.Equal(t, 0.0, got.value(t, signal.NIXLAgents, signal.AttrNIXLSource, "buffer"))
	r.after(r.cfg.StaleAfter + time.Second)
	assert.Len(t, r.told().of(signal.NIXLAgentUp), 1, "the last points")
	r.after(time.Hour)
	assert.Empty(t, r.told().of(signal.NIXLAgentUp))
	assert.FileExists(t, w.path)
	assert.Empty(t, r.fleet.agents)

	again := newWriter(t, r.dir, "a", 64)
	require.NoError(t, os.Chtimes(again.path, r.now, r.now)) // what ftruncate does, later
	r.run(11, 2, again)
	again.transfer(true)
	assert.Equal(t, 1.0, r.look().value(t, signal.NIXLAgentUp), "it comes back")
}

func TestARingLeftBehindEmptyIsNoAgent(t *testing.T) {
	r := newRig(t, nil)
	newWriter(t, r.dir, "a", 64).end()
	r.after(10 * time.Second)
	assert.Empty(t, r.told().of(signal.NIXLAgentInfo))
	assert.Empty(t, r.fleet.agents)
}

func TestAnUnlinkedRingIsReadToItsEnd(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.look()
	require.NoError(t, os.Remove(w.path))
	w.transfer(true)
	r.after(time.Minute)
	assert.Equal(t, 1.0, r.told().value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	w.transfer(true)
	w.end()
	r.stop(10)
	r.after(10 * time.Second)
	last := r.told().of(signal.NIXLTransferCount, signal.AttrNetDirection, "transmit")
	require.Len(t, last, 1)
	assert.Equal(t, 2.0, last[0].value)
	assert.Empty(t, r.fleet.agents)
}

func TestAFileThatTakesTheNameOfAnother(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	w.transfer(true)
	r.look()
	require.NoError(t, os.Rename(w.path, w.path+".old"))
	require.NoError(t, os.Remove(w.path+".old"))
	again := newWriter(t, r.dir, "a", 64)
	r.run(11, 1, again)
	r.now = r.now.Add(time.Second)
	got := r.look()
	io := got.of(signal.NIXLTransferIO, signal.AttrNetDirection, "transmit")
	require.Len(t, io, 2)
	assert.Equal(t, []float64{1 << 20, 0}, []float64{io[0].value, io[1].value})
	restarts := got.of(signal.NIXLAgentRestarts)
	assert.Equal(t, 1.0, restarts[1].value)
	assert.Len(t, r.fleet.agents, 1)
}

// TestWithoutPrivilegesLifeIsUnknown: nobody's maps can be read, so that up is not told.
func TestWithoutPrivilegesLifeIsUnknown(t *testing.T) {
	r := newRig(t, nil)
	delete(r.proc, "2/stat") // a container's own /proc
	w := newWriter(t, r.dir, "a", 64)
	w.transfer(true)
	got := r.look()
	assert.Empty(t, got.of(signal.NIXLAgentUp))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	assert.Len(t, got.of(signal.SourceMissing, signal.AttrSource, "nixl.owner"), 1)
	r.after(time.Hour)
	assert.Len(t, r.told().of(signal.NIXLTransferCount), 2, "it is not taken for dead")
}
