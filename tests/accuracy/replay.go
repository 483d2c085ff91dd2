package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

// outcome is what the pipeline said of a scenario beside the truth.
type outcome struct {
	share      float64 // prefill's share of attributed busy time, as estimated
	truth      float64 // the same by the ledger
	attributed float64 // share of elapsed time that is not unattributed
}

// replay runs a scenario on one worker, in simulated time: its pages are decoded as the receiver does and fed to the processor.
// Scrapes have a random phase and a jitter of 2 %, as real ones have.
func replay(s scenario, workload fleetsim.Workload) (outcome, error) {
	cfg := fleetsim.DefaultConfig()
	cfg.Seed, cfg.Workload = s.seed, workload
	pool := &cfg.Pools[0]
	pool.MaxBatchedTokens = s.budget
	pool.Model, pool.GPU, pool.Precision, pool.TensorParallel = s.model, s.gpu, s.precision, s.tensorParallel
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return outcome{}, err
	}
	defer fleet.Close()

	times := phaseTimes{}
	pipeline, stop, err := newPipeline(s, times)
	if err != nil {
		return outcome{}, err
	}
	defer stop()
	decode, err := newDecoder()
	if err != nil {
		return outcome{}, err
	}

	rng := rand.New(rand.NewPCG(s.seed, 42))
	phase := time.Duration(rng.Float64() * float64(s.interval))
	end := time.Duration(float64(s.duration) / s.load)
	var page bytes.Buffer
	for at := phase; at < end; at += s.interval {
		now := at + time.Duration((rng.Float64()-0.5)*0.04*float64(s.interval))
		if err := fleet.Advance(now); err != nil {
			return outcome{}, err
		}
		page.Reset()
		if err := fleet.WriteMetrics(0, &page); err != nil {
			return outcome{}, err
		}
		page.Grow(1) // the decoder writes behind the end
		md, err := decode(page.Bytes(), cfg.StartTime.Add(now))
		if err != nil {
			return outcome{}, err
		}
		if err := pipeline.ConsumeMetrics(context.Background(), md); err != nil {
			return outcome{}, err
		}
	}
	prefill, decodeTime := times[signal.PhasePrefill], times[signal.PhaseDecode]
	known := prefill + decodeTime + times[signal.PhaseIdle]
	return outcome{
		share:      prefill / (prefill + decodeTime),
		truth:      fleet.WorkerTruth(0).PrefillShare(),
		attributed: known / (known + times[signal.PhaseUnattributed]),
	}, nil
}

// phaseTimes holds the newest value of the worker time per phase, in seconds.
type phaseTimes map[string]float64

func (p phaseTimes) take(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() != signal.PhaseWorkerTime {
					continue
				}
				for _, dp := range m.Sum().DataPoints().All() {
					phase, _ := dp.Attributes().Get(signal.AttrPhase)
					p[phase.Str()] = dp.DoubleValue()
				}
			}
		}
	}
}

// newPipeline starts a phase_attribution processor that writes into times.
func newPipeline(s scenario, times phaseTimes) (consumer.Metrics, func(), error) {
	sink, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		times.take(md)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	factory := phaseattributionprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*phaseattributionprocessor.Config)
	cfg.Window, cfg.AllowedLateness, cfg.MaxNumBatchedTokens = s.interval, s.interval, s.budget
	p, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		return nil, nil, err
	}
	if err := p.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return nil, nil, err
	}
	return p, func() { _ = p.Shutdown(context.Background()) }, nil
}
