package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// storedOf is what the decoder makes of an event.
func storedOf(e *fleetsim.KVEvent) kvcache.Stored {
	s := kvcache.Stored{
		Hashes: e.Hashes, Parent: e.Parent, HasParent: e.HasParent, Tokens: e.BlockSize, Group: e.Group, Adapter: e.AdapterName,
	}
	if e.Window > 0 {
		s.Kind, s.Window, s.Secondary = kvcache.SlidingWindow, e.Window, true
	}
	return s
}

// appendGroups adds the points of groups, as the receiver writes them.
func (f *kvFeed) appendGroups(ms pmetric.MetricSlice, t *kvcache.Totals, known bool, start, now time.Time) {
	if !t.Groups[1].Used {
		return
	}
	gauge := func(name string) func(v float64) pmetric.NumberDataPoint {
		points := ms.AppendEmpty()
		points.SetName(name)
		all := points.SetEmptyGauge().DataPoints()
		return func(v float64) pmetric.NumberDataPoint {
			dp := all.AppendEmpty()
			dp.SetTimestamp(pcommon.NewTimestampFromTime(now))
			dp.SetDoubleValue(v)
			return dp
		}
	}
	sum := func(name string) func(v float64) pmetric.NumberDataPoint {
		points := newSum(ms, name)
		return func(v float64) pmetric.NumberDataPoint { return sumPoint(points, v, start, now) }
	}
	for _, m := range []struct {
		put  func(v float64) pmetric.NumberDataPoint
		of   func(g *kvcache.Group) float64
		when func(g *kvcache.Group) bool
	}{
		{gauge(signal.KVGroupResident), func(g *kvcache.Group) float64 { return float64(g.Resident) }, func(*kvcache.Group) bool { return known }},
		{gauge(signal.KVGroupBlockSize), func(g *kvcache.Group) float64 { return float64(g.BlockTokens) }, func(*kvcache.Group) bool { return true }},
		{gauge(signal.KVGroupWindow), func(g *kvcache.Group) float64 { return float64(g.Window) }, func(g *kvcache.Group) bool { return g.Window > 0 }},
		{sum(signal.KVGroupPassed), func(g *kvcache.Group) float64 { return float64(g.Passed) }, func(g *kvcache.Group) bool { return g.Window > 0 }},
	} {
		for i := range t.Groups {
			if g := &t.Groups[i]; g.Used && m.when(g) {
				a := m.put(m.of(g)).Attributes()
				a.PutStr(signal.AttrKVGroup, strconv.Itoa(i))
				a.PutStr(signal.AttrKVPool, g.Kind.String())
			}
		}
	}
}

// hybrid is a worker of which half of the layers attend to a sliding window. Prefixes are longer than that.
func hybrid(blocks int) func(*kvScenario) {
	return func(s *kvScenario) {
		p := &s.cfg.Pools[0]
		p.SlidingWindow, p.KVBlocks, p.MaxModelTokens = 1024, blocks, 32_768
		s.cfg.Workload = fleetsim.Synthetic{
			Shape: "azure-conversation", Load: 1, SharedPrefixShare: 0.7, SharedPrefixes: 60, SharedPrefixTokens: 4096,
		}
	}
}

// adapted is the usual traffic, half of it for one of fifty LoRA adapters.
func adapted(s *kvScenario) {
	s.cfg.Adapters = fleetsim.AdapterTraffic{Count: 50, Share: 0.5, Zipf: 1}
	s.cfg.Pools[0].MaxAdapters = 60
}

// groupShares compares what each group has of the pool with the ledger.
func groupShares(s kvScenario, name string, w *kvWorker, report func(result)) {
	if s.cfg.Pools[0].SlidingWindow == 0 {
		return
	}
	a, b := w.truthFrom.KV.WindowSeconds, w.truthTo.KV.WindowSeconds
	seconds := w.truthTo.SimulatedSeconds - w.truthFrom.SimulatedSeconds
	all := poolTruth(w)
	window := fleetsim.KVPool{
		Live: (b.Live - a.Live) / seconds, TailWaste: (b.TailWaste - a.TailWaste) / seconds, CachedOpen: (b.CachedOpen - a.CachedOpen) / seconds,
	}
	full := fleetsim.KVPool{
		Live: all.Live - window.Live, TailWaste: all.TailWaste - window.TailWaste,
		CachedOpen: all.CachedUseful + all.CachedDead - window.CachedOpen,
	}
	for i, g := range []struct {
		kind  string
		truth fleetsim.KVPool
	}{{signal.PoolFull, full}, {signal.PoolSWA, window}} {
		for use, truth := range map[string]float64{
			signal.KVUseLive: g.truth.Live, signal.KVUseTailWaste: g.truth.TailWaste, signal.KVUseCached: g.truth.CachedOpen,
		} {
			said := w.mean(signal.KVGroupBlocks, strconv.Itoa(i), g.kind, use)
			off := (said - truth) / all.Total()
			report(result{
				name:  fmt.Sprintf("A10/group/%s/%s/%s/synthetic", g.kind, use, name),
				value: fmt.Sprintf("%+.2fpoints(%.2f%%/%.2f%%)", 100*off, 100*said/all.Total(), 100*truth/all.Total()),
				bar:   fmt.Sprintf("%gpoints", 100*poolShareBar), pass: math.Abs(off) <= poolShareBar,
			})
		}
	}
}
