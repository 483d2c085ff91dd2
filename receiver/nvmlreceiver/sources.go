package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"

// openSources opens the sources of samples that are wanted and closed: GPM, else the driver's buffers of utilisation; and the one of
// power where there is no energy counter.
func (r *reader) openSources() error {
	opened := false
	if ids := r.plan.samples(r.instance()); len(ids) > 0 && r.sampler.gpm == nil && r.due(gpu.GPM) {
		ok, err := r.openGPM(ids)
		if err != nil {
			return err
		}
		opened = ok
	}
	wanted := func(q gpu.Question) bool {
		switch {
		case r.instance(): // the driver's buffers are of whole GPUs
			return false
		case q == gpu.PowerBuffer:
			return r.plan.asks(gpu.Energy) && r.rests[gpu.Energy].forGood
		default:
			return r.plan.utilization && r.sampler.gpm == nil
		}
	}
	for _, b := range []struct {
		question gpu.Question
		scale    float64
		into     *integral
	}{
		{gpu.UtilizationBuffer, 0.01, &r.ledger.activity[gpu.GPMGraphics]},
		{gpu.MemoryBuffer, 0.01, &r.ledger.activity[gpu.GPMDRAM]},
		{gpu.PowerBuffer, 1, &r.ledger.power},
	} {
		if !wanted(b.question) || r.sampler.reads(b.question) || !r.due(b.question) {
			continue
		}
		r.guard.enter(b.question)
		samples, err := r.device.Samples(b.question)
		r.guard.leave()
		ok, err := r.judge(b.question, err)
		if err != nil {
			return err
		}
		if ok {
			r.sampler.addRing(ring{question: b.question, samples: samples, scale: b.scale, into: b.into})
			opened = true
		}
	}
	if !opened {
		return nil
	}
	return r.sample(true)
}

// openGPM begins to sample GPM once a first sample has come.
func (r *reader) openGPM(ids []uint32) (ok bool, err error) {
	r.guard.enter(gpu.GPM)
	p, err := r.device.Performance(ids)
	if err == nil {
		if err = p.Sample(); gpu.CodeOf(err) == gpu.NoData {
			err = nil
		}
		if err != nil {
			p.Close()
		}
	}
	r.guard.leave()
	ok, err = r.judge(gpu.GPM, err)
	if ok {
		r.sampler.startGPM(p, ids)
	}
	return ok, err
}

// sample takes a sample of each source. One that the device refuses is closed, and replaced where there is another.
func (r *reader) sample(now bool) error {
	if !r.sampler.active() {
		return nil
	}
	if r.sampler.tick(now) {
		r.tally.answered++
		return nil
	}
	var broken error
	failed := func(q gpu.Question, err error) (over bool) {
		if _, err := r.judge(q, err); err != nil {
			broken = err
		}
		return !r.due(q)
	}
	if err := r.sampler.gpmErr; err != nil {
		r.sampler.gpmErr = nil
		if failed(gpu.GPM, err) {
			r.sampler.stopGPM()
		}
	}
	r.sampler.drop(func(b *ring) bool {
		err := b.err
		b.err = nil
		return err != nil && failed(b.question, err)
	})
	if broken != nil {
		return broken
	}
	return r.openSources()
}

// takeEnergy takes the energy counter. While it answers nothing else tells energy; when it is lost for good the power samples begin
// another sum.
func (r *reader) takeEnergy() {
	if r.ledger.power.seen() {
		r.sampler.drop(func(b *ring) bool { return b.question == gpu.PowerBuffer })
		r.ledger.power = integral{}
	}
	r.ledger.energy.observe(r.reading.Energy, true, r.clock.Now())
}
