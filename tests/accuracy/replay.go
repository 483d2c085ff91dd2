package main

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

// outcome is what the pipeline said of a scenario beside the truth: marks after the warm-up, every ten minutes and at the end.
type outcome struct {
	marks    []mark
	baseline baseline // what simpler estimators make of the same windows
}

// mark is a moment of a run. Readings and truth are of the same time.
type mark struct {
	said  readings
	truth fleetsim.Truth
	gpu   fleetsim.GPUTruth
	told  float64 // J by the worker's energy counters, which are wrong; between two scrapes in proportion to time, as for the processor
}

const (
	// warmUpWindows is after how many windows the first mark is taken: the fit has its first ones then.
	warmUpWindows = 24
	// markEvery is the length of the windows in which intervals are held to the truth.
	markEvery = 10 * time.Minute
)

// replay runs a scenario on one worker, in simulated time: its pages are decoded as the receiver does and fed to the processor.
// Scrapes have a random phase and a jitter of 2 %, as real ones have.
func replay(s scenario, workload fleetsim.Workload) (outcome, error) {
	cfg := s.fleetConfig(workload)
	passes := newPassFeed()
	if s.with.passes {
		cfg.OnPass = passes.take
	}
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return outcome{}, err
	}
	defer fleet.Close()
	if s.setting.happen != nil {
		if err := s.setting.happen(fleet); err != nil {
			return outcome{}, err
		}
	}
	r := playing{scenario: s, fleet: fleet, epoch: cfg.StartTime, passes: passes, said: readings{}, seen: map[int64]mark{}}
	return r.play()
}

// fleetConfig is the simulated worker of a scenario.
func (s scenario) fleetConfig(workload fleetsim.Workload) fleetsim.Config {
	cfg := fleetsim.DefaultConfig()
	cfg.Seed, cfg.Workload, cfg.Objectives = s.seed, workload, s.goal()
	pool := &cfg.Pools[0]
	pool.MaxBatchedTokens = s.budget
	pool.Model, pool.GPU, pool.Precision, pool.TensorParallel = s.model, s.gpu, s.precision, s.tensorParallel
	if s.setting.fleet != nil {
		s.setting.fleet(&cfg)
	}
	return cfg
}

// goal are the objectives in force.
func (s scenario) goal() fleetsim.Objectives {
	if s.setting.goal != (fleetsim.Objectives{}) {
		return s.setting.goal
	}
	return fleetsim.Objectives{TTFT: ttftObjective, ITL: itlObjective}
}

// playing is a scenario under way.
type playing struct {
	scenario
	fleet  *fleetsim.Fleet
	epoch  time.Time
	passes *passFeed
	gpus   *gpuFeed
	said   readings
	seen   map[int64]mark // truth by window boundary, until it is read
	last   time.Duration  // of the last mark
	out    outcome
}

func (r *playing) play() (outcome, error) {
	pipeline, stop, err := newPipeline(r.scenario, r.said)
	if err != nil {
		return outcome{}, err
	}
	defer stop()
	decode, err := newDecoder()
	if err != nil {
		return outcome{}, err
	}
	r.gpus = newGPUFeed(r.tensorParallel, r.seed)
	rng := rand.New(rand.NewPCG(r.seed, 42))
	end := time.Duration(float64(r.duration) / r.load)
	var page bytes.Buffer
	for at := time.Duration(rng.Float64() * float64(r.interval)); at < end; at += r.interval {
		now := at + time.Duration((rng.Float64()-0.5)*0.04*float64(r.interval))
		if err := r.advance(now); err != nil {
			return outcome{}, err
		}
		if rng.Float64() < r.setting.missing {
			continue
		}
		page.Reset()
		if err := r.fleet.WriteMetrics(0, &page); errors.Is(err, fleetsim.ErrDown) {
			continue
		} else if err != nil {
			return outcome{}, err
		}
		page.Grow(1) // the decoder writes behind the end
		ahead := r.epoch.Add(now + r.setting.skew)
		md, err := decode(page.Bytes(), r.epoch.Add(now))
		if err != nil {
			return outcome{}, err
		}
		if r.with.passes {
			r.passes.append(md, r.epoch, ahead)
		}
		if r.with.gpus {
			r.gpus.append(md, r.fleet.GPU(0), r.epoch, ahead)
		}
		if err := pipeline.ConsumeMetrics(context.Background(), md); err != nil {
			return outcome{}, err
		}
		r.said.integrate()
		if r.setting.during != nil {
			r.setting.during(now, r.said)
		}
		r.mark(now+r.interval >= end)
	}
	return r.out, nil
}

// advance runs the fleet, and takes the truth at the boundaries of windows on the way.
func (r *playing) advance(now time.Duration) error {
	for {
		next := r.fleet.Now().Truncate(r.interval) + r.interval
		if next > now {
			return r.fleet.Advance(now)
		}
		if err := r.fleet.Advance(next); err != nil {
			return err
		}
		truth := r.fleet.WorkerTruth(0)
		r.out.baseline.take(truth)
		r.seen[r.epoch.Add(next).UnixNano()] = mark{truth: truth, gpu: r.fleet.GPU(0)}
	}
}

// mark takes a mark when it is time, at the end of the newest window.
func (r *playing) mark(last bool) {
	at := int64(r.said[timeKey])
	m, ok := r.seen[at]
	if !ok {
		return
	}
	for t := range r.seen {
		if t < at {
			delete(r.seen, t)
		}
	}
	elapsed := time.Duration(at - r.epoch.UnixNano())
	due := warmUpWindows * r.interval
	if n := len(r.out.marks); n > 0 {
		due = time.Duration(n) * markEvery
	}
	if elapsed >= due || last && elapsed-r.last >= markEvery/4 {
		r.last = elapsed
		m.said, m.told = r.said.clone(), r.gpus.toldAt(at)
		r.out.marks = append(r.out.marks, m)
	}
}

// goodput is the integral of llm.goodput over time since the first window, in requests.
func (m mark) goodput(bound string) float64 { return m.said[integral+key(signal.Goodput, bound)] }

// The objectives that goodput is counted by, in the simulator and in the processor.
const (
	ttftObjective = 500 * time.Millisecond
	itlObjective  = 50 * time.Millisecond
)

// newPipeline starts a phase_attribution processor that writes into said.
func newPipeline(s scenario, said readings) (consumer.Metrics, func(), error) {
	sink, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		said.take(md)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	factory := phaseattributionprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*phaseattributionprocessor.Config)
	cfg.Window, cfg.AllowedLateness, cfg.MaxNumBatchedTokens = s.interval, s.interval, s.budget
	cfg.Objectives = objectives.Config{{
		TTFT: objectives.Bound{Max: s.goal().TTFT}, ITL: objectives.Bound{Max: s.goal().ITL},
	}}
	if s.with.facts {
		cfg.Deployments = []phaseattributionprocessor.DeploymentRule{{GPU: s.gpu, TensorParallel: s.tensorParallel, Precision: s.precision}}
	}
	if s.with.gpus {
		cfg.GPUs = []phaseattributionprocessor.GPURule{{IDs: []string{"GPU-*"}}}
	}
	p, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		return nil, nil, err
	}
	if err := p.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return nil, nil, err
	}
	return p, func() { _ = p.Shutdown(context.Background()) }, nil
}
