package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"math"
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// Bounds of what one sample may stand for. GPM metrics are means between two samples, however far apart, but a minute without a
// sample is a fault and no activity. The driver's own samples are at most a second apart (nvmlDeviceGetUtilizationRates: 1/6 to 1 s).
const (
	maxGPMGap  = time.Minute
	maxRingGap = time.Second
	// ringPoll is how often the driver's buffers are read: they hold the samples of many seconds.
	ringPoll = time.Second
)

// sampler integrates what a device only shows at a moment into a ledger. Its tick makes no garbage.
type sampler struct {
	clock  clock
	guard  *guard
	ledger *ledger

	gpm    gpu.Performance // nil without GPM
	gpmErr error           // of the last sample
	ids    []uint32
	lastAt time.Time // of the last GPM sample

	rings    []ring
	nextPoll time.Time
}

// ring is a buffer of the driver and what its samples add up to.
type ring struct {
	question gpu.Question // which buffer
	samples  gpu.Samples
	scale    float64 // of a value, to the integral's rate
	into     *integral
	opened   time.Time // what was before is not ours
	last     uint64
	err      error // of the last reading
}

// startGPM samples GPM metrics from now on, instead of reading the driver's utilisation.
func (s *sampler) startGPM(p gpu.Performance, ids []uint32) {
	s.drop(func(r *ring) bool { return r.question != gpu.PowerBuffer })
	s.gpm, s.ids, s.gpmErr, s.lastAt = p, ids, nil, s.clock.Now()
	s.ledger.sampleBy(byGPMSamples)
}

func (s *sampler) stopGPM() {
	if s.gpm != nil {
		s.gpm.Close()
	}
	s.gpm, s.gpmErr = nil, nil
}

// addRing reads a buffer from now on.
func (s *sampler) addRing(r ring) {
	if r.question != gpu.PowerBuffer {
		s.ledger.sampleBy(byDriverSamples)
	} else {
		s.ledger.energy = counter{}
	}
	r.opened = s.clock.Now()
	s.rings = append(s.rings, r)
}

// drop closes the buffers that are no longer wanted.
func (s *sampler) drop(unwanted func(*ring) bool) {
	s.rings = slices.DeleteFunc(s.rings, func(r ring) bool {
		gone := unwanted(&r)
		if gone {
			r.samples.Close()
		}
		return gone
	})
}

// reads says whether a buffer is read.
func (s *sampler) reads(q gpu.Question) bool {
	return slices.ContainsFunc(s.rings, func(r ring) bool { return r.question == q })
}

func (s *sampler) active() bool { return s.gpm != nil || len(s.rings) > 0 }

// tick takes a sample, and reads the driver's buffers when it is time to or now is asked for. A source that fails has its error set
// and keeps none of the others from being read; then ok is false.
func (s *sampler) tick(now bool) (ok bool) {
	ok = true
	if s.gpm != nil {
		s.gpmErr = s.sampleGPM()
		ok = s.gpmErr == nil
	}
	if len(s.rings) == 0 {
		return ok
	}
	at := s.clock.Now()
	if !now && at.Before(s.nextPoll) {
		return ok
	}
	s.nextPoll = at.Add(ringPoll)
	for i := range s.rings {
		r := &s.rings[i]
		r.err = s.readRing(r)
		ok = ok && r.err == nil
		if r.last == 0 { // still empty
			s.nextPoll = at
		}
	}
	return ok
}

func (s *sampler) sampleGPM() error {
	s.guard.enter(gpu.GPM)
	err := s.gpm.Sample()
	s.guard.leave()
	if err == gpu.NoData { //nolint:errorlint // the bare code, so that nothing is unwrapped at each sample
		return nil // the next sample has this time too
	}
	if err != nil {
		return err
	}
	from, to := s.lastAt, s.clock.Now()
	s.lastAt = to
	if to.Sub(from) > maxGPMGap {
		return nil
	}
	for i, id := range s.ids {
		value, ok := s.gpm.Metric(i)
		if !ok || math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
			continue
		}
		if id < gpu.GPMPCIeTx { // percent
			value = min(value, 100) / 100
		}
		s.ledger.activity[id].add(value, from, to)
	}
	s.ledger.samples.gpm.count(1, from, to)
	return nil
}

func (s *sampler) readRing(r *ring) error {
	s.guard.enter(r.question)
	n, err := r.samples.Read()
	s.guard.leave()
	if err != nil {
		return err
	}
	primed := r.last > 0 // what the buffer had before the receiver came is nobody's
	for i := range n {
		at, value := r.samples.At(i)
		if at <= r.last {
			continue
		}
		if primed {
			to := time.UnixMicro(int64(at))
			from := to.Add(-min(time.Duration(at-r.last)*time.Microsecond, maxRingGap))
			s.addSample(r, value, from, to)
		}
		r.last = at
	}
	return nil
}

// addSample adds a sample of a buffer, as far as it is from when the buffer was opened.
func (s *sampler) addSample(r *ring, value float64, from, to time.Time) {
	if !to.After(r.opened) {
		return
	}
	if from.Before(r.opened) {
		from = r.opened
	}
	r.into.add(value*r.scale, from, to)
	if r.question == gpu.UtilizationBuffer {
		s.ledger.samples.driver.count(1, from, to)
	}
}

// close frees what the driver has lent.
func (s *sampler) close() {
	s.stopGPM()
	s.drop(func(*ring) bool { return true })
}
