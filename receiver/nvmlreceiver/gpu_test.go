//go:build gpu && cgo && linux

package nvmlreceiver

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// These tests want a real GPU, its driver, and python3 with torch:
//
//	go test -tags gpu -count=1 -timeout 30m -v -run OnAGPU ./receiver/nvmlreceiver
//
// GPU_PYTHON names another interpreter. GPU_RECORDING=FILE keeps what the receiver said under load, as OTLP JSON. The load runs on
// the first GPU that CUDA sees; CUDA_VISIBLE_DEVICES and the device order of NVML must agree on it.

// watch reads the real GPUs until stop.
func watch(t *testing.T, sampling time.Duration) (sink *consumertest.MetricsSink, stop func()) {
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig().(*Config)
	cfg.Preset, cfg.RequireGPU, cfg.SamplingInterval, cfg.CollectionInterval = PresetFull, true, sampling, time.Second
	sink = new(consumertest.MetricsSink)
	r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	return sink, func() { require.NoError(t, r.Shutdown(context.Background())) }
}

// work runs a load and returns its rounds per second.
func work(t *testing.T, kind string, d time.Duration) float64 {
	python := os.Getenv("GPU_PYTHON")
	if python == "" {
		python = "python3"
	}
	command := exec.Command(python, filepath.Join("testdata", "load.py"), kind, fmt.Sprint(d.Seconds()))
	command.Stderr = os.Stderr
	out, err := command.Output()
	require.NoError(t, err, "%s", command)
	rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	require.NoError(t, err)
	return rate
}

// shares are the mean activities of the first GPU's units over the middle of the batches, when the load surely ran.
func shares(t *testing.T, batches []pmetric.Metrics) map[string]float64 {
	require.Greater(t, len(batches), 8, "too few collections")
	first, last := bySeries(batches[len(batches)/2]), bySeries(batches[len(batches)-2])
	out := map[string]float64{}
	for s, b := range last {
		a, ok := first[s]
		if !ok || s.metric != signal.GPUActivityTime && s.metric != signal.HWEnergy || index(last, s.device) != 0 {
			continue
		}
		name := s.attributes
		if s.metric == signal.HWEnergy {
			name = "watts"
		}
		out[name] = (value(b) - value(a)) / b.Timestamp().AsTime().Sub(a.Timestamp().AsTime()).Seconds()
	}
	return out
}

func index(points map[series]pmetric.NumberDataPoint, device string) int64 {
	for s, dp := range points {
		if i, ok := dp.Attributes().Get(signal.AttrGPUIndex); ok && s.device == device {
			return i.Int()
		}
	}
	return -1
}

func TestLoadsAreToldApartOnAGPU(t *testing.T) {
	measure := func(kind string) map[string]float64 {
		sink, stop := watch(t, 100*time.Millisecond)
		work(t, kind, 20*time.Second)
		stop()
		record(t, kind, sink.AllMetrics())
		got := shares(t, sink.AllMetrics())
		t.Logf("%s: %v", kind, got)
		return got
	}
	gemm, copying, idle := measure("gemm"), measure("copy"), measure("idle")
	for _, got := range []map[string]float64{gemm, copying, idle} {
		for unit, share := range got {
			if unit != "watts" {
				assert.True(t, share >= 0 && share <= 1.005, "%s is active %f of the time", unit, share)
			}
		}
	}
	assert.Greater(t, gemm["graphics"], 0.9)
	assert.Greater(t, copying["graphics"], 0.9)
	assert.Less(t, idle["graphics"], 0.1)
	assert.Greater(t, gemm["watts"], idle["watts"])
	if _, gpm := gemm[signal.UnitTensor]; !gpm {
		t.Log("the GPU has no GPM: tensor and SM activity are not measured")
		return
	}
	assert.Greater(t, gemm["tensor"], 0.3, "matrices of bfloat16 run on tensor cores")
	assert.Less(t, copying["tensor"], 0.02)
	assert.Greater(t, copying["dram"], 0.5)
	assert.Greater(t, copying["dram"], gemm["dram"])
}

// What the driver tells must be plausible in itself.
func TestReadingsArePlausibleOnAGPU(t *testing.T) {
	sink, stop := watch(t, 100*time.Millisecond)
	work(t, "gemm", 15*time.Second)
	stop()
	all := sink.AllMetrics()
	last := bySeries(all[len(all)-2])
	words := signal.Index(signal.GPUMetrics())
	forEach(all[len(all)-2], func(_ string, m pmetric.Metric, dp pmetric.NumberDataPoint) { checkPoint(t, words, m, dp) })
	seen := map[string]bool{}
	for s, dp := range last {
		seen[s.metric] = true
		switch s.metric {
		case signal.HWPower:
			assert.True(t, value(dp) > 5 && value(dp) < 2000, "%s: %f W", s.device, value(dp))
		case signal.HWTemperature:
			assert.True(t, value(dp) > 10 && value(dp) < 110, "%s: %f Cel", s.device, value(dp))
		case signal.HWGPUMemoryUtilization, signal.HWGPUUtilization:
			assert.LessOrEqual(t, value(dp), 1.0)
		}
	}
	for _, metric := range sortedKeys(words) {
		t.Logf("%-36s %v", metric, seen[metric])
	}
	for _, metric := range []string{signal.HWGPUMemoryUsage, signal.HWEnergy, signal.HWPower, signal.HWTemperature, signal.HWStatus, signal.GPUActivityTime} {
		assert.True(t, seen[metric], metric)
	}
}

// cpu is the processor time of this process.
func cpu(t *testing.T) time.Duration {
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestOwnCostOnAGPU(t *testing.T) {
	for _, sampling := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		sink, stop := watch(t, sampling)
		time.Sleep(2 * time.Second) // the start is another matter
		before, begin := cpu(t), time.Now()
		time.Sleep(20 * time.Second)
		share := float64(cpu(t)-before) / float64(time.Since(begin))
		stop()
		devices := map[string]bool{}
		for s := range bySeries(sink.AllMetrics()[len(sink.AllMetrics())-1]) {
			devices[s.device] = true
		}
		t.Logf("sampling %s: %.3f %% of a core for %d devices, the driver's work in this process included", sampling, 100*share, len(devices))
		assert.Less(t, share, 0.25)
	}
}

// Pairs of runs, with the receiver and without, say whether it slows a program down. Their order alternates.
func TestSlowdownOnAGPU(t *testing.T) {
	const pairs = 10
	run := func(watched bool) float64 {
		if watched {
			_, stop := watch(t, 20*time.Millisecond)
			defer stop()
		}
		return work(t, "gemm", 10*time.Second)
	}
	work(t, "gemm", 10*time.Second) // warm
	var slowdowns []float64
	for i := range pairs {
		first := run(i%2 == 0)
		second := run(i%2 == 1)
		with, without := first, second
		if i%2 == 1 {
			with, without = second, first
		}
		slowdowns = append(slowdowns, 1-with/without)
	}
	mean, half := interval(slowdowns)
	t.Logf("a matrix loop is %.3f %% slower with the receiver at 20 ms, 95 %% interval [%.3f, %.3f] %% over %d pairs",
		100*mean, 100*(mean-half), 100*(mean+half), pairs)
	assert.Less(t, mean-half, 0.01, "surely more than 1 % slower")
}

// interval is the mean and half of its 95 % interval by Student's t with 9 degrees of freedom.
func interval(x []float64) (mean, half float64) {
	const t9 = 2.262
	for _, v := range x {
		mean += v / float64(len(x))
	}
	var squares float64
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return mean, t9 * math.Sqrt(squares/float64(len(x)-1)/float64(len(x)))
}

// record appends batches to the file GPU_RECORDING names.
func record(t *testing.T, kind string, batches []pmetric.Metrics) {
	path := os.Getenv("GPU_RECORDING")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	for _, batch := range batches {
		for _, rm := range batch.ResourceMetrics().All() {
			rm.Resource().Attributes().PutStr("load", kind)
			rm.Resource().Attributes().Remove(signal.AttrHostName)
			rm.Resource().Attributes().Remove(signal.AttrHWSerial)
		}
		line, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(batch)
		require.NoError(t, err)
		_, err = f.Write(append(line, '\n'))
		require.NoError(t, err)
	}
}
