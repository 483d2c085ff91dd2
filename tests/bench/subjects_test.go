package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// built is the collector, which `make test` has built before.
const built = "../../bin/otelcol-inference"

// setting is a load with the subjects that need nothing but what is built here.
type setting struct {
	subjects []subject
	open     func() (work, error)
}

func settings(t *testing.T) map[string]setting {
	p, err := readPage(recorded)
	require.NoError(t, err)
	o := options{peers: true, interval: time.Second, targets: 2}
	all, err := scrapers(o, built, p)
	require.NoError(t, err)
	points, err := record(built, 2, p)
	require.NoError(t, err)
	stub := gputest.BuildStub(t)
	return map[string]setting{
		"scrape": {all, func() (work, error) { return scrapes(o, p) }},
		"nixl":   {ringReaders(o, built), func() (work, error) { return transfers(5000) }},
		"nvml":   {gpuReaders(o, built), func() (work, error) { return gpus(stub) }},
		"otlp":   {pipelines(built, false), func() (work, error) { return send(points, time.Second) }},
		"agent":  {[]subject{agent(built)}, func() (work, error) { return busyHost(stub, p, 1000, 500) }},
		"many":   {many(o, built)[2:], func() (work, error) { return scrapes(o, p) }},
	}
}

// TestEachSubject has the collector itself say that it takes what is written for it, and runs each for a moment, so that none of them
// measures an error. The floor is this very program, and has a test of its own; what else is no collector is not built here.
func TestEachSubject(t *testing.T) {
	for load, set := range settings(t) {
		require.NoError(t, checkAll(set.subjects, set.open))
		for _, s := range set.subjects {
			if s.name == idle || s.other {
				continue
			}
			w, err := set.open()
			require.NoError(t, err)
			at, err := newSite(t.TempDir(), w.targets)
			require.NoError(t, err)
			c, err := start(s, at)
			require.NoError(t, err)
			assert.Eventually(t, func() bool {
				points, err := c.counted(s.points)
				return err == nil && points > 0 && w.done() >= w.ready
			}, time.Minute, 50*time.Millisecond, "%s: %s", load, s.name)
			assert.NoError(t, c.stop(), s.name)
			if load == "nixl" {
				assert.Less(t, 10*w.lost(), w.done(), "a ring holds 0.2 s, for which a busy machine may do something else")
			}
			assert.NoError(t, w.close())
		}
	}
}

// emitted runs a pipeline until something is true of a batch that leaves it.
func emitted(t *testing.T, p pipeline, at site, enough func(pmetric.Metrics) bool) (found pmetric.Metrics) {
	out := filepath.Join(at.dir, "out")
	p.exporter = "  file: {path: " + out + ", flush_interval: 100ms}"
	c, err := start(collector("test", built, func(site) pipeline { return p }), at)
	require.NoError(t, err)
	assert.Eventually(t, func() bool {
		b, _ := os.ReadFile(out)
		for line := range bytes.Lines(b) {
			md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
			if err == nil && md.ResourceMetrics().Len() > 0 && enough(md) {
				found = md
				return true
			}
		}
		return false
	}, time.Minute, 100*time.Millisecond)
	require.NoError(t, c.stop())
	return found
}

// TestOTTLRenames holds what leaves the peer equal to the vocabulary: it does the work that it is measured at.
func TestOTTLRenames(t *testing.T) {
	p, err := readPage(recorded)
	require.NoError(t, err)
	f, err := serve(1, p)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.close()) }()
	at, err := newSite(t.TempDir(), f.addresses)
	require.NoError(t, err)
	processors, err := ottl(p)
	require.NoError(t, err)
	peer := pipeline{receiver: prometheusReceiver(time.Second, at), processors: processors, order: []string{"filter", "transform"}}
	md := emitted(t, peer, at, func(pmetric.Metrics) bool { return true })
	words, names := signal.Index(signal.EngineMetrics()), map[string]bool{}
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		word, known := words[m.Name()]
		assert.True(t, known, m.Name())
		assert.Equal(t, word.Unit, m.Unit(), m.Name())
		names[m.Name()] = true
	}
	for _, name := range []string{signal.TTFT, signal.PhaseTime, signal.Waiting, signal.TokensPrompt, signal.KVHitTokens} {
		assert.True(t, names[name], name)
	}
}

// TestSentPointsAreConsumed: the processors derive something from what the load calls points of engines, and a point that is foreign has
// nothing of an engine.
func TestSentPointsAreConsumed(t *testing.T) {
	p, err := readPage(recorded)
	require.NoError(t, err)
	points, err := record(built, 2, p)
	require.NoError(t, err)
	w, err := send(points, time.Second)
	require.NoError(t, err)
	at, err := newSite(t.TempDir(), w.targets)
	require.NoError(t, err)
	ours := ourProcessors()
	ours.receiver = fmt.Sprintf("  otlp: {protocols: {http: {endpoint: %q}}}", w.targets[0])
	emitted(t, ours, at, func(md pmetric.Metrics) bool {
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if m.Name() == signal.PhaseWorkerTime {
				return true
			}
		}
		return false
	})
	assert.NoError(t, w.close())
	count := points.DataPointCount()
	estrange(points)
	assert.Equal(t, count, points.DataPointCount())
	_, engine := points.ResourceMetrics().At(0).Resource().Attributes().Get(signal.AttrEngineName)
	assert.False(t, engine)
}
