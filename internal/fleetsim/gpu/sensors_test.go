//go:build unix

package gpu_test

import (
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

// drive updates a device every step with constant power (W) and graphics and DRAM activity for a time; energy and activity go on from
// the sample before.
func (r *rig) drive(t testing.TB, device int, s *gpu.Sample, step, total time.Duration) {
	t.Helper()
	for passed := time.Duration(0); passed < total; passed += step {
		r.clock.Advance(step)
		s.Energy += s.Power * step.Seconds()
		s.Activity.Graphics += busyGraphics * step.Seconds()
		s.Activity.DRAM += busyDRAM * step.Seconds()
		s.Time = r.clock.Now()
		r.update(t, device, *s)
	}
}

const (
	busyGraphics = 0.637
	busyDRAM     = 0.25
)

func TestEnergyMovesWithTheSensor(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	energy := func() uint64 { return got[uint64](t)(d.GetTotalEnergyConsumption()) }
	s := gpu.Sample{Power: 500, Energy: 100}
	r.drive(t, 0, &s, 10*time.Millisecond, 10*time.Millisecond) // the first sample is where the sensor begins
	begin := energy()
	require.Equal(t, uint64(105_000), begin)
	r.drive(t, 0, &s, 10*time.Millisecond, 90*time.Millisecond)
	require.Equal(t, begin, energy(), "no refresh yet")
	r.drive(t, 0, &s, 10*time.Millisecond, 10*time.Millisecond)
	require.InDelta(t, begin+50_000, energy(), 1)
	r.drive(t, 0, &s, 37*time.Millisecond, 370*time.Millisecond)
	require.InDelta(t, begin+200_000, energy(), 1, "the refreshes at 100, 200, 300 and 400 of 470 ms")
	r.drive(t, 0, &s, time.Hour, time.Hour)
	require.InDelta(t, s.Energy*1e3, energy(), 50_000, "a long step ends at the last refresh")
}

func TestPowerIsAMeanOfASecond(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	s := gpu.Sample{Power: 100}
	r.drive(t, 0, &s, 100*time.Millisecond, 3*time.Second)
	require.InDelta(t, 100_000, got[uint32](t)(d.GetPowerUsage()), 1)
	s.Power = 600
	r.drive(t, 0, &s, 100*time.Millisecond, 500*time.Millisecond)
	require.InDelta(t, 350_000, got[uint32](t)(d.GetPowerUsage()), 1, "half a second of 100 W and of 600 W")
	fields := r.fields(t, d, nvml.FI_DEV_POWER_INSTANT, nvml.FI_DEV_POWER_AVERAGE)
	require.Equal(t, uint64(600_000), fields[0])
	require.InDelta(t, 350_000, fields[1], 1)
	r.drive(t, 0, &s, 100*time.Millisecond, 500*time.Millisecond)
	require.InDelta(t, 600_000, got[uint32](t)(d.GetPowerUsage()), 1)
}

func TestA100TellsThePowerOfTheMoment(t *testing.T) {
	r := newRig(t, template(t, "a100", 1))
	d := r.device(t, 0)
	s := gpu.Sample{Power: 100}
	r.drive(t, 0, &s, 100*time.Millisecond, time.Second)
	s.Power = 300
	r.drive(t, 0, &s, 100*time.Millisecond, 100*time.Millisecond)
	require.Equal(t, uint32(300_000), got[uint32](t)(d.GetPowerUsage()))
	values := []nvml.FieldValue{{FieldId: nvml.FI_DEV_POWER_AVERAGE}}
	ok(t, d.GetFieldValues(values))
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, nvml.Return(values[0].NvmlReturn))
}

func TestPowerLimits(t *testing.T) {
	r := newRig(t, template(t, "b200", 1))
	d := r.device(t, 0)
	require.Equal(t, uint32(1_000_000), got[uint32](t)(d.GetPowerManagementLimit()))
	require.Equal(t, uint32(1_000_000), got[uint32](t)(d.GetPowerManagementDefaultLimit()))
	require.Equal(t, uint32(1_000_000), got[uint32](t)(d.GetEnforcedPowerLimit()))
	require.Equal(t, nvml.FEATURE_ENABLED, got[nvml.EnableState](t)(d.GetPowerManagementMode()))
	least, most, ret := d.GetPowerManagementLimitConstraints()
	ok(t, ret)
	require.Equal(t, [2]uint32{200_000, 1_000_000}, [2]uint32{least, most})
	require.Equal(t, []uint64{200_000, 1_000_000, 1_000_000, 1_000_000}, r.fields(t, d, nvml.FI_DEV_POWER_MIN_LIMIT,
		nvml.FI_DEV_POWER_MAX_LIMIT, nvml.FI_DEV_POWER_DEFAULT_LIMIT, nvml.FI_DEV_POWER_CURRENT_LIMIT))
}

func TestUtilisationSamples(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	s := gpu.Sample{Power: 400, SMClock: 1755e6, MemoryClock: 2619e6, Decoder: 0.12}
	r.drive(t, 0, &s, 10*time.Millisecond, 2*time.Second)
	rates := got[nvml.Utilization](t)(d.GetUtilizationRates())
	require.Equal(t, nvml.Utilization{Gpu: 64, Memory: 25}, rates, "whole percent")
	encoder, _, ret := d.GetEncoderUtilization()
	ok(t, ret)
	decoder, period, ret := d.GetDecoderUtilization()
	ok(t, ret)
	require.Equal(t, [3]uint32{0, 12, 166_666}, [3]uint32{encoder, decoder, period})

	for _, c := range []struct {
		kind        nvml.SamplingType
		count       int
		value, span uint32
	}{
		{nvml.TOTAL_POWER_SAMPLES, 99, 400_000, 20_000},
		{nvml.GPU_UTILIZATION_SAMPLES, 11, 64, 166_666},
		{nvml.MEMORY_UTILIZATION_SAMPLES, 11, 25, 166_666},
		{nvml.PROCESSOR_CLK_SAMPLES, 99, 1755, 20_000},
		{nvml.MEMORY_CLK_SAMPLES, 99, 2619, 20_000},
	} {
		kind, samples, ret := d.GetSamples(c.kind, 0)
		ok(t, ret)
		require.Equal(t, nvml.VALUE_TYPE_UNSIGNED_INT, kind)
		require.Len(t, samples, c.count)
		for i, sample := range samples {
			require.Equal(t, uint64(c.value), number(sample.SampleValue))
			if i > 0 {
				require.InDelta(t, c.span, sample.TimeStamp-samples[i-1].TimeStamp, 1)
			}
		}
		since := samples[len(samples)-3].TimeStamp
		_, newer, ret := d.GetSamples(c.kind, since)
		ok(t, ret)
		require.Equal(t, samples[len(samples)-2:], newer, "only those after the last seen")
		_, _, ret = d.GetSamples(c.kind, samples[len(samples)-1].TimeStamp)
		require.Equal(t, nvml.ERROR_NOT_FOUND, ret)
	}
	_, _, ret = d.GetSamples(nvml.JPG_UTILIZATION_SAMPLES, 0)
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret)
}

func TestRingKeepsTheNewest(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	s := gpu.Sample{Power: 400}
	r.drive(t, 0, &s, 50*time.Millisecond, 10*time.Second)
	r.drive(t, 0, &s, time.Hour, time.Hour) // one step of more than the ring holds
	_, samples, ret := d.GetSamples(nvml.TOTAL_POWER_SAMPLES, 0)
	ok(t, ret)
	require.Len(t, samples, 120)
	newest := r.clock.Now().UnixMicro()
	require.InDelta(t, newest, samples[119].TimeStamp, 20_000)
	require.InDelta(t, newest-120*20_000, samples[0].TimeStamp, 40_000)
}

func TestThrottling(t *testing.T) {
	r := newRig(t, template(t, "h100", 1))
	d := r.device(t, 0)
	s := gpu.Sample{Power: 700}
	r.drive(t, 0, &s, 100*time.Millisecond, 100*time.Millisecond)
	s.ThrottleReasons = gpu.ThrottleSWPowerCap | gpu.ThrottleHWThermal
	r.drive(t, 0, &s, 100*time.Millisecond, 300*time.Millisecond)
	s.ThrottleReasons = gpu.ThrottleSWThermal
	r.drive(t, 0, &s, 100*time.Millisecond, 200*time.Millisecond)

	require.Equal(t, uint64(gpu.ThrottleSWThermal), got[uint64](t)(d.GetCurrentClocksEventReasons()))
	require.Equal(t, uint64(gpu.ThrottleSWThermal), got[uint64](t)(d.GetCurrentClocksThrottleReasons()))
	require.Equal(t, uint64(0x7ff), got[uint64](t)(d.GetSupportedClocksEventReasons()))
	require.Equal(t, uint64(0x7ff), got[uint64](t)(d.GetSupportedClocksThrottleReasons()))
	power := got[nvml.ViolationTime](t)(d.GetViolationStatus(nvml.PERF_POLICY_POWER))
	require.Equal(t, uint64(300_000_000), power.ViolationTime)
	require.Equal(t, uint64(r.clock.Now().UnixMicro()), power.ReferenceTime)
	thermal := got[nvml.ViolationTime](t)(d.GetViolationStatus(nvml.PERF_POLICY_THERMAL))
	require.Equal(t, uint64(500_000_000), thermal.ViolationTime)
	require.Equal(t, []uint64{300_000_000, 500_000_000, 200_000_000, 300_000_000, 0}, r.fields(t, d,
		nvml.FI_DEV_PERF_POLICY_POWER, nvml.FI_DEV_PERF_POLICY_THERMAL, nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
		nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN, nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN))
	require.Equal(t, nvml.PSTATE_0, got[nvml.Pstates](t)(d.GetPerformanceState()))
	require.Equal(t, nvml.PSTATE_0, got[nvml.Pstates](t)(d.GetPowerState()))
}

func TestClocksAndHeat(t *testing.T) {
	machine := template(t, "h100", 1)
	r := newRig(t, machine)
	d := r.device(t, 0)
	r.update(t, 0, gpu.Sample{SMClock: 1410e6, MemoryClock: 2619e6, Temperature: 61.4, MemoryTemperature: 74})
	require.Equal(t, uint32(1410), got[uint32](t)(d.GetClockInfo(nvml.CLOCK_SM)))
	require.Equal(t, uint32(1410), got[uint32](t)(d.GetClockInfo(nvml.CLOCK_GRAPHICS)))
	require.Equal(t, uint32(2619), got[uint32](t)(d.GetClockInfo(nvml.CLOCK_MEM)))
	require.Equal(t, uint32(1980), got[uint32](t)(d.GetMaxClockInfo(nvml.CLOCK_SM)))
	require.Equal(t, uint32(1980), got[uint32](t)(d.GetApplicationsClock(nvml.CLOCK_SM)))
	require.Equal(t, uint32(1980), got[uint32](t)(d.GetDefaultApplicationsClock(nvml.CLOCK_SM)))
	require.Equal(t, uint32(1410), got[uint32](t)(d.GetClock(nvml.CLOCK_SM, nvml.CLOCK_ID_CURRENT)))
	require.Equal(t, uint32(1980), got[uint32](t)(d.GetClock(nvml.CLOCK_SM, nvml.CLOCK_ID_APP_CLOCK_TARGET)))
	require.Equal(t, uint32(61), got[uint32](t)(d.GetTemperature(nvml.TEMPERATURE_GPU)))
	require.Equal(t, int32(61), got[nvml.Temperature](t)(d.GetTemperatureV().V1()).Temperature)
	require.Equal(t, uint32(95), got[uint32](t)(d.GetTemperatureThreshold(nvml.TEMPERATURE_THRESHOLD_SHUTDOWN)))
	require.Equal(t, uint32(87), got[uint32](t)(d.GetTemperatureThreshold(nvml.TEMPERATURE_THRESHOLD_GPU_MAX)))
	require.Equal(t, []uint64{74}, r.fields(t, d, nvml.FI_DEV_MEMORY_TEMP))
	require.Equal(t, 0, got[int](t)(d.GetNumFans()))
	_, ret := d.GetFanSpeed()
	require.Equal(t, nvml.ERROR_NOT_SUPPORTED, ret, "boards of data centres have no fans")

	machine.Devices[0].Fans = 2
	fanned := newRig(t, machine)
	fanned.update(t, 0, gpu.Sample{FanSpeed: 0.45})
	require.Equal(t, uint32(45), got[uint32](t)(fanned.device(t, 0).GetFanSpeed()))
	require.Equal(t, uint32(45), got[uint32](t)(fanned.device(t, 0).GetFanSpeed_v2(1)))
	_, ret = fanned.device(t, 0).GetFanSpeed_v2(2)
	require.Equal(t, nvml.ERROR_INVALID_ARGUMENT, ret)
}
