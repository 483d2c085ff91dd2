package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"strconv"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// emitter puts what a reader collected onto a page, as far as the plan wants it and the device told it.
type emitter struct {
	*reader
	page *page
	at   time.Time
}

func (e *emitter) on(metric string) bool { return e.plan.on[metric] }

// all emits every metric of the device.
func (e *emitter) all() {
	e.memory()
	e.activity()
	if e.instance() {
		e.instanceUtilization()
		return
	}
	e.utilization()
	e.power()
	e.temperature()
	e.traffic()
	e.throttle()
	e.errors()
	e.repairs()
}

func (e *emitter) memory() {
	if !e.got[gpu.Memory] {
		return
	}
	r := &e.reading
	if e.on(signal.HWGPUMemoryUsage) {
		e.page.integer(signal.HWGPUMemoryUsage, int64(r.MemoryUsed), e.ledger.since, e.at, "", "")
	}
	if e.on(signal.HWGPUMemoryLimit) {
		e.page.integer(signal.HWGPUMemoryLimit, int64(r.MemoryTotal), e.ledger.since, e.at, "", "")
	}
	if e.on(signal.HWGPUMemoryUtilization) && r.MemoryTotal > 0 {
		e.page.double(signal.HWGPUMemoryUtilization, float64(r.MemoryUsed)/float64(r.MemoryTotal), time.Time{}, e.at, "", "")
	}
	if e.on(signal.GPUMemoryReserved) && r.HasReserved {
		e.page.integer(signal.GPUMemoryReserved, int64(r.MemoryReserved), e.ledger.since, e.at, "", "")
	}
}

func (e *emitter) utilization() {
	task := func(q gpu.Question, percent uint32, name string) {
		if e.got[q] {
			e.page.double(signal.HWGPUUtilization, float64(percent)/100, time.Time{}, e.at, signal.AttrGPUTask, name)
		}
	}
	task(gpu.Utilization, e.reading.Utilization, "general")
	task(gpu.Encoder, e.reading.Encoder, "encoder")
	task(gpu.Decoder, e.reading.Decoder, "decoder")
}

// instanceUtilization is the mean of a GPU instance's graphics activity since the last collection: the driver has no utilisation of
// MIG devices.
func (e *emitter) instanceUtilization() {
	now := e.ledger.activity[gpu.GPMGraphics]
	before := e.graphics
	e.graphics = now
	if elapsed := now.at.Sub(before.at).Seconds(); e.on(signal.HWGPUUtilization) && before.seen() && before.start.Equal(now.start) && elapsed > 0 {
		e.page.double(signal.HWGPUUtilization, (now.value-before.value)/elapsed, time.Time{}, now.at, signal.AttrGPUTask, "general")
	}
}

func (e *emitter) power() {
	if e.on(signal.HWEnergy) {
		const joulesPerMilli = 1e-3
		if c := &e.ledger.energy; c.due() {
			e.page.double(signal.HWEnergy, float64(c.total)*joulesPerMilli, c.start, c.at, "", "")
		} else if i := &e.ledger.power; i.due() {
			e.page.double(signal.HWEnergy, i.value*joulesPerMilli, i.start, i.at, "", "")
		}
	}
	if e.got[gpu.Power] {
		e.page.double(signal.HWPower, float64(e.reading.Power)/1000, time.Time{}, e.at, "", "")
	}
	if e.got[gpu.PowerLimit] {
		e.page.double(signal.GPUPowerLimit, float64(e.reading.PowerLimit)/1000, time.Time{}, e.at, "", "")
	}
	if e.got[gpu.Clocks] {
		const hertzPerMega = 1e6
		e.page.double(signal.GPUClockFrequency, float64(e.reading.ClockSM)*hertzPerMega, time.Time{}, e.at, signal.AttrGPUClock, "sm")
		e.page.double(signal.GPUClockFrequency, float64(e.reading.ClockMemory)*hertzPerMega, time.Time{}, e.at, signal.AttrGPUClock, "mem")
	}
}

func (e *emitter) temperature() {
	sensor := func(metric, kind, location string, value float64) {
		dp := e.page.point(metric, time.Time{}, e.at)
		dp.SetDoubleValue(value)
		e.page.sensor(dp, kind, location)
	}
	if e.got[gpu.Temperature] {
		sensor(signal.HWTemperature, "temperature", "gpu", float64(e.reading.Temperature))
	}
	if v, ok := e.state(gpu.FieldMemoryTemperature); ok && v > 0 && e.on(signal.HWTemperature) {
		sensor(signal.HWTemperature, "temperature", "memory", float64(v))
	}
	if e.got[gpu.Fans] {
		for i := range e.reading.Fans {
			sensor(signal.HWFanSpeedRatio, "fan", strconv.Itoa(i), float64(e.reading.FanSpeeds[i])/100)
		}
	}
	limit := func(has bool, value uint32, kind string) {
		if !has || !e.on(signal.HWTemperatureLimit) {
			return
		}
		dp := e.page.point(signal.HWTemperatureLimit, time.Time{}, e.at)
		dp.SetDoubleValue(float64(value))
		e.page.sensor(dp, "temperature", "gpu")
		dp.Attributes().PutStr(signal.AttrHWLimit, kind)
	}
	limit(e.reading.HasSlowdown, e.reading.Slowdown, "high.degraded")
	limit(e.reading.HasShutdown, e.reading.Shutdown, "high.critical")
}

// throttle emits the reasons that the driver counts. Where it tells software from hardware slowdowns, their sum is left out.
func (e *emitter) throttle() {
	if !e.on(signal.GPUThrottleTime) {
		return
	}
	told := func(id uint32) bool {
		c := e.ledger.fields[fieldKey{id, 0}]
		return c != nil && c.seen()
	}
	split := told(gpu.FieldThrottleSWThermal) || told(gpu.FieldThrottleHWThermal)
	for _, reason := range []struct {
		id   uint32
		name string
	}{
		{gpu.FieldThrottlePower, "sw_power_cap"}, {gpu.FieldThrottleThermal, "thermal"}, {gpu.FieldThrottleSyncBoost, "sync_boost"},
		{gpu.FieldThrottleBoard, "board_limit"}, {gpu.FieldThrottleLowUse, "low_utilization"}, {gpu.FieldThrottleReliab, "reliability"},
		{gpu.FieldThrottleSWThermal, "sw_thermal"}, {gpu.FieldThrottleHWThermal, "hw_thermal"}, {gpu.FieldThrottlePowerBrake, "hw_power_brake"},
	} {
		c := e.ledger.field(reason.id, 0)
		if split && reason.id == gpu.FieldThrottleThermal || !c.due() {
			continue
		}
		e.page.double(signal.GPUThrottleTime, float64(c.total)/1e9, c.start, c.at, signal.AttrGPUThrottleReason, reason.name)
	}
}
