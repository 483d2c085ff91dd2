package disaggregationprocessor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

func TestABalancedFleet(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	batches := scrapes(t, "pd-balanced", "chat", 4*time.Minute, 1)
	feed(t, p, c, batches)
	said := newest(sink, "chat")
	value := func(key string) float64 {
		v, ok := said[key]
		require.True(t, ok, "%s is not among %v", key, said)
		return v
	}
	assert.InEpsilon(t, 45e9, value("llm.transfer.bandwidthmap[]"), 0.1)
	assert.InEpsilon(t, 0.0015, value("llm.transfer.latency.basemap[]"), 0.15)
	assert.Equal(t, 3.0, value("llm.topology.workersmap[llm.engine.role:prefill llm.topology:current]"))
	assert.Greater(t, value("llm.disaggregation.scoremap[]"), 0.9)
	assert.Equal(t, 1.0, value("llm.disaggregation.bottleneckmap[llm.phase:balanced]"))
	assert.NotContains(t, said, "llm.topology.workersmap[llm.engine.role:prefill llm.topology:recommended]", "nothing better, nothing recommended")

	// What came in went through, untouched and first.
	var text pmetric.JSONMarshaler
	var passed []pmetric.Metrics
	for _, md := range sink.AllMetrics() {
		if md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().Name() != metadata.ScopeName {
			passed = append(passed, md)
		}
	}
	require.Len(t, passed, len(batches))
	for i, b := range batches[:20] {
		want, err := text.MarshalMetrics(b.md)
		require.NoError(t, err)
		got, err := text.MarshalMetrics(passed[i])
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(got))
	}
}

func TestAFleetThatWaitsForPrefill(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	feed(t, p, c, scrapes(t, "pd-prefill-bound", "chat", 4*time.Minute, 1))
	said := newest(sink, "chat")
	assert.Contains(t, said, "llm.disaggregation.bottleneckmap[llm.phase:prefill]")
	assert.Less(t, said["llm.topology.gainmap[llm.engine.role:decode]"], 0.01, "more decode workers would not help")
	assert.Greater(t, said["llm.topology.gainmap[llm.engine.role:prefill]"], 0.1)
	assert.Less(t, said["llm.disaggregation.factormap[llm.factor:balance]"], 0.5)
}

func TestWhatIsEmittedIsInTheTable(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	feed(t, p, c, scrapes(t, "hiccups", "chat", 4*time.Minute, 1))
	feed(t, p, c, scrapes(t, "aggregated-mixed", "together", 4*time.Minute, 1))
	table := signal.Index(signal.DisaggregationMetrics())
	seen := map[string]bool{}
	eachPoint(derivedOf(sink), func(_ map[string]any, m pmetric.Metric, dp pmetric.NumberDataPoint) {
		d, ok := table[m.Name()]
		require.True(t, ok, m.Name())
		assert.Equal(t, d.Unit, m.Unit(), m.Name())
		assert.Equal(t, d.Instrument == signal.Gauge, m.Type() == pmetric.MetricTypeGauge, m.Name())
		for name := range dp.Attributes().All() {
			assert.Contains(t, d.Attributes, name, m.Name())
		}
		assert.False(t, math.IsNaN(derive.Number(dp)), m.Name())
		seen[m.Name()] = true
	})
	for _, name := range []string{signal.TransferBase, signal.DisaggregationScore, signal.DisaggregationGate, signal.TopologyTTFT, signal.EstimateWithheld} {
		assert.True(t, seen[name], name)
	}
}

// What an aggregated fleet serves in time is told: the benefit of splitting it is over that, not over a rehearsal.
func TestTheMeasuredGoodputOfAnAggregatedFleetIsTold(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), sink)
	feed(t, p, c, scrapes(t, "aggregated-mixed", "together", 8*time.Minute, 1))
	said := newest(sink, "together")
	require.Contains(t, said, "llm.disaggregation.goodputmap[]")
	assert.InEpsilon(t, said["llm.topology.goodputmap[llm.estimate.bound:mid llm.topology:current]"], said["llm.disaggregation.goodputmap[]"], 0.25)
}

// The same data through one gateway and, by fleet, through three.
func TestShardsSayTheSame(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f"}
	var all []batch
	for i, name := range names {
		all = append(all, scrapes(t, []string{"pd-balanced", "pd-decode-bound"}[i%2], name, 3*time.Minute, i+1)...)
	}
	one := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, testConfig(), one)
	feed(t, p, c, all)
	var shards []*consumertest.MetricsSink
	for range 3 {
		sink := new(consumertest.MetricsSink)
		shards = append(shards, sink)
	}
	for i, sink := range shards {
		q, d := newTestProcessor(t, testConfig(), sink)
		for _, b := range all {
			name, _ := b.md.ResourceMetrics().At(0).Resource().Attributes().Get(signal.AttrFleetName)
			if int(name.Str()[0])%3 == i {
				feed(t, q, d, []batch{b})
			}
		}
	}
	for _, name := range names {
		want, got := newest(one, name), newest(shards[int(name[0])%3], name)
		require.NotEmpty(t, want)
		for _, said := range []map[string]float64{want, got} { // all but who says it
			maps.DeleteFunc(said, func(point string, _ float64) bool { return strings.HasPrefix(point, signal.FleetWriter) })
		}
		assert.Equal(t, want, got, name)
	}
}

func TestEvaluationsOfFleetsAreSpread(t *testing.T) {
	const width, period = int64(10 * time.Second), int64(time.Minute)
	cfg := testConfig()
	perWindow := map[int64]int{}
	for i := range 60 {
		f := newFleet(fmt.Sprintf("fleet-%d", i), "a", cfg, nil, workerInputs(), "", nil)
		turns := 0
		for now := int64(1e18); now < int64(1e18)+10*period; now += width {
			if f.turn(now, serving.Topology{Prefill: 2, Decode: 2}) {
				perWindow[(now-int64(1e18))/width]++
				turns++
			}
		}
		assert.InDelta(t, 10, turns, 1, "every minute")
	}
	for w, n := range perWindow {
		assert.LessOrEqual(t, n, 20, "of 60 fleets in window %d", w)
	}
}

func TestTooFewWorkersAreNotTheFleet(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	cfg := testConfig()
	cfg.ExpectedWorkers = []ExpectedWorkers{{Fleet: "ch*", Workers: 6}}
	p, c := newTestProcessor(t, cfg, sink)
	feed(t, p, c, scrapes(t, "pd-balanced", "chat", 2*time.Minute, 1))
	said := newest(sink, "chat")
	assert.InDelta(t, 4.0/6, said["llm.estimate.coveragemap[llm.estimate:llm.topology.goodput]"], 1e-9)
	assert.Positive(t, said["llm.estimate.withheldmap[llm.estimate:llm.topology.goodput reason:coverage]"])
	assert.NotContains(t, said, "llm.disaggregation.scoremap[]")
}

func TestLimits(t *testing.T) {
	cfg := testConfig()
	cfg.MaxWorkers = 2
	p, c := newTestProcessor(t, cfg, new(consumertest.MetricsSink))
	feed(t, p, c, scrapes(t, "pd-balanced", "chat", 20*time.Second, 1))
	assert.Len(t, p.fleets.byName["chat"].members, 2)
}

func TestAFailureOfWhatIsDerivedIsNotOneOfTheInput(t *testing.T) {
	calls := 0
	next, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		calls++
		if md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().Name() == metadata.ScopeName {
			return errors.New("full")
		}
		return nil
	})
	require.NoError(t, err)
	p, c := newTestProcessor(t, testConfig(), next)
	batches := scrapes(t, "pd-balanced", "chat", 30*time.Second, 1)
	feed(t, p, c, batches)
	assert.Greater(t, calls, len(batches))
}

func TestTheSameProcessorInTwoPipelinesIsRefused(t *testing.T) {
	running := &derive.Registry{}
	set := processortest.NewNopSettings(metadata.Type)
	create := func() *disaggregation {
		p, err := newProcessor(set, testConfig(), consumertest.NewNop(), running, walltest.NewClock(time.Time{}))
		require.NoError(t, err)
		return p
	}
	first, second := create(), create()
	require.NoError(t, first.Start(context.Background(), componenttest.NewNopHost()))
	assert.ErrorContains(t, second.Start(context.Background(), componenttest.NewNopHost()), "two metrics pipelines")
	require.NoError(t, first.Shutdown(context.Background()))
	require.NoError(t, second.Shutdown(context.Background()))
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	cfg := testConfig()
	require.NoError(t, cfg.Validate())
	cfg.Window, cfg.MaxWorkers, cfg.MinCoverage, cfg.Transfer.LinkRate = time.Millisecond, 0, 2, -1
	cfg.ExpectedWorkers, cfg.SnapshotInterval = []ExpectedWorkers{{Workers: 0}}, time.Second
	err := cfg.Validate()
	for _, want := range []string{
		"window must be between 100ms and 10m0s (got 1ms)", "max_workers must be between 1 and 1000000 (got 0)",
		"snapshot_interval must be between 10s and 24h0m0s (got 1s)", "min_coverage must be between 0 and 1 (got 2)", "transfer.link_rate must be at least 0", "expected_workers[0].workers must be at least 1 (got 0)",
	} {
		assert.ErrorContains(t, err, want)
	}
}

// Beside a slow path all splits are late, and the one that is called the best is any.
func TestASlowPathIsNamedWhateverSplitIsBestBesideIt(t *testing.T) {
	lengths := func(mean float64) serving.Lengths {
		return serving.Lengths{Bounds: []float64{mean / 2, mean, 2 * mean}, Counts: []float64{2, 4, 2, 0}, Mean: mean}
	}
	s := &serving.Situation{
		Capability: serving.Capability{
			Cost:   serving.StepCost{Decode: 0.012, Sequence: 0.00007, Prefill: 0.006, Token: 0.00007},
			Budget: 8192, Sequences: 256, KVTokens: 1.2e6,
			Moves: serving.Moves{PerToken: 3e-6, SlowShare: 0.3, Slow: 4.4e-4},
		},
		Workload: serving.Workload{Rate: 20, Dispersion: 1, Prompt: lengths(1100), Output: lengths(210)},
		Limits:   serving.Limits{TTFT: 1, ITL: 0.03}, Current: serving.Topology{Prefill: 3, Decode: 1},
	}
	found, _ := score(s, serving.Topology{Prefill: 1, Decode: 3}, -1)
	require.GreaterOrEqual(t, found.Worst(), 0)
	assert.Equal(t, "locality", serving.FactorNames()[found.Worst()])
	assert.InDelta(t, 1, found.Factors[serving.DefectBalance], 0.01)
}

// More decode workers make up for prompts that they compute; the split that is right without the leak is no defect of its own.
func TestALeakIsNamedThoughAnotherSplitWouldMendIt(t *testing.T) {
	lengths := func(mean float64) serving.Lengths {
		return serving.Lengths{Bounds: []float64{mean / 2, mean, 2 * mean}, Counts: []float64{2, 4, 2, 0}, Mean: mean}
	}
	s := &serving.Situation{
		Capability: serving.Capability{
			Cost:   serving.StepCost{Decode: 0.012, Sequence: 0.00007, Prefill: 0.006, Token: 0.00007},
			Budget: 8192, Sequences: 256, KVTokens: 1.2e6, Moves: serving.Moves{PerToken: 3e-6},
			Leak: serving.Leak{Tokens: 0.4, Requests: 0.6},
		},
		Workload: serving.Workload{Rate: 40, Dispersion: 1, Prompt: lengths(1100), Output: lengths(210)},
		Limits:   serving.Limits{TTFT: 1, ITL: 0.025}, Current: serving.Topology{Prefill: 6, Decode: 2},
	}
	beside, ok := s.Best(8)
	require.True(t, ok)
	require.Less(t, beside.Prefill, 6, "the leak moves the best split")
	n := forecast{best: beside}
	rate(s, &n, -1)
	require.True(t, n.factored)
	require.Less(t, n.score.Value, 0.9)
	assert.Equal(t, "purity", serving.FactorNames()[n.score.Worst()])

	unsure := forecast{best: beside}
	unsure.best.GoodputLow = 0.5 * beside.Goodput
	rate(s, &unsure, 0.4*s.Rate)
	assert.Equal(t, serving.WithheldUncertain, unsure.scoreWhy)
	assert.True(t, unsure.factored, "the factors are told")
	served := forecast{best: unsure.best}
	rate(s, &served, 0.97*s.Rate)
	assert.Empty(t, served.scoreWhy, "nothing can be much better than 97 % in time")
}
