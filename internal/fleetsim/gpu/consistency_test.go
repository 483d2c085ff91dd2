//go:build unix

package gpu_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

// numbered is a sample whose every figure tells its number, so that a reader sees when they are of two samples.
func numbered(n uint64) gpu.Sample {
	processes := make([]gpu.Process, gpu.MaxProcesses)
	for i := range processes {
		processes[i] = gpu.Process{PID: uint32(i + 1), Memory: n}
	}
	return gpu.Sample{
		Time:              time.Unix(1_700_000_000, 0).Add(time.Duration(n) * 100 * time.Millisecond),
		Energy:            float64(n),
		Power:             float64(n % 500),
		MemoryTemperature: float64(n % 100),
		NVLink:            gpu.Traffic{Receive: float64(n) * 18 * 1024},
		Processes:         processes,
	}
}

// readConsistently reads a device that is written with numbered samples and says what it saw that cannot be.
func readConsistently(library nvml.Interface, rounds int) (reads int, torn string) {
	d, ret := library.DeviceGetHandleByIndex(0)
	if ret != nvml.SUCCESS {
		return 0, ret.Error()
	}
	last := uint64(0)
	for range rounds {
		values := []nvml.FieldValue{
			{FieldId: nvml.FI_DEV_TOTAL_ENERGY_CONSUMPTION}, {FieldId: nvml.FI_DEV_POWER_INSTANT}, {FieldId: nvml.FI_DEV_MEMORY_TEMP},
			{FieldId: nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, ScopeId: 0xffffffff},
		}
		if ret := d.GetFieldValues(values); ret != nvml.SUCCESS {
			return reads, ret.Error()
		}
		n := number(values[3].Value) / 18
		seen := [3]uint64{number(values[0].Value), number(values[1].Value), number(values[2].Value)}
		if want := [3]uint64{n * 1000, n % 500 * 1000, n % 100}; seen != want || n < last {
			return reads, fmt.Sprintf("sample %d after %d: energy, power and temperature are %v, must be %v", n, last, seen, want)
		}
		last = n
		processes, ret := d.GetComputeRunningProcesses()
		if ret != nvml.SUCCESS {
			return reads, ret.Error()
		}
		for _, p := range processes {
			if p.UsedGpuMemory != processes[0].UsedGpuMemory {
				return reads, fmt.Sprintf("processes of samples %d and %d in one list", processes[0].UsedGpuMemory, p.UsedGpuMemory)
			}
		}
		_, samples, ret := d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, 0)
		if ret != nvml.SUCCESS && ret != nvml.ERROR_NOT_FOUND {
			return reads, ret.Error()
		}
		for i := 1; i < len(samples) && ret == nvml.SUCCESS; i++ {
			if samples[i].TimeStamp <= samples[i-1].TimeStamp {
				return reads, fmt.Sprintf("utilisation sample %d is not newer than the one before", i)
			}
		}
		reads++
	}
	return reads, ""
}

// TestReadersNeverSeeHalfASample lets one writer work without pause while threads of this process and another process read.
func TestReadersNeverSeeHalfASample(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	r.update(t, 0, numbered(1))
	stop := make(chan struct{})
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for n := uint64(2); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := r.Update(0, numbered(n)); err != nil {
				t.Errorf("update %d: %v", n, err)
				return
			}
		}
	})
	for range 2 {
		readers.Go(func() {
			if reads, torn := readConsistently(r.nvml, 5_000); torn != "" {
				t.Errorf("after %d reads: %s", reads, torn)
			}
		})
	}
	other := runChild(t, "read")
	readers.Wait()
	close(stop)
	writer.Wait()
	require.Empty(t, other.Torn)
	require.Equal(t, 20_000, other.Reads)
}

// TestReaderGivesUp: a writer that died in the middle of a write must not hold its readers for ever.
func TestReaderGivesUp(t *testing.T) {
	r := newRig(t, template(t, "h100", 2))
	d := r.device(t, 0)
	resume := r.StallWriter(0)
	require.Equal(t, nvml.ERROR_TIMEOUT, second(d.GetPowerUsage()))
	ok(t, second(r.device(t, 1).GetPowerUsage()))
	resume()
	ok(t, second(d.GetPowerUsage()))
}

func TestUpdateRefused(t *testing.T) {
	r := newMachine(t, template(t, "h100", 1))
	r.update(t, 0, gpu.Sample{Energy: 10, PCIe: gpu.Traffic{Receive: 5}})
	r.clock.Advance(time.Second)
	for want, sample := range map[string]gpu.Sample{
		"energy: must not fall, goes from 10 to 9":                                {Energy: 9, PCIe: gpu.Traffic{Receive: 5}},
		"PCIe bytes received: must not fall, goes from 5 to 4":                    {Energy: 10, PCIe: gpu.Traffic{Receive: 4}},
		"activity of unit 1: must grow by 0..1.011000 s, grows by 1.200000":       {Energy: 10, Activity: gpu.Activity{SM: 1.2}},
		"activity of unit 0: must be at least 0, is -1":                           {Activity: gpu.Activity{Graphics: -1}},
		"power: must be at least 0 and finite, is -3":                             {Energy: 10, PCIe: gpu.Traffic{Receive: 5}, Power: -3},
		"nvlinks: must be none or 18, are 2":                                      {NVLinks: make([]gpu.Traffic, 2)},
		"time: must not go back, goes from 1700000000000000000 to 1000000000 ns":  {Time: time.Unix(1, 0)},
		"memory used: must be at most 84943044608 bytes, is 18446744073709551615": {Energy: 10, PCIe: gpu.Traffic{Receive: 5}, MemoryUsed: 1<<64 - 1},
	} {
		require.EqualError(t, r.Update(0, sample), "device 0: "+want)
	}
	require.EqualError(t, r.Update(1, gpu.Sample{}), "device: must be 0..0, is 1")
}

func BenchmarkUpdate(b *testing.B) {
	r := newMachine(b, template(b, "h100", 1))
	b.ReportAllocs()
	s := numbered(1)
	for b.Loop() {
		s.Time = s.Time.Add(100 * time.Millisecond)
		s.Energy++
		if err := r.Update(0, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r := newRig(b, template(b, "h100", 1))
	d := r.device(b, 0)
	b.Run("power", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ret := d.GetPowerUsage(); ret != nvml.SUCCESS {
				b.Fatal(ret)
			}
		}
	})
	b.Run("samples", func(b *testing.B) {
		s := gpu.Sample{Power: 400}
		r.drive(b, 0, &s, time.Second, 30*time.Second)
		b.ReportAllocs()
		for b.Loop() {
			if _, _, ret := d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, 0); ret != nvml.SUCCESS {
				b.Fatal(ret)
			}
		}
	})
}
