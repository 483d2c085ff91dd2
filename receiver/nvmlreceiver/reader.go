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
	speeds  fieldSet // the bandwidth of NVLink
	mig     bool     // the GPU is in MIG mode, with MIG devices or without
	// divided says that the GPU has MIG devices, which tell its processes.
	divided  bool
	gone     bool     // a MIG device that is no longer there
	limited  bool     // the temperature limits are known
	linked   bool     // the bandwidths of the links are known, or not to be had
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
		r.speeds.asked = []gpu.Field{{ID: gpu.FieldNVLinkSpeed}, {ID: gpu.FieldNVLinkCount}}
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

// readSpeeds asks for the bandwidths of the links, until each is known or the device does not have it: one that is refused rests only.
func (r *reader) readSpeeds() error {
	pcie, err := r.readPCIeSpeed()
	if err != nil {
		return err
	}
	nvlink, err := r.readNVLinkSpeed()
	r.linked = pcie && nvlink
	return err
}

func (r *reader) readPCIeSpeed() (done bool, err error) {
	if r.ledger.speeds.pcie > 0 || r.rests[gpu.PCIeLink].forGood {
		return true, nil
	}
	if !r.due(gpu.PCIeLink) {
		return false, nil
	}
	ok, err := r.ask(gpu.PCIeLink)
	if ok {
		r.ledger.speeds.pcie = pcieSpeed(r.reading.PCIeGeneration, r.reading.PCIeWidth)
	}
	return ok || r.rests[gpu.PCIeLink].forGood, err
}

func (r *reader) readNVLinkSpeed() (done bool, err error) {
	if r.ledger.speeds.nvlink > 0 || r.rests[gpu.FieldValues].forGood {
		return true, nil
	}
	if !r.due(gpu.FieldValues) {
		return false, nil
	}
	now := r.clock.Now()
	r.speeds.wake(now)
	if len(r.speeds.asked) == 0 {
		return false, nil
	}
	if ok, err := r.askFields(r.speeds.asked); !ok {
		return r.rests[gpu.FieldValues].forGood, err
	}
	wanted := len(r.speeds.asked) + len(r.speeds.resting)
	r.speeds.sort(now, r.plan.retry)
	if len(r.speeds.asked)+len(r.speeds.resting) < wanted { // each is of no use without the other
		return true, nil
	}
	mbps, hasSpeed := r.speeds.value(gpu.FieldNVLinkSpeed)
	links, hasCount := r.speeds.value(gpu.FieldNVLinkCount)
	if !hasSpeed || !hasCount {
		return false, nil
	}
	r.ledger.speeds.nvlink = nvlinkSpeed(mbps, links)
	return true, nil
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
