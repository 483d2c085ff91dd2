package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"slices"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// reader asks one device, a GPU or a MIG device, the questions of a plan. It belongs to the worker's thread.
type reader struct {
	device gpu.Device
	id     gpu.Identity
	plan   *plan
	clock  clock
	guard  *guard
	ledger *ledger
	tell   *reporter

	rests   [gpu.Questions]rest // of questions that the device refuses
	got     [gpu.Questions]bool // answered in this collection
	tally   tally               // of this collection
	reading gpu.Reading
	fields  fieldSet
	sampler sampler
	// divided says that the GPU has MIG devices, which tell its processes.
	divided  bool
	gone     bool     // a MIG device that is no longer there
	limited  bool     // the temperature limits are known
	linked   bool     // the bandwidths of the links were asked
	graphics integral // at the last collection
}

// tally is how the questions of a collection went.
type tally struct {
	answered int
	failed   int   // or not asked because they failed before
	last     error // of those that failed
}

func newReader(d gpu.Device, id gpu.Identity, p *plan, c clock, g *guard, l *ledger, tell *reporter) *reader {
	r := &reader{device: d, id: id, plan: p, clock: c, guard: g, ledger: l, tell: tell}
	r.sampler = sampler{clock: c, guard: g, ledger: l}
	if !r.instance() {
		r.fields.asked = slices.Clone(p.fields)
	}
	return r
}

func (r *reader) instance() bool { return strings.HasPrefix(r.id.UUID, "MIG-") }

// due says whether it is time to ask a question.
func (r *reader) due(q gpu.Question) bool { return r.rests[q].over(r.clock.Now()) }

// open asks what does not change, and starts the sampling that the plan wants; again and again for what does not answer yet.
func (r *reader) open() error {
	if !r.instance() {
		if r.plan.limits && !r.limited && r.due(gpu.TemperatureLimits) {
			ok, err := r.ask(gpu.TemperatureLimits)
			if err != nil {
				return err
			}
			r.limited = ok
		}
		if r.plan.links && !r.linked {
			if err := r.readSpeeds(); err != nil {
				return err
			}
		}
	}
	return r.openSources()
}

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

// readSpeeds asks for the bandwidths of the links.
func (r *reader) readSpeeds() error {
	done := true
	if r.ledger.speeds.pcie == 0 && r.due(gpu.PCIeLink) {
		ok, err := r.ask(gpu.PCIeLink)
		if err != nil {
			return err
		}
		if ok {
			r.ledger.speeds.pcie = pcieSpeed(r.reading.PCIeGeneration, r.reading.PCIeWidth)
		}
		done = ok || r.rests[gpu.PCIeLink].forGood
	}
	if r.ledger.speeds.nvlink == 0 && r.due(gpu.FieldValues) {
		speed := []gpu.Field{{ID: gpu.FieldNVLinkSpeed}, {ID: gpu.FieldNVLinkCount}}
		ok, err := r.askFields(speed)
		if err != nil {
			return err
		}
		if ok && speed[0].Code == gpu.OK && speed[1].Code == gpu.OK {
			r.ledger.speeds.nvlink = nvlinkSpeed(speed[0].Value, speed[1].Value)
		}
		done = done && (ok || r.rests[gpu.FieldValues].forGood)
	}
	r.linked = done
	return nil
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

// collect asks everything that the plan wants at a collection. The error is one of those of judge.go.
func (r *reader) collect() error {
	clear(r.got[:])
	r.tally = tally{}
	if err := r.sample(true); err != nil {
		return err
	}
	for _, q := range r.plan.questions {
		if r.instance() && !perInstance(q) || r.divided && (q == gpu.Processes || q == gpu.ProcessUsage) {
			continue
		}
		if !r.due(q) {
			r.skip(q)
			continue
		}
		ok, err := r.ask(q)
		if err != nil {
			return err
		}
		if ok && q == gpu.Energy {
			r.takeEnergy()
		}
	}
	if err := r.collectFields(); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	return r.prove()
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

// skip takes that a question was not asked because the device refuses it.
func (r *reader) skip(q gpu.Question) {
	if !r.rests[q].forGood {
		r.tally.failed++
	}
}

// prove sees that the GPU answers at all: its health is not told by silence. That it does not have something is an answer too.
func (r *reader) prove() error {
	if r.instance() || r.tally.answered > 0 {
		return nil
	}
	if r.tally.failed > 0 {
		return muteError(r.tally)
	}
	if !r.plan.proves {
		return nil
	}
	_, err := r.identity()
	if ok, err := r.judge(gpu.Find, err); err != nil || ok {
		return err
	}
	return muteError(r.tally)
}

// identity asks who the device is.
func (r *reader) identity() (gpu.Identity, error) { return identify(r.device, r.guard) }

func identify(d gpu.Device, g *guard) (gpu.Identity, error) {
	defer g.leave()
	return d.Identity(func() { g.enter(gpu.Find) })
}

// ask asks one question. ok says whether the reading has the answer; the error is one of those of judge.go.
func (r *reader) ask(q gpu.Question) (ok bool, err error) {
	r.guard.enter(q)
	err = r.device.Read(q, &r.reading)
	r.guard.leave()
	ok, err = r.judge(q, err)
	r.got[q] = ok
	return ok, err
}

func (r *reader) askFields(fields []gpu.Field) (ok bool, err error) {
	r.guard.enter(gpu.FieldValues)
	err = r.device.Fields(fields)
	r.guard.leave()
	return r.judge(gpu.FieldValues, err)
}

func (r *reader) collectFields() error {
	if len(r.fields.asked)+len(r.fields.resting) == 0 {
		return nil
	}
	if !r.due(gpu.FieldValues) {
		r.skip(gpu.FieldValues)
		return nil
	}
	now := r.clock.Now()
	r.fields.wake(now)
	if len(r.fields.asked) == 0 {
		return nil
	}
	ok, err := r.askFields(r.fields.asked)
	if !ok {
		return err
	}
	r.got[gpu.FieldValues] = true
	at := r.clock.Now()
	r.tell.unsupportedFields(r.id.UUID, r.fields.sort(now, r.plan.retry))
	for _, f := range r.fields.asked {
		if f.Code == gpu.OK && isCounter(f) {
			r.ledger.field(f.ID, f.Scope).observe(f.Value, f.Wide, at)
		}
	}
	return nil
}

// state is the value of a field that counts nothing, as of this collection.
func (r *reader) state(id uint32) (uint64, bool) {
	if !r.got[gpu.FieldValues] {
		return 0, false
	}
	return r.fields.value(id)
}

func (r *reader) close() { r.sampler.close() }
