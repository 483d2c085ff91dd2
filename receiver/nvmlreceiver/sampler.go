package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"math"
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
	ids    []uint32
	lastAt time.Time // of the last GPM sample

	rings    []ring
	nextPoll time.Time
}

// ring is a buffer of the driver and what its samples add up to.
type ring struct {
	samples gpu.Samples
	scale   float64 // of a value, to the integral's rate
	into    *integral
	counted bool // in the sample count
	last    uint64
}

// startGPM samples GPM metrics from now on.
func (s *sampler) startGPM(p gpu.Performance, ids []uint32) { s.gpm, s.ids = p, ids }

// addRing reads a buffer from now on.
func (s *sampler) addRing(b gpu.Samples, scale float64, into *integral, counted bool) {
	s.rings = append(s.rings, ring{samples: b, scale: scale, into: into, counted: counted})
}

func (s *sampler) active() bool { return s.gpm != nil || len(s.rings) > 0 }

// tick takes a sample, and reads the driver's buffers when it is time to or now is asked for. It returns the question that failed.
func (s *sampler) tick(now bool) (gpu.Question, error) {
	if s.gpm != nil {
		if err := s.sampleGPM(); err != nil {
			return gpu.GPM, err
		}
	}
	if len(s.rings) == 0 {
		return 0, nil
	}
	at := s.clock.Now()
	if !now && at.Before(s.nextPoll) {
		return 0, nil
	}
	s.nextPoll = at.Add(ringPoll)
	for i := range s.rings {
		if err := s.readRing(&s.rings[i]); err != nil {
			return gpu.SampleBuffer, err
		}
	}
	return 0, nil
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
	if from.IsZero() || to.Sub(from) > maxGPMGap {
		return nil
	}
	for i, id := range s.ids {
		value, ok := s.gpm.Metric(i)
		if !ok || math.IsNaN(value) || value < 0 {
			continue
		}
		if id < gpu.GPMPCIeTx { // percent
			value = min(value, 100) / 100
		}
		s.ledger.gpm[id].add(value, from, to)
	}
	s.ledger.samples.gpm.count(1, from, to)
	return nil
}

func (s *sampler) readRing(r *ring) error {
	s.guard.enter(gpu.SampleBuffer)
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
			r.into.add(value*r.scale, from, to)
			if r.counted {
				s.ledger.samples.ring.count(1, from, to)
			}
		}
		r.last = at
	}
	return nil
}

// close frees what the driver has lent.
func (s *sampler) close() {
	if s.gpm != nil {
		s.gpm.Close()
		s.gpm = nil
	}
	for _, r := range s.rings {
		r.samples.Close()
	}
	s.rings = nil
}
