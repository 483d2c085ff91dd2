//go:build unix

package gpu

import (
	"fmt"
	"time"
)

const (
	// energyPeriod is how often the energy counter moves (update period of A100 and H100 boards: arXiv 2312.02741).
	energyPeriod = 100 * time.Millisecond
	// powerWindow is what power readings average over (NVML reference, nvmlDeviceGetPowerUsage).
	powerWindow = time.Second
	// utilizationPeriod is the sample period of utilisation (NVML reference, nvmlUtilization_t: between 1/6 s and 1 s).
	utilizationPeriod = time.Second / 6
	// clockPeriod is the period of the power and clock samples in the driver's buffers.
	clockPeriod = 20 * time.Millisecond

	refreshes = int(powerWindow/energyPeriod) + 1
)

// sensors is how a device measures itself: it turns the true figures, linear between two updates, into the coarse ones that NVML shows.
// It belongs to the writer and is not shared.
type sensors struct {
	last    integralsLayout
	updated bool

	base     float64             // J at the driver's load
	nextRead uint64              // ns, the next refresh of the energy counter
	reads    [refreshes]float64  // J at the refreshes, the oldest first
	read     int                 // of them filled
	means    [seriesCount]bucket // behind the ring buffers
}

// begin starts at integrals, without a past.
func (s *sensors) begin(at *integralsLayout) {
	s.last = *at
	s.nextRead = at.TimeNs + uint64(energyPeriod)
	s.reads[0], s.read = at.EnergyJ, 1
	for i := range s.means {
		period := clockPeriod
		if i == seriesGPU || i == seriesMemory {
			period = utilizationPeriod
		}
		s.means[i] = newBucket(period, at.TimeNs)
	}
}

// accepts says what of the next integrals cannot follow the last.
func (s *sensors) accepts(next *integralsLayout) error {
	if !(next.EnergyJ >= 0) {
		return fmt.Errorf("energy: must be at least 0 J, is %v", next.EnergyJ)
	}
	last := &s.last
	if !s.updated {
		last = nil
	} else if next.TimeNs < last.TimeNs {
		return fmt.Errorf("time: must not go back, goes from %d to %d ns", last.TimeNs, next.TimeNs)
	}
	if err := acceptsActivity(last, next); err != nil || last == nil {
		return err
	}
	return s.acceptsCounters(next)
}

// acceptsActivity says what of the next activities cannot follow the last; nil: there is no last.
func acceptsActivity(last, next *integralsLayout) error {
	for i, v := range next.ActivityS {
		if !(v >= 0) {
			return fmt.Errorf("activity of unit %d: must be at least 0, is %v", i, v)
		}
		if last == nil {
			continue
		}
		// Room for rounding and for a clock that is not quite the simulator's.
		most := (float64(next.TimeNs-last.TimeNs)*1.01 + 1e6) * 1e-9
		if d := v - last.ActivityS[i]; !(d >= 0 && d <= most) {
			return fmt.Errorf("activity of unit %d: must grow by 0..%.6f s, grows by %.6f", i, most, d)
		}
	}
	return nil
}

func (s *sensors) acceptsCounters(next *integralsLayout) error {
	for _, c := range [...]struct {
		key       string
		was, will float64
	}{
		{"energy", s.last.EnergyJ, next.EnergyJ},
		{"PCIe bytes received", s.last.PcieRxBytes, next.PcieRxBytes},
		{"PCIe bytes sent", s.last.PcieTxBytes, next.PcieTxBytes},
	} {
		if !(c.will >= c.was) {
			return fmt.Errorf("%s: must not fall, goes from %v to %v", c.key, c.was, c.will)
		}
	}
	for i := range next.NvlinkRxBytes {
		if was, will := s.last.NvlinkRxBytes[i], next.NvlinkRxBytes[i]; !(will >= was) {
			return fmt.Errorf("bytes received by NVLink %d: must not fall, go from %v to %v", i, was, will)
		}
		if was, will := s.last.NvlinkTxBytes[i], next.NvlinkTxBytes[i]; !(will >= was) {
			return fmt.Errorf("bytes sent by NVLink %d: must not fall, go from %v to %v", i, was, will)
		}
	}
	return nil
}

// advance brings the device, which is being written, to the next integrals.
func (s *sensors) advance(d *deviceLayout, next *integralsLayout, sample *Sample) {
	if !s.updated {
		s.begin(next)
		s.updated = true
	} else if next.TimeNs > s.last.TimeNs {
		seconds := float64(next.TimeNs-s.last.TimeNs) * 1e-9
		s.refreshEnergy(next, seconds)
		s.fillRings(d, next, seconds, sample)
		s.addViolations(&d.Core, next.TimeNs-s.last.TimeNs, sample.ThrottleReasons)
		d.Core.PcieRxKbps = whole((next.PcieRxBytes - s.last.PcieRxBytes) / seconds / 1e3)
		d.Core.PcieTxKbps = whole((next.PcieTxBytes - s.last.PcieTxBytes) / seconds / 1e3)
	}
	s.last = *next
	d.Core.Integrals = *next
	s.show(&d.Core, sample.Power)
}

// refreshEnergy takes the reads of the energy counter that fall between the last integrals and the next.
func (s *sensors) refreshEnergy(next *integralsLayout, seconds float64) {
	const period = uint64(energyPeriod)
	if next.TimeNs >= s.nextRead+uint64(refreshes)*period { // only the newest can still be seen
		s.nextRead += (next.TimeNs - s.nextRead) / period * period
		s.nextRead -= uint64(refreshes-1) * period
	}
	power := (next.EnergyJ - s.last.EnergyJ) / seconds
	for ; s.nextRead <= next.TimeNs; s.nextRead += period {
		if s.read == refreshes {
			copy(s.reads[:], s.reads[1:])
			s.read--
		}
		s.reads[s.read] = s.last.EnergyJ + power*float64(s.nextRead-s.last.TimeNs)*1e-9
		s.read++
	}
}

// show writes energy and power as the sensors have them.
func (s *sensors) show(core *coreLayout, power float64) {
	newest := s.reads[s.read-1]
	core.EnergyMj = uint64(max(newest-s.base, 0) * 1e3)
	core.PowerAverageMw = milli(power)
	if s.read > 1 {
		core.PowerAverageMw = milli((newest - s.reads[0]) / (float64(s.read-1) * energyPeriod.Seconds()))
	}
}

// reload begins the counters of a driver's life.
func (s *sensors) reload(core *coreLayout) {
	s.base = s.last.EnergyJ
	core.EnergyMj = 0
	clear(core.ViolationNs[:])
	for i := range core.NvlinkBaseRx {
		core.NvlinkBaseRx[i] = uint64(s.last.NvlinkRxBytes[i])
		core.NvlinkBaseTx[i] = uint64(s.last.NvlinkTxBytes[i])
	}
}

func (s *sensors) fillRings(d *deviceLayout, next *integralsLayout, seconds float64, sample *Sample) {
	values := [seriesCount]float64{
		seriesPower:       (next.EnergyJ - s.last.EnergyJ) / seconds * 1e3,
		seriesGPU:         (next.ActivityS[unitGraphics] - s.last.ActivityS[unitGraphics]) / seconds * 100,
		seriesMemory:      (next.ActivityS[unitDRAM] - s.last.ActivityS[unitDRAM]) / seconds * 100,
		seriesSMClock:     sample.SMClock / 1e6,
		seriesMemoryClock: sample.MemoryClock / 1e6,
	}
	for i, v := range values {
		ring := &d.Rings[i]
		s.means[i].advance(s.last.TimeNs, next.TimeNs, v, func(end uint64, mean float64) {
			ring.Samples[ring.Written%ringSize] = sampleLayout{TimeUs: end / 1000, Value: uint64(whole(mean))}
			ring.Written++
		})
	}
	d.Core.GpuPercent, d.Core.MemoryPercent = newest(&d.Rings[seriesGPU]), newest(&d.Rings[seriesMemory])
}

func newest(r *ringLayout) uint32 {
	if r.Written == 0 {
		return 0
	}
	return min(uint32(r.Samples[(r.Written-1)%ringSize].Value), 100)
}

func (s *sensors) addViolations(core *coreLayout, ns uint64, reasons ThrottleReasons) {
	for _, v := range [...]struct {
		sum  int
		bits ThrottleReasons
	}{
		{violationPower, ThrottleSWPowerCap},
		{violationThermal, ThrottleSWThermal | ThrottleHWThermal},
		{violationSyncBoost, ThrottleSyncBoost},
		{violationBoardLimit, ThrottleBoardLimit},
		{violationReliability, ThrottleReliability},
		{violationSWThermal, ThrottleSWThermal},
		{violationHWThermal, ThrottleHWThermal},
		{violationHWBrake, ThrottleHWPowerBrake},
	} {
		if reasons&v.bits != 0 {
			core.ViolationNs[v.sum] += ns
		}
	}
}

// bucket is a running mean over fixed periods.
type bucket struct {
	period uint64 // ns
	end    uint64 // of the open period
	sum    float64
}

func newBucket(period time.Duration, at uint64) bucket {
	return bucket{period: uint64(period), end: at + uint64(period)}
}

// advance adds a value that held from one time to another (ns) and emits every period that it completes. Of a long time only what a
// ring can hold is emitted.
func (b *bucket) advance(from, to uint64, value float64, emit func(end uint64, mean float64)) {
	if span := (ringSize + 1) * b.period; to-from > span {
		from = to - span
		b.end, b.sum = from+b.period, 0
	}
	for from < to {
		until := min(to, b.end)
		b.sum += value * float64(until-from)
		from = until
		if from == b.end {
			emit(b.end, b.sum/float64(b.period))
			b.end, b.sum = b.end+b.period, 0
		}
	}
}
