package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

const (
	costWorkers, costGPUs = 250, 4 // 1,000 GPUs
	coresBar              = 1.0
	memoryBar             = 300 << 20 // bytes of heap
	splitBar              = 50 * time.Microsecond
)

// cost is A16: CPU and memory of 1,000 GPUs at scrapes of a second, and the time of a fit.
func cost(o options, report func(result)) error {
	seconds := 120
	if o.quick {
		seconds = 20
	}
	fleet, pipeline, err := costSetup()
	if err != nil {
		return err
	}
	defer fleet.Close()
	decode, err := newDecoder()
	if err != nil {
		return err
	}
	gpus := newGPUFeed(costGPUs, 1)
	var page bytes.Buffer
	var busy time.Duration
	epoch := fleet.Config().StartTime
	base := heap()
	for s := 1; s <= seconds; s++ {
		at := time.Duration(s) * time.Second
		if err := fleet.Advance(at); err != nil {
			return err
		}
		page.Reset()
		if err := fleet.WriteMetrics(0, &page); err != nil {
			return err
		}
		page.Grow(1)
		md, err := decode(page.Bytes(), epoch.Add(at))
		if err != nil {
			return err
		}
		gpus.append(md, fleet.GPU(0), epoch, epoch.Add(at))
		all := everyWorker(md)
		runtime.GC() // what the making of input left
		before := cpu()
		if err := pipeline.ConsumeMetrics(context.Background(), all); err != nil {
			return err
		}
		busy += cpu() - before
	}
	cores := busy.Seconds() / float64(seconds)
	report(result{
		name: "A16/cores/synthetic/1000gpus/1s", value: fmt.Sprintf("%.2f", cores), bar: fmt.Sprint(coresBar), pass: cores < coresBar, told: o.quick,
	})
	used := heap() - base
	report(result{
		name: "A16/memory/synthetic/1000gpus/1s", value: fmt.Sprintf("%dMB", used>>20), bar: fmt.Sprintf("%dMB", memoryBar>>20), pass: used < memoryBar,
	})
	reportSplitCost(o, report)
	runtime.KeepAlive(pipeline)
	return pipeline.Shutdown(context.Background())
}

// reportSplitCost times one window through the regression and a price.
func reportSplitCost(o options, report func(result)) {
	work := serving.Work{
		Elapsed: 1, Steps: 60, PrefillTokens: 6000, FirstTokens: 6, DecodeTokens: 1800, ITLSum: 29,
		StepTokens: serving.Buckets{Bounds: []float64{32, 64, 1024}, Counts: []float64{50, 4, 4, 2}},
	}
	r := testing.Benchmark(func(b *testing.B) {
		s, p := serving.NewSplitter(2048), serving.NewPricer(0.2, 0.05)
		for i := range b.N {
			w := work
			w.PrefillTokens *= 1 + 0.5*float64(i%7)
			got := s.Split(w, serving.Buckets{})
			p.Divide(600, 1, got.Idle, got.Passes, got.Costs)
		}
	})
	each := time.Duration(r.NsPerOp())
	report(result{
		name: "A16/window-of-a-worker/synthetic", value: fmt.Sprintf("%v(%d-allocations)", each, r.AllocsPerOp()), bar: splitBar.String(),
		pass: each < splitBar, told: o.quick, // tests assert no times
	})
}

func costSetup() (*fleetsim.Fleet, pipelineToStop, error) {
	cfg := fleetsim.DefaultConfig()
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	factory := phaseattributionprocessor.NewFactory()
	own := factory.CreateDefaultConfig().(*phaseattributionprocessor.Config)
	own.Window, own.AllowedLateness = time.Second, time.Second
	own.Deployments = []phaseattributionprocessor.DeploymentRule{{GPU: "h200", TensorParallel: costGPUs}}
	p, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), own, consumertest.NewNop())
	if err != nil {
		return nil, nil, err
	}
	return fleet, p, p.Start(context.Background(), componenttest.NewNopHost())
}

// pipelineToStop is a processor.
type pipelineToStop interface {
	ConsumeMetrics(context.Context, pmetric.Metrics) error
	Shutdown(context.Context) error
}

// everyWorker makes a batch in which every worker says what one of them does.
func everyWorker(one pmetric.Metrics) pmetric.Metrics {
	all := pmetric.NewMetrics()
	for i := range costWorkers {
		for _, rm := range one.ResourceMetrics().All() {
			to := all.ResourceMetrics().AppendEmpty()
			rm.CopyTo(to)
			a := to.Resource().Attributes()
			if id, ok := a.Get(signal.AttrHWID); ok {
				a.PutStr(signal.AttrHWID, fmt.Sprintf("GPU-%d-%s", i, id.Str()))
			} else {
				a.PutStr(signal.AttrServiceInstanceID, fmt.Sprintf("worker-%d", i))
				m := to.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
				m.SetName(signal.EngineGPUInfo)
				points := m.SetEmptyGauge().DataPoints()
				for g := range costGPUs {
					points.AppendEmpty().Attributes().PutStr(signal.AttrHWID, fmt.Sprintf("GPU-%d-GPU-%d", i, g))
				}
			}
		}
	}
	return all
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cpu is what this process has used of processors, the garbage collector's part included.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
