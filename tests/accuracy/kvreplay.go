package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

// kvScenario is a fleet whose KV pools are looked at.
type kvScenario struct {
	name             string
	cfg              fleetsim.Config
	warmUp, duration time.Duration // of simulated time; the first is part of the second
	interval         time.Duration // of scrapes
	events, passes   bool          // beside the pages
	loss             float64       // of batches of events, up to lossUntil
	lossUntil        time.Duration
	also             consumer.Metrics                                 // gets what comes out of all workers
	tick             func(now time.Duration, f *fleetsim.Fleet) error // at each scrape, before it
}

func (s kvScenario) String() string {
	text := s.name + "/page"
	if s.events {
		text += "+events"
	}
	if s.passes {
		text += "+passes"
	}
	return fmt.Sprintf("%s/%v/seed%d", text, s.interval, s.cfg.Seed)
}

// kvWorker is what was said of a worker, and the truth of the same time.
type kvWorker struct {
	said     readings
	from     readings           // at the end of the warm-up
	integral map[string]float64 // of gauges since then, value-seconds
	seconds  map[string]float64 // over which they were there
	at       float64            // of the last window
	poolOff  float64            // largest difference of the parts and the pool, tokens

	truthFrom, truthTo fleetsim.Truth
}

// mean of a gauge since the warm-up, over the time in which it was there.
func (w *kvWorker) mean(metric string, values ...string) float64 {
	k := key(metric, values...)
	return w.integral[k] / w.seconds[k]
}

// rise of a sum since the warm-up.
func (w *kvWorker) rise(metric string, values ...string) float64 {
	k := key(metric, values...)
	return w.said[k] - w.from[k]
}

// kvPlaying is a scenario under way.
type kvPlaying struct {
	kvScenario
	fleet     *fleetsim.Fleet
	workers   []*kvWorker
	passes    []*passFeed
	feeds     []*kvFeed
	decode    []func([]byte, time.Time) (pmetric.Metrics, error)
	fleetName string
	merged    *kvcache.Fleet // of the workers' caches; nil for one worker
	watch     func(worker int, now time.Duration, said readings)
}

// kvReplay runs a scenario; watch, if any, is called after each scrape of each worker.
func kvReplay(s kvScenario, watch func(worker int, now time.Duration, said readings)) (out kvOutcome, err error) {
	r := kvPlaying{kvScenario: s, watch: watch}
	if s.cfg.Workers() > 1 {
		r.merged = kvcache.NewFleet(1 << 20)
	}
	merged := r.merged
	for i := range s.cfg.Workers() {
		r.workers = append(r.workers, &kvWorker{said: readings{}, integral: map[string]float64{}, seconds: map[string]float64{}})
		r.passes = append(r.passes, newPassFeed())
		r.feeds = append(r.feeds, newKVFeed(s.cfg.Seed+uint64(i), s.loss, merged))
		decode, err := newDecoder()
		if err != nil {
			return out, err
		}
		r.decode = append(r.decode, decode)
	}
	if s.passes {
		s.cfg.OnPass = func(p fleetsim.Pass) { r.passes[p.Worker].take(p) }
	}
	if s.events {
		s.cfg.OnKV = func(b fleetsim.KVBatch) {
			if b.At > s.lossUntil {
				r.feeds[b.Worker].loss = 0
			}
			r.feeds[b.Worker].take(s.cfg.StartTime, b)
		}
	}
	fleet, err := fleetsim.New(s.cfg)
	if err != nil {
		return out, err
	}
	defer fleet.Close()
	r.fleet = fleet
	if err := r.play(); err != nil {
		return out, err
	}
	out.workers = r.workers
	for _, f := range r.feeds {
		out.totals = append(out.totals, f.index.Totals())
	}
	if merged != nil && s.events {
		if v := merged.View(); v.Blocks > 0 {
			out.duplicated = 1 - float64(v.Distinct)/float64(v.Blocks)
		}
		residents, _ := fleet.KVResidents()
		out.trueDuplicated = residents.Duplicated()
	}
	return out, nil
}

// kvOutcome is what came of a scenario.
type kvOutcome struct {
	workers                    []*kvWorker
	totals                     []kvcache.Totals // of events
	duplicated, trueDuplicated float64          // shares of cached blocks that are further copies, at the end
}

func (r *kvPlaying) play() error {
	pipelines := make([]consumer.Metrics, len(r.workers))
	for i, w := range r.workers {
		p, stop, err := newKVPipeline(r.kvScenario, w)
		if err != nil {
			return err
		}
		defer stop()
		pipelines[i] = p
	}
	rng := rand.New(rand.NewPCG(r.cfg.Seed, 42))
	warm := false
	for at := time.Duration(rng.Float64() * float64(r.interval)); at < r.duration; at += r.interval {
		now := at + time.Duration((rng.Float64()-0.5)*0.04*float64(r.interval))
		if r.tick != nil {
			if err := r.tick(now, r.fleet); err != nil {
				return err
			}
		}
		if err := r.fleet.Advance(now); err != nil {
			return err
		}
		for i := range r.workers {
			if err := r.scrape(i, now, pipelines[i]); err != nil {
				return err
			}
		}
		if err := r.tellFleet(now); err != nil {
			return err
		}
		if !warm && now >= r.warmUp {
			warm = true
			for i, w := range r.workers {
				w.from, w.truthFrom = w.said.clone(), r.fleet.WorkerTruth(i)
				clear(w.integral)
				clear(w.seconds)
			}
		}
	}
	for i, w := range r.workers {
		w.truthTo = r.fleet.WorkerTruth(i)
	}
	return nil
}

func (r *kvPlaying) scrape(i int, now time.Duration, pipeline consumer.Metrics) error {
	var page bytes.Buffer
	if err := r.fleet.WriteMetrics(i, &page); errors.Is(err, fleetsim.ErrDown) {
		return nil // a scrape that fails
	} else if err != nil {
		return err
	}
	page.Grow(1) // the decoder writes behind the end
	epoch := r.cfg.StartTime
	md, err := r.decode[i](page.Bytes(), epoch.Add(now))
	if err != nil {
		return err
	}
	if fleet, ok := md.ResourceMetrics().At(0).Resource().Attributes().Get(signal.AttrFleetName); ok {
		r.fleetName = fleet.Str()
	}
	md.ResourceMetrics().At(0).Resource().Attributes().PutStr(signal.AttrServiceInstanceID, fmt.Sprintf("worker%d:8000", i))
	if r.kvScenario.passes {
		r.passes[i].append(md, epoch, epoch.Add(now))
	}
	if r.events {
		r.feeds[i].append(md, epoch, epoch.Add(now))
	}
	if err := pipeline.ConsumeMetrics(context.Background(), md); err != nil {
		return err
	}
	if r.watch != nil {
		r.watch(i, now, r.workers[i].said)
	}
	return nil
}

// take keeps what comes out of a pipeline, and integrates the gauges of the kv_fragmentation processor over its windows.
func (w *kvWorker) take(md pmetric.Metrics) {
	w.said.take(md)
	gauges := map[string]bool{}
	for _, m := range signal.KVFragmentationMetrics() {
		gauges[m.Name] = m.Instrument == signal.Gauge
	}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			w.integrate(sm.Metrics(), gauges)
		}
	}
}

func (w *kvWorker) integrate(ms pmetric.MetricSlice, gauges map[string]bool) {
	own, at := readings{}, 0.0
	for _, m := range ms.All() {
		switch {
		case m.Name() == signal.KVEvictedBlocks:
			at = float64(m.Sum().DataPoints().At(0).Timestamp()) / 1e9
			own.metric(m)
		case gauges[m.Name()]:
			own.metric(m)
		}
	}
	if at == 0 {
		return // no batch of that processor
	}
	parts := 0.0
	for k, v := range own {
		if strings.HasPrefix(k, signal.KVTokens+"|") {
			parts += v
		}
	}
	if size := w.pool(); parts > 0 && size > 0 {
		w.poolOff = max(w.poolOff, math.Abs(parts-size))
	}
	if w.at > 0 {
		for k, v := range own {
			w.integral[k] += v * (at - w.at)
			w.seconds[k] += at - w.at
		}
	}
	w.at = at
}

// pool is the size of the pool in tokens, as the engine says, without vLLM's null block.
func (w *kvWorker) pool() float64 {
	return (w.said[key(signal.KVCapacityBlocks)] - 1) * w.said[key(signal.KVBlockSize)]
}

// newKVPipeline chains the processors as the shipped configurations do.
func newKVPipeline(s kvScenario, w *kvWorker) (consumer.Metrics, func(), error) {
	sink, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		w.take(md)
		if s.also == nil {
			return nil
		}
		return s.also.ConsumeMetrics(ctx, md)
	})
	if err != nil {
		return nil, nil, err
	}
	ctx, host := context.Background(), componenttest.NewNopHost()
	kvFactory, phaseFactory := kvfragmentationprocessor.NewFactory(), phaseattributionprocessor.NewFactory()
	kvCfg := kvFactory.CreateDefaultConfig().(*kvfragmentationprocessor.Config)
	kvCfg.Window, kvCfg.AllowedLateness = s.interval, s.interval
	phaseCfg := phaseFactory.CreateDefaultConfig().(*phaseattributionprocessor.Config)
	phaseCfg.Window, phaseCfg.AllowedLateness = s.interval, s.interval
	if o := s.cfg.Objectives; o.TTFT > 0 && o.ITL > 0 {
		phaseCfg.Objectives = objectives.Config{{TTFT: objectives.Bound{Max: o.TTFT}, ITL: objectives.Bound{Max: o.ITL}}}
	}
	kv, err := kvFactory.CreateMetrics(ctx, processortest.NewNopSettings(kvFactory.Type()), kvCfg, sink)
	if err != nil {
		return nil, nil, err
	}
	phase, err := phaseFactory.CreateMetrics(ctx, processortest.NewNopSettings(phaseFactory.Type()), phaseCfg, kv)
	if err != nil {
		return nil, nil, err
	}
	if err := kv.Start(ctx, host); err != nil {
		return nil, nil, err
	}
	if err := phase.Start(ctx, host); err != nil {
		return nil, nil, err
	}
	return phase, func() { _ = phase.Shutdown(ctx); _ = kv.Shutdown(ctx) }, nil
}
