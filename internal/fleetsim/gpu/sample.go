//go:build unix

package gpu

import (
	"fmt"
	"math"
	"time"
)

// Activity is how long each unit was active, as seconds of full activity since the machine was made: half a second at 50 % adds 0.25.
type Activity struct {
	Graphics    float64 // any work on the GPU
	SM          float64 // mean over the SMs
	SMOccupancy float64 // resident warps of the possible ones
	Tensor      float64 // any tensor pipe
	TensorDFMA  float64
	TensorHMMA  float64
	TensorIMMA  float64
	DRAM        float64 // of the memory bandwidth
	FP64        float64
	FP32        float64
	FP16        float64
}

// Traffic is bytes received and sent since the machine was made.
type Traffic struct {
	Receive  float64
	Transmit float64
}

// Sample is what a device has done and how it is at a moment. Cumulative figures count since the machine was made and never fall.
type Sample struct {
	// Time is when the figures are true; the machine's clock when zero. It must not go back.
	Time time.Time

	Energy   float64 // J, cumulative
	Activity Activity
	PCIe     Traffic
	// NVLinks is the traffic of each link. When empty NVLink, the sum, is spread over the links evenly.
	NVLinks []Traffic
	NVLink  Traffic

	MemoryUsed        uint64  // bytes, without the driver's reserve
	Power             float64 // W, of the moment
	SMClock           float64 // Hz
	MemoryClock       float64 // Hz
	Temperature       float64 // °C
	MemoryTemperature float64 // °C
	Encoder           float64 // activity of the video encoder, 0..1
	Decoder           float64 // activity of the video decoder, 0..1
	FanSpeed          float64 // 0..1; of a model with fans
	// ThrottleReasons are those that held the clocks down from the last sample to this one.
	ThrottleReasons ThrottleReasons

	Processes []Process
	// MIG is one for each MIG device, in the order of ConfigureMIG; empty leaves them as they were.
	MIG []MIGSample
}

// MIGSample is a Sample of a MIG device. Activity is relative to the instance, 1 being all of its SMs, and counts since ConfigureMIG.
type MIGSample struct {
	Activity   Activity
	MemoryUsed uint64 // bytes
}

// ProcessKind is the list of NVML a process appears in.
type ProcessKind uint32

// The lists of processes NVML has.
const (
	Compute ProcessKind = iota
	Graphics
	MPSCompute
)

// Process is a process on a device.
type Process struct {
	PID    uint32
	Kind   ProcessKind
	Memory uint64  // bytes
	SM     float64 // share of the SMs since the last sample, 0..1
	DRAM   float64 // share of the memory bandwidth since the last sample, 0..1
	MIG    int     // index of the MIG device it runs on, where MIG is on
}

// ThrottleReasons is a set of reasons, the bits of NVML's clocks event reasons.
type ThrottleReasons uint64

// The reasons of NVML (nvml.h of go-nvml v0.13.4-1, nvmlClocksEventReason*).
const (
	ThrottleIdle              ThrottleReasons = 0x1
	ThrottleApplicationClocks ThrottleReasons = 0x2
	ThrottleSWPowerCap        ThrottleReasons = 0x4
	ThrottleHWSlowdown        ThrottleReasons = 0x8
	ThrottleSyncBoost         ThrottleReasons = 0x10
	ThrottleSWThermal         ThrottleReasons = 0x20
	ThrottleHWThermal         ThrottleReasons = 0x40
	ThrottleHWPowerBrake      ThrottleReasons = 0x80
	ThrottleDisplayClocks     ThrottleReasons = 0x100
	ThrottleBoardLimit        ThrottleReasons = 0x200
	ThrottleReliability       ThrottleReasons = 0x400
)

// Update sets what the device has done and how it is. Figures that cannot be (falling, more active than time has passed) are refused
// and change nothing; the first sample after Create is taken as it is.
func (s *State) Update(device int, sample Sample) error {
	if sample.Time.IsZero() {
		sample.Time = s.machine.Clock()
	}
	return s.device(device, func(d *deviceLayout, sensors *sensors) error {
		next, err := sample.integrals(int(d.Core.Nvlinks))
		if err != nil {
			return err
		}
		if err := sensors.accepts(&next); err != nil {
			return err
		}
		if err := sample.check(&d.Core); err != nil {
			return err
		}
		if err := sample.checkMIG(d); err != nil {
			return err
		}
		d.write(func() {
			sensors.advance(d, &next, &sample)
			sample.writeGauges(&d.Core)
			sample.writeProcesses(d)
			sample.writeMIG(d)
		})
		return nil
	})
}

func (a Activity) array() [unitCount]float64 {
	return [unitCount]float64{
		unitGraphics: a.Graphics, unitSM: a.SM, unitSMOccupancy: a.SMOccupancy,
		unitTensor: a.Tensor, unitTensorDFMA: a.TensorDFMA, unitTensorHMMA: a.TensorHMMA, unitTensorIMMA: a.TensorIMMA,
		unitDRAM: a.DRAM, unitFP64: a.FP64, unitFP32: a.FP32, unitFP16: a.FP16,
	}
}

func (s *Sample) integrals(links int) (integralsLayout, error) {
	out := integralsLayout{
		TimeNs: nanoseconds(s.Time), EnergyJ: s.Energy, ActivityS: s.Activity.array(),
		PcieRxBytes: s.PCIe.Receive, PcieTxBytes: s.PCIe.Transmit,
	}
	if n := len(s.NVLinks); n != 0 && n != links {
		return out, fmt.Errorf("nvlinks: must be none or %d, are %d", links, n)
	}
	for i := range links {
		each := Traffic{Receive: s.NVLink.Receive / float64(links), Transmit: s.NVLink.Transmit / float64(links)}
		if len(s.NVLinks) != 0 {
			each = s.NVLinks[i]
		}
		out.NvlinkRxBytes[i], out.NvlinkTxBytes[i] = each.Receive, each.Transmit
	}
	return out, nil
}

// check refuses what the layout cannot hold.
func (s *Sample) check(core *coreLayout) error {
	if room := core.MemoryTotal - core.MemoryReserved; s.MemoryUsed > room {
		return fmt.Errorf("memory used: must be at most %d bytes, is %d", room, s.MemoryUsed)
	}
	if n := len(s.Processes); n > MaxProcesses {
		return fmt.Errorf("processes: must be at most %d, are %d", MaxProcesses, n)
	}
	for i, p := range s.Processes {
		if core.MigMode != 0 && (p.MIG < 0 || p.MIG >= int(core.MigCount)) {
			return fmt.Errorf("process %d: MIG device must be 0..%d, is %d", i, int(core.MigCount)-1, p.MIG)
		}
	}
	for _, v := range [...]struct {
		key   string
		value float64
	}{
		{"power", s.Power}, {"SM clock", s.SMClock}, {"memory clock", s.MemoryClock}, {"encoder", s.Encoder}, {"decoder", s.Decoder},
		{"temperature", s.Temperature}, {"memory temperature", s.MemoryTemperature}, {"fan speed", s.FanSpeed},
	} {
		if !(v.value >= 0) || math.IsInf(v.value, 0) {
			return fmt.Errorf("%s: must be at least 0 and finite, is %v", v.key, v.value)
		}
	}
	return nil
}

func (s *Sample) checkMIG(d *deviceLayout) error {
	if n := len(s.MIG); n != 0 && n != int(d.Core.MigCount) {
		return fmt.Errorf("MIG samples: must be none or %d, are %d", d.Core.MigCount, n)
	}
	for i, m := range s.MIG {
		was, next := &d.Mig[i], m.integrals(s.Time)
		if err := acceptsActivity(&was.Integrals, &next); err != nil {
			return fmt.Errorf("MIG device %d: %w", i, err)
		}
		if room := was.MemoryTotal - was.MemoryReserved; m.MemoryUsed > room {
			return fmt.Errorf("MIG device %d: memory used: must be at most %d bytes, is %d", i, room, m.MemoryUsed)
		}
	}
	return nil
}

func (m *MIGSample) integrals(at time.Time) integralsLayout {
	return integralsLayout{TimeNs: nanoseconds(at), ActivityS: m.Activity.array()}
}

func (s *Sample) writeGauges(core *coreLayout) {
	core.MemoryUsed = s.MemoryUsed
	core.PowerNowMw = milli(s.Power)
	core.ClocksMhz[0], core.ClocksMhz[1], core.ClocksMhz[2] = mega(s.SMClock), mega(s.SMClock), mega(s.MemoryClock)
	core.TemperatureC, core.MemoryTemperatureC = whole(s.Temperature), whole(s.MemoryTemperature)
	core.ThrottleReasons = uint64(s.ThrottleReasons)
	core.EncoderPercent, core.DecoderPercent = percent(s.Encoder), percent(s.Decoder)
	core.FanPercent = percent(s.FanSpeed)
}

func (s *Sample) writeProcesses(d *deviceLayout) {
	d.Processes.Count = uint32(len(s.Processes))
	for i, p := range s.Processes {
		gpuInstance, computeInstance := uint32(noInstance), uint32(noInstance)
		if d.Core.MigMode != 0 {
			gpuInstance, computeInstance = d.Mig[p.MIG].GpuInstance, d.Mig[p.MIG].ComputeInstance
		}
		d.Processes.List[i] = processLayout{
			MemoryBytes: p.Memory, TimeUs: nanoseconds(s.Time) / 1000, Pid: p.PID, Kind: uint32(p.Kind),
			SmPercent: percent(p.SM), MemoryPercent: percent(p.DRAM),
			GpuInstance: gpuInstance, ComputeInstance: computeInstance,
		}
	}
}

func (s *Sample) writeMIG(d *deviceLayout) {
	for i, m := range s.MIG {
		d.Mig[i].Integrals = m.integrals(s.Time)
		d.Mig[i].MemoryUsed = m.MemoryUsed
	}
}

// percent is a share in whole percent, as NVML tells it.
func percent(share float64) uint32 { return min(whole(share*100), 100) }
