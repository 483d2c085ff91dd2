package main

import (
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// gpus are the pages of the GPU that both use.
func (r *sharedRun) gpus(now time.Duration) pmetric.Metrics {
	md := pmetric.NewMetrics()
	at, elapsed := r.epoch.Add(now), (now - r.at).Seconds()
	resource := func(id, name, parent string) pmetric.MetricSlice {
		rm := md.ResourceMetrics().AppendEmpty()
		a := rm.Resource().Attributes()
		a.PutStr(signal.AttrHWID, id)
		a.PutStr(signal.AttrHWName, name)
		if parent != "" {
			a.PutStr(signal.AttrHWParent, parent)
		}
		return rm.ScopeMetrics().AppendEmpty().Metrics()
	}
	gpu := resource("GPU-0", "NVIDIA H100 80GB HBM3", "")
	processes := pmetric.NewMetric()
	processes.SetName(signal.GPUProcessActivity)
	processes.SetEmptyGauge()
	var all fleetsim.GPUTruth
	var joules float64
	for i, fleet := range r.fleets {
		g := fleet.GPU(0)
		joules += g.EnergyJoules - r.before[i].EnergyJoules
		if r.sharing == byMIG {
			r.activity(resource(fmt.Sprintf("MIG-%d", i), "NVIDIA H100 80GB HBM3 MIG 3g.40gb", "GPU-0"), &g, at)
		}
		all.BusySeconds += g.BusySeconds
		all.TensorSeconds += g.TensorSeconds
		all.SMSeconds += g.SMSeconds
		all.DRAMSeconds += g.DRAMSeconds
		dp := processes.Gauge().DataPoints().AppendEmpty()
		dp.SetDoubleValue(math.Round(100*(g.BusySeconds-r.before[i].BusySeconds)/elapsed) / 100)
		dp.Attributes().PutStr(signal.AttrK8sPodUID, instanceOf(i))
		dp.Attributes().PutStr(signal.AttrGPUUnit, signal.UnitSM)
		r.before[i] = g
	}
	r.told += joules * max(0, 1+energyNoise*r.noise.NormFloat64())
	r.at = now
	sumPoint(newSum(gpu, signal.HWEnergy), r.told, r.epoch, at)
	if r.sharing != byMIG {
		r.activity(gpu, &all, at)
	}
	if r.sharing == byProcesses {
		processes.MoveTo(gpu.AppendEmpty())
	}
	return md
}

func (r *sharedRun) activity(ms pmetric.MetricSlice, g *fleetsim.GPUTruth, at time.Time) {
	activity := newSum(ms, signal.GPUActivityTime)
	for _, u := range []struct {
		unit    string
		seconds float64
	}{
		{signal.UnitGraphics, g.BusySeconds}, {signal.UnitTensor, g.TensorSeconds}, {signal.UnitSM, g.SMSeconds}, {signal.UnitDRAM, g.DRAMSeconds},
	} {
		sumPoint(activity, u.seconds, r.epoch, at).Attributes().PutStr(signal.AttrGPUUnit, u.unit)
	}
}
