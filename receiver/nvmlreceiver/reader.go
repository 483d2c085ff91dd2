package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// Errors that end more than one question.
var (
	errLost  = errors.New("the GPU is lost")               // nothing can be asked of this GPU for now
	errStale = errors.New("NVML must be initialised anew") // nothing can be asked of any GPU
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

	off     [gpu.Questions]bool // not supported by the device: never asked again
	got     [gpu.Questions]bool // answered in this collection
	reading gpu.Reading
	fields  []gpu.Field // that the device may support
	readAt  time.Time   // of the field values
	sampler sampler
	// divided says that the GPU has MIG devices, which tell its processes.
	divided  bool
	graphics integral // at the last collection
}

func newReader(d gpu.Device, id gpu.Identity, p *plan, c clock, g *guard, l *ledger, tell *reporter) *reader {
	r := &reader{device: d, id: id, plan: p, clock: c, guard: g, ledger: l, tell: tell}
	r.sampler = sampler{clock: c, guard: g, ledger: l}
	if !r.instance() {
		r.fields = slices.Clone(p.fields)
	}
	return r
}

func (r *reader) instance() bool { return strings.HasPrefix(r.id.UUID, "MIG-") }

// open asks once what does not change and starts the sampling that the plan wants.
func (r *reader) open() error {
	if r.plan.limits && !r.instance() {
		if _, err := r.ask(gpu.TemperatureLimits); err != nil {
			return err
		}
	}
	if r.plan.links && !r.instance() {
		if err := r.readSpeeds(); err != nil {
			return err
		}
	}
	if len(r.plan.gpm) == 0 {
		return nil
	}
	r.guard.enter(gpu.GPM)
	p, err := r.device.Performance(r.plan.gpm)
	r.guard.leave()
	if _, err := r.judge(gpu.GPM, err); err != nil {
		return err
	}
	if p != nil {
		r.sampler.startGPM(p, r.plan.gpm)
		return r.sample(true)
	}
	if r.instance() {
		return nil // the driver's buffers are of whole GPUs
	}
	if err := r.openRing(gpu.UtilizationSamples, 0.01, &r.ledger.ring.graphics, true); err != nil {
		return err
	}
	if err := r.openRing(gpu.MemorySamples, 0.01, &r.ledger.ring.dram, false); err != nil {
		return err
	}
	return r.sample(true)
}

// openRing begins to read a buffer of the driver. A device may have some of them, or none.
func (r *reader) openRing(kind gpu.SampleKind, scale float64, into *integral, counted bool) error {
	r.guard.enter(gpu.SampleBuffer)
	b, err := r.device.Samples(kind)
	r.guard.leave()
	ok, err := r.judge(gpu.SampleBuffer, err)
	r.off[gpu.SampleBuffer] = false
	if ok {
		r.sampler.addRing(b, scale, into, counted)
	}
	return err
}

// readSpeeds asks for the bandwidths of the links.
func (r *reader) readSpeeds() error {
	if r.ledger.speeds.pcie == 0 {
		ok, err := r.ask(gpu.PCIeLink)
		if err != nil {
			return err
		}
		if ok {
			r.ledger.speeds.pcie = pcieSpeed(r.reading.PCIeGeneration, r.reading.PCIeWidth)
		}
	}
	if r.ledger.speeds.nvlink > 0 {
		return nil
	}
	speed := []gpu.Field{{ID: gpu.FieldNVLinkSpeed}, {ID: gpu.FieldNVLinkCount}}
	ok, err := r.askFields(speed)
	if ok && speed[0].Code == gpu.OK && speed[1].Code == gpu.OK {
		r.ledger.speeds.nvlink = nvlinkSpeed(speed[0].Value, speed[1].Value)
	}
	return err
}

// sample takes a sample. A failure of one sampling is not one of the device unless the device is lost.
func (r *reader) sample(now bool) error {
	q, err := r.sampler.tick(now)
	if err == nil {
		return nil
	}
	_, err = r.judge(q, err)
	if r.off[q] {
		r.sampler.close()
	}
	return err
}

// collect asks everything that the plan wants at a collection. The error is errLost or errStale.
func (r *reader) collect() error {
	clear(r.got[:])
	if err := r.sample(true); err != nil {
		return err
	}
	for _, q := range r.plan.questions {
		if r.off[q] || r.instance() && !perInstance(q) || r.divided && (q == gpu.Processes || q == gpu.ProcessUsage) {
			continue
		}
		ok, err := r.ask(q)
		if err != nil {
			return err
		}
		if ok && q == gpu.Energy {
			r.ledger.energy.observe(r.reading.Energy, true, r.clock.Now())
		}
		if q == gpu.Energy && r.off[q] {
			if err := r.openRing(gpu.PowerSamples, 1, &r.ledger.power, false); err != nil {
				return err
			}
		}
	}
	return r.collectFields()
}

func (r *reader) collectFields() error {
	if len(r.fields) == 0 || r.off[gpu.FieldValues] {
		return nil
	}
	ok, err := r.askFields(r.fields)
	if !ok {
		return err
	}
	r.readAt = r.clock.Now()
	r.got[gpu.FieldValues] = true
	r.dropUnsupported()
	for _, f := range r.fields {
		if f.Code == gpu.OK && isCounter(f) {
			r.ledger.field(f.ID, f.Scope).observe(f.Value, f.Wide, r.readAt)
		}
	}
	return nil
}

// dropUnsupported forgets the fields that the device does not have, so that they are not asked again.
func (r *reader) dropUnsupported() {
	var gone []uint32
	r.fields = slices.DeleteFunc(r.fields, func(f gpu.Field) bool {
		unsupported := slices.Contains([]gpu.Code{gpu.NotSupported, gpu.FunctionNotFound, gpu.InvalidArgument, gpu.NotFound, gpu.NoPermission}, f.Code)
		if unsupported && !slices.Contains(gone, f.ID) {
			gone = append(gone, f.ID)
		}
		return unsupported
	})
	if len(gone) > 0 {
		r.tell.unsupportedFields(r.id.UUID, gone)
	}
}

// isCounter says whether a field counts; the others are states.
func isCounter(f gpu.Field) bool {
	switch f.ID {
	case gpu.FieldECCLifeCorrected, gpu.FieldECCLifeUncorrected, gpu.FieldRetiredSingle, gpu.FieldRetiredDouble, gpu.FieldRetiredPending,
		gpu.FieldMemoryTemperature, gpu.FieldRemappedCorrected, gpu.FieldRemappedUncorrect, gpu.FieldRemappedPending,
		gpu.FieldRemappedFailure, gpu.FieldRecoveryAction:
		return false
	case gpu.FieldPCIeTx, gpu.FieldPCIeRx:
		return f.Wide // one of 32 bits is used up within 0.1 s of full traffic
	default:
		return true
	}
}

// state is the value of a field that counts nothing, as of this collection.
func (r *reader) state(id uint32) (uint64, bool) {
	if !r.got[gpu.FieldValues] {
		return 0, false
	}
	for _, f := range r.fields {
		if f.ID == id {
			return f.Value, f.Code == gpu.OK
		}
	}
	return 0, false
}

// ask asks one question. ok says whether the reading has the answer; the error is errLost or errStale.
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

// judge says what an answer means: for the question, for the device, for NVML.
func (r *reader) judge(q gpu.Question, err error) (ok bool, broken error) {
	switch code := gpu.CodeOf(err); code {
	case gpu.OK:
		return true, nil
	case gpu.NotSupported, gpu.FunctionNotFound, gpu.DeprecatedFunction, gpu.NoPermission:
		r.off[q] = true
		r.tell.unsupported(r.id.UUID, q, err)
		return false, nil
	case gpu.GPULost, gpu.ResetRequired:
		r.tell.failed(r.id.UUID, q, err)
		return false, fmt.Errorf("%w: %w", errLost, err)
	case gpu.Uninitialized, gpu.DriverNotLoaded, gpu.VersionMismatch:
		r.tell.failed(r.id.UUID, q, err)
		return false, fmt.Errorf("%w: %w", errStale, err)
	case gpu.InvalidArgument:
		// Either the device does not know this question, or the handle is from before a reload of the driver.
		r.guard.enter(gpu.Find)
		_, still := r.device.Identity()
		r.guard.leave()
		if still != nil {
			r.tell.failed(r.id.UUID, q, err)
			return false, fmt.Errorf("%w: %w", errStale, still)
		}
		r.off[q] = true
		r.tell.unsupported(r.id.UUID, q, err)
		return false, nil
	default:
		r.tell.failed(r.id.UUID, q, err)
		return false, nil
	}
}

func (r *reader) close() { r.sampler.close() }
