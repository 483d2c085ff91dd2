//go:build unix

package gpu_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

// window is the first of two GPM samples.
type window struct {
	rig  *rig
	take func(nvml.GpmSample) nvml.Return
	from nvml.GpmSample
}

func (r *rig) open(t testing.TB, take func(nvml.GpmSample) nvml.Return) *window {
	t.Helper()
	w := &window{rig: r, take: take, from: got[nvml.GpmSample](t)(r.nvml.GpmSampleAlloc())}
	ok(t, take(w.from))
	return w
}

// close takes the second sample and returns metrics that must be answered.
func (w *window) close(t testing.TB, ids ...nvml.GpmMetricId) []float64 {
	t.Helper()
	to := got[nvml.GpmSample](t)(w.rig.nvml.GpmSampleAlloc())
	ok(t, w.take(to))
	metrics := w.rig.metrics(t, w.from, to, ids...)
	ok(t, to.Free())
	ok(t, w.from.Free())
	out := make([]float64, len(ids))
	for i, m := range metrics {
		require.Equal(t, nvml.SUCCESS, nvml.Return(m.NvmlReturn), "metric %d", ids[i])
		out[i] = m.Value
	}
	return out
}

func (r *rig) metrics(t testing.TB, from, to nvml.GpmSample, ids ...nvml.GpmMetricId) []nvml.GpmMetric {
	t.Helper()
	get := &nvml.GpmMetricsGetType{NumMetrics: uint32(len(ids)), Sample1: from, Sample2: to}
	for i, id := range ids {
		get.Metrics[i].MetricId = uint32(id)
	}
	ok(t, r.nvml.GpmMetricsGet(get))
	return get.Metrics[:len(ids)]
}

func TestGPMIntegralsAreTheStates(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	random := rand.New(rand.NewPCG(1, 2))
	var s gpu.Sample
	step := func() {
		dt := time.Duration(1+random.IntN(200)) * time.Millisecond
		r.clock.Advance(dt)
		add := func(x *float64) { *x += random.Float64() * dt.Seconds() }
		for _, unit := range []*float64{&s.Activity.Graphics, &s.Activity.SM, &s.Activity.SMOccupancy, &s.Activity.Tensor,
			&s.Activity.TensorDFMA, &s.Activity.TensorHMMA, &s.Activity.TensorIMMA, &s.Activity.DRAM, &s.Activity.FP64, &s.Activity.FP32,
			&s.Activity.FP16} {
			add(unit)
		}
		for _, traffic := range []*float64{&s.PCIe.Receive, &s.PCIe.Transmit, &s.NVLink.Receive, &s.NVLink.Transmit} {
			*traffic += random.Float64() * 50e9 * dt.Seconds()
		}
		s.Time = r.clock.Now()
		r.update(t, 0, s)
	}
	ids := []nvml.GpmMetricId{nvml.GPM_METRIC_GRAPHICS_UTIL, nvml.GPM_METRIC_SM_UTIL, nvml.GPM_METRIC_SM_OCCUPANCY,
		nvml.GPM_METRIC_ANY_TENSOR_UTIL, nvml.GPM_METRIC_DFMA_TENSOR_UTIL, nvml.GPM_METRIC_HMMA_TENSOR_UTIL,
		nvml.GPM_METRIC_IMMA_TENSOR_UTIL, nvml.GPM_METRIC_DRAM_BW_UTIL, nvml.GPM_METRIC_FP64_UTIL, nvml.GPM_METRIC_FP32_UTIL,
		nvml.GPM_METRIC_FP16_UTIL, nvml.GPM_METRIC_PCIE_RX_PER_SEC, nvml.GPM_METRIC_PCIE_TX_PER_SEC,
		nvml.GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC, nvml.GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC}
	figures := func() []float64 {
		a := s.Activity
		return []float64{a.Graphics, a.SM, a.SMOccupancy, a.Tensor, a.TensorDFMA, a.TensorHMMA, a.TensorIMMA, a.DRAM, a.FP64, a.FP32,
			a.FP16, s.PCIe.Receive, s.PCIe.Transmit, s.NVLink.Receive, s.NVLink.Transmit}
	}
	step()
	begin, integral := figures(), make([]float64, len(ids))
	take := func(sample nvml.GpmSample) nvml.Return { return sample.Get(d) }
	for range 60 { // intervals of one to thirty updates
		from := r.clock.Now()
		w := r.open(t, take)
		for range 1 + random.IntN(30) {
			step()
		}
		seconds := r.clock.Now().Sub(from).Seconds()
		for i, v := range w.close(t, ids...) {
			unit := 0.01
			if ids[i] >= nvml.GPM_METRIC_PCIE_TX_PER_SEC {
				unit = 1 << 20
			}
			integral[i] += v * unit * seconds
		}
	}
	end := figures()
	for i := range ids {
		require.InEpsilon(t, end[i]-begin[i], integral[i], 0.005, "metric %d", ids[i])
	}
}

func TestGPMLinks(t *testing.T) {
	r := newRig(t, template(t, "h200", 1))
	d := r.device(t, 0)
	r.update(t, 0, gpu.Sample{})
	w := r.open(t, func(s nvml.GpmSample) nvml.Return { return s.Get(d) })
	r.clock.Advance(time.Second)
	links := make([]gpu.Traffic, 18)
	for i := range links {
		links[i] = gpu.Traffic{Receive: float64(i) * (1 << 20), Transmit: float64(100+i) * (1 << 20)}
	}
	r.update(t, 0, gpu.Sample{NVLinks: links})
	values := w.close(t, nvml.GPM_METRIC_NVLINK_L0_RX_PER_SEC, nvml.GPM_METRIC_NVLINK_L0_TX_PER_SEC,
		nvml.GPM_METRIC_NVLINK_L17_RX_PER_SEC, nvml.GPM_METRIC_NVLINK_L17_TX_PER_SEC, nvml.GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC)
	require.InDeltaSlice(t, []float64{0, 100, 17, 117, 153}, values, 1e-9)
}

func TestGPMNeedsTwoSamples(t *testing.T) {
	r := newRig(t, template(t, "h100", 2))
	d := r.device(t, 0)
	require.Equal(t, uint32(1), got[nvml.GpmSupport](t)(d.GpmQueryDeviceSupport()).IsSupportedDevice)
	require.Equal(t, uint32(0), got[uint32](t)(d.GpmQueryIfStreamingEnabled()))
	r.update(t, 0, gpu.Sample{})
	a, b := got[nvml.GpmSample](t)(r.nvml.GpmSampleAlloc()), got[nvml.GpmSample](t)(r.nvml.GpmSampleAlloc())
	get := func(from, to nvml.GpmSample) nvml.Return {
		return r.nvml.GpmMetricsGet(&nvml.GpmMetricsGetType{NumMetrics: 1, Sample1: from, Sample2: to})
	}
	ok(t, a.Get(d))
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, get(a, b), "the second was never taken")
	ok(t, b.Get(d))
	metrics := r.metrics(t, a, b, nvml.GPM_METRIC_SM_UTIL, nvml.GPM_METRIC_NVDEC_0_UTIL)
	require.Equal(t, nvml.ERROR_NO_DATA, nvml.Return(metrics[0].NvmlReturn), "no time between them")
	r.clock.Advance(time.Second)
	r.update(t, 0, gpu.Sample{})
	ok(t, b.Get(d))
	metrics = r.metrics(t, a, b, nvml.GPM_METRIC_SM_UTIL, nvml.GPM_METRIC_NVDEC_0_UTIL)
	require.Equal(t, nvml.SUCCESS, nvml.Return(metrics[0].NvmlReturn))
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, nvml.Return(metrics[1].NvmlReturn))
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, get(b, a), "backwards")
	ok(t, b.Get(r.device(t, 1)))
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, get(a, b), "of two devices")
	ok(t, a.Free())
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, a.Free(), "freed twice")
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, a.Get(d))
	ok(t, b.Free())
}

func TestGPMSamplesThatLeak(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	var samples []nvml.GpmSample
	for range 1024 {
		samples = append(samples, got[nvml.GpmSample](t)(r.nvml.GpmSampleAlloc()))
	}
	require.Equal(t, nvml.ERROR_MEMORY, second(r.nvml.GpmSampleAlloc()))
	for _, s := range samples {
		ok(t, s.Free())
	}
}

func TestNoGPMBeforeHopper(t *testing.T) {
	r := newRig(t, template(t, "a100", 1))
	d := r.device(t, 0)
	require.Equal(t, uint32(0), got[nvml.GpmSupport](t)(d.GpmQueryDeviceSupport()).IsSupportedDevice)
	s := got[nvml.GpmSample](t)(r.nvml.GpmSampleAlloc())
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, s.Get(d))
	ok(t, s.Free())
}
