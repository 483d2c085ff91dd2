package main

import (
	"fmt"
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// poolSumBar bounds the difference of the parts and the pool, poolShareBar that of a part's share and its truth, absolute.
	poolSumBar   = 0.005
	poolShareBar = 0.02
	// lossBar is the latter while one batch of events in a hundred is lost, of the time in which the part is given at all.
	lossBar = 0.05
	// missBar bounds the difference of a cause's share of all lookups and its truth.
	missBar = 0.02
	// duplicateBar bounds the error of the share of cached blocks that are further copies.
	duplicateBar = 0.02
)

// poolDecomposition is A10: what fills the pool, and why lookups missed, against the ledger.
func poolDecomposition(o options, report func(result)) error {
	for _, s := range poolGrid(o) {
		if o.match != nil && !o.match.MatchString(s.String()) {
			continue
		}
		out, err := kvReplay(s, nil)
		if err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		for i, w := range out.workers {
			if i > 0 && o.quick && len(s.cfg.Pools) == 1 {
				break // workers of one pool are alike
			}
			name := fmt.Sprintf("%v/worker%d", s, i)
			poolShares(s, name, w, report)
			groupShares(s, name, w, report)
			if s.events && s.loss == 0 && s.cfg.Pools[0].Role == fleetsim.Aggregated {
				missShares(name, w, report)
			}
		}
		if s.cfg.Workers() > 1 && s.events {
			off := out.duplicated - out.trueDuplicated
			report(result{
				name:  "A10/duplicates/" + s.String() + "/synthetic",
				value: fmt.Sprintf("%+.2fpoints(%.2f%%/%.2f%%)", 100*off, 100*out.duplicated, 100*out.trueDuplicated),
				bar:   fmt.Sprintf("%gpoints", 100*duplicateBar), pass: math.Abs(off) <= duplicateBar,
			})
		}
		if s.loss > 0 {
			known := out.workers[0].said[signal.KVEventsKnown+"|"]
			report(result{
				name: "A10/recovered/" + s.String() + "/synthetic", value: fmt.Sprint(known), bar: "1", pass: known == 1,
			})
		}
	}
	return nil
}

// shared is traffic with system prompts.
func shared(load float64) fleetsim.Workload {
	return fleetsim.Synthetic{
		Shape: "azure-conversation", Load: load, SharedPrefixShare: 0.7, SharedPrefixes: 20, SharedPrefixTokens: 1024,
	}
}

func poolGrid(o options) (grid []kvScenario) {
	seeds, duration := uint64(5), time.Hour
	if o.quick {
		seeds, duration = 1, 12*time.Minute
	}
	add := func(name string, passes, events bool, change func(*kvScenario)) {
		for seed := range seeds {
			s := kvScenario{
				name: name, cfg: fleetsim.DefaultConfig(), warmUp: duration / 3, duration: duration, interval: 5 * time.Second,
				events: events, passes: passes,
			}
			s.cfg.Seed, s.cfg.KVLedger, s.cfg.Workload = seed+1, true, shared(1)
			s.cfg.Pools[0].KVBlocks = 20_000
			change(&s)
			grid = append(grid, s)
		}
	}
	add("conversation", true, true, func(*kvScenario) {})
	add("conversation", false, false, func(*kvScenario) {})
	add("idle-pool", true, true, func(s *kvScenario) { s.cfg.Pools[0].KVBlocks = 0; s.cfg.Workload = shared(0.1) })
	add("thrash", true, true, func(s *kvScenario) { thrashing(&s.cfg) })
	add("restart", false, true, func(s *kvScenario) {
		s.cfg.Pools[0].Workers = 2
		// So many prompts that a worker meets some of them after the other all the time.
		s.cfg.Workload = fleetsim.Synthetic{
			Shape: "azure-conversation", Load: 1, SharedPrefixShare: 0.7, SharedPrefixes: 1000, SharedPrefixTokens: 1024,
		}
		s.tick = once(duration/2, func(f *fleetsim.Fleet) error { return f.RestartWorker(0, 10*time.Second) })
	})
	add("handoff", true, true, handedOver)
	add("loss", true, true, func(s *kvScenario) { s.loss, s.lossUntil = 0.01, 2*duration/3 })
	add("hybrid", true, true, hybrid(12_000))
	if !o.quick {
		add("hybrid-large", false, true, hybrid(40_000))
		add("lora", true, true, adapted)
		add("conversation", false, true, func(*kvScenario) {})
		add("residency", false, false, func(s *kvScenario) { s.cfg.Pools[0].ResidencySample = 0.05 })
		add("95%-hits-residency", false, false, func(s *kvScenario) {
			p := &s.cfg.Pools[0]
			p.Workers, p.KVBlocks, p.MaxModelTokens, p.ResidencySample = 2, 7_500, 32_768, 0.05
			s.cfg.Workload = hidingTraffic()
		})
		add("thrash", false, false, func(s *kvScenario) { thrashing(&s.cfg) })
	}
	return grid
}

// thrashing asks for more shared prefixes than the cache of its two workers can hold.
func thrashing(cfg *fleetsim.Config) {
	p := &cfg.Pools[0]
	p.Workers, p.KVBlocks, p.MaxModelTokens = 2, 12_000, 32_768
	cfg.Workload = fleetsim.Custom{
		Rate: 5, CV: 1, Prompt: fleetsim.Uniform(4300, 5200), Output: fleetsim.Uniform(40, 200),
		SharedPrefixShare: 0.95, SharedPrefixes: 120, SharedPrefixTokens: 4000,
	}
}

// handedOver is a prefill worker whose prompts wait to be fetched by one decode worker with a small pool.
func handedOver(s *kvScenario) {
	prefill := s.cfg.Pools[0]
	prefill.Name, prefill.Role, prefill.MaxBatchedTokens, prefill.MaxModelTokens = "prefill", fleetsim.Prefill, 8192, 8192
	decode := prefill
	decode.Name, decode.Role, decode.KVBlocks = "decode", fleetsim.Decode, 12_000
	s.cfg.Pools = []fleetsim.Pool{prefill, decode}
	s.cfg.Link.Bandwidth = 4e9
	s.cfg.Workload = fleetsim.Custom{Rate: 6.5, CV: 1, Prompt: fleetsim.Uniform(800, 4000), Output: fleetsim.Uniform(100, 300)}
}

// once does something at a time.
func once(at time.Duration, do func(*fleetsim.Fleet) error) func(time.Duration, *fleetsim.Fleet) error {
	done := false
	return func(now time.Duration, f *fleetsim.Fleet) error {
		if done || now < at {
			return nil
		}
		done = true
		if err := f.Advance(at); err != nil {
			return err
		}
		return do(f)
	}
}

// poolShares compares each use's share of the pool with the ledger's, over the time since the warm-up in which it was given, and the sum
// of the parts with the pool.
func poolShares(s kvScenario, name string, w *kvWorker, report func(result)) {
	truth, size, bar := poolTruth(w), float64(s.cfg.Pools[0].BlockSize), poolShareBar
	if s.loss > 0 {
		bar = lossBar
	}
	pool := truth.Total() * size
	for _, u := range []struct {
		use   string
		truth float64
	}{
		{signal.KVUseLive, truth.Live}, {signal.KVUseTailWaste, truth.TailWaste}, {signal.KVUseReserved, truth.Reserved},
		{signal.KVUsePinned, truth.Pinned}, {signal.KVUseCachedUseful, truth.CachedUseful}, {signal.KVUseCachedDead, truth.CachedDead},
		{signal.KVUseFree, truth.Free},
	} {
		said := w.mean(signal.KVTokens, u.use)
		if math.IsNaN(said) {
			split := u.use == signal.KVUseCachedUseful || u.use == signal.KVUseCachedDead
			if !split || s.events && s.loss == 0 { // without events, or while some are lost, it may be unknown
				report(result{name: "A10/share/" + u.use + "/" + name + "/synthetic", value: "never", bar: "given"})
			}
			continue
		}
		off := (said - u.truth*size) / pool
		report(result{
			name:  "A10/share/" + u.use + "/" + name + "/synthetic",
			value: fmt.Sprintf("%+.2fpoints(%.2f%%/%.2f%%)", 100*off, 100*said/pool, 100*u.truth*size/pool),
			bar:   fmt.Sprintf("%gpoints", 100*bar), pass: math.Abs(off) <= bar,
		})
	}
	off := w.poolOff / pool
	report(result{
		name: "A10/sum/" + name + "/synthetic", value: fmt.Sprintf("%.3f%%", 100*off),
		bar: fmt.Sprintf("%g%%", 100*poolSumBar), pass: off <= poolSumBar,
	})
}

// poolTruth is the mean pool since the warm-up, in blocks. What was cached is useful if it was hit until the end of the run.
func poolTruth(w *kvWorker) fleetsim.KVPool {
	from, to := w.truthFrom, w.truthTo
	seconds := to.SimulatedSeconds - from.SimulatedSeconds
	a, b := from.KV.Seconds, to.KV.Seconds
	p := fleetsim.KVPool{
		Live: b.Live - a.Live, TailWaste: b.TailWaste - a.TailWaste, Reserved: b.Reserved - a.Reserved, Pinned: b.Pinned - a.Pinned,
		Free: b.Free - a.Free,
	}
	cached := b.CachedUseful + b.CachedDead + b.CachedOpen - a.CachedUseful - a.CachedDead - a.CachedOpen
	slices := to.KV.UsefulSlices
	for i, v := range slices.Seconds {
		if begins := time.Duration(slices.First+i) * fleetsim.KVSlice; begins.Seconds() >= from.SimulatedSeconds {
			p.CachedUseful += v
		}
	}
	p.CachedDead = cached - p.CachedUseful
	for _, v := range []*float64{&p.Live, &p.TailWaste, &p.Reserved, &p.Pinned, &p.Free, &p.CachedUseful, &p.CachedDead} {
		*v /= seconds
	}
	return p
}

// missShares compares each cause's share of all tokens looked up.
func missShares(name string, w *kvWorker, report func(result)) {
	a, b := w.truthFrom.KV.Lookups, w.truthTo.KV.Lookups
	queries := float64(b.Queries - a.Queries)
	total := 0.0
	for _, c := range []struct {
		cause string
		truth int64
	}{
		{signal.MissCompulsory, b.Compulsory + b.Elsewhere - a.Compulsory - a.Elsewhere}, {signal.MissCapacity, b.Capacity - a.Capacity},
		{signal.MissRouting, b.Routing - a.Routing}, {signal.MissReset, b.Reset - a.Reset}, {signal.MissPartial, b.Partial - a.Partial},
		{signal.MissUnknown, b.Unknown - a.Unknown},
	} {
		said := w.rise(signal.KVMissTokens, c.cause)
		total += said
		off := (said - float64(c.truth)) / queries
		report(result{
			name:  "A10/miss/" + c.cause + "/" + name + "/synthetic",
			value: fmt.Sprintf("%+.2fpoints(%.2f%%/%.2f%%)", 100*off, 100*said/queries, 100*float64(c.truth)/queries),
			bar:   fmt.Sprintf("%gpoints", 100*missBar), pass: math.Abs(off) <= missBar,
		})
	}
	off := (total + float64(b.Hits()-a.Hits()) - queries) / queries
	report(result{
		name: "A10/miss/closes/" + name + "/synthetic", value: fmt.Sprintf("%+.2f%%", 100*off),
		bar: fmt.Sprintf("%g%%", 100*missBar), pass: math.Abs(off) <= missBar,
	})
}
