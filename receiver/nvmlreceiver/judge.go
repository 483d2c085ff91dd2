package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"errors"
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// Errors that end more than one question.
var (
	errGone  = errors.New("the MIG device is gone")        // nothing can be asked of this MIG device
	errLost  = errors.New("the GPU does not answer")       // nothing can be asked of this GPU for now
	errStale = errors.New("NVML must be initialised anew") // nothing can be asked of any GPU
)

// muteError is that no question of a collection was answered.
func muteError(t tally) error { return fmt.Errorf("%w any question: %w", errLost, t.last) }

// brokenError marks the codes that mean more than the question they answer.
func brokenError(err error) (marked error, is bool) {
	switch gpu.CodeOf(err) {
	case gpu.GPULost, gpu.ResetRequired:
		return fmt.Errorf("%w: %w", errLost, err), true
	case gpu.Uninitialized, gpu.DriverNotLoaded, gpu.VersionMismatch:
		return fmt.Errorf("%w: %w", errStale, err), true
	default:
		return err, false
	}
}

// judge says what an answer means: for the question, for the device, for NVML. broken is one of the errors above, or nil.
func (r *reader) judge(q gpu.Question, err error) (ok bool, broken error) {
	if err == nil {
		r.tally.answered++
		r.rests[q] = rest{}
		return true, nil
	}
	if broken, is := brokenError(err); is {
		r.tell.failed(r.id.UUID, q, err)
		return false, broken
	}
	switch gpu.CodeOf(err) {
	case gpu.NotSupported, gpu.DeprecatedFunction:
		r.tally.answered++
		r.rests[q].forGood = true
		r.tell.unsupported(r.id.UUID, q, err)
		return false, nil
	case gpu.FunctionNotFound: // says the library, and not the device
		r.rests[q].forGood = true
		r.tell.unsupported(r.id.UUID, q, err)
		return false, nil
	case gpu.NoPermission:
		r.tell.unsupported(r.id.UUID, q, err)
	case gpu.InvalidArgument:
		// Either the device does not take this question, or its handle is no good any more.
		if broken := r.handle(q); broken != nil {
			r.tell.failed(r.id.UUID, q, err)
			return false, broken
		}
		r.tell.unsupported(r.id.UUID, q, err)
	default:
		r.tally.failed, r.tally.last = r.tally.failed+1, err
		r.tell.failed(r.id.UUID, q, err)
		return false, nil
	}
	r.tally.failed, r.tally.last = r.tally.failed+1, err
	r.rests[q].begin(r.clock.Now(), r.plan.retry)
	return false, nil
}

// handle says what is wrong when the device's handle is no good.
func (r *reader) handle(q gpu.Question) error {
	if q == gpu.Find {
		return r.invalid(gpu.InvalidArgument)
	}
	_, err := r.identity()
	if broken, is := brokenError(err); is {
		return broken
	}
	if code := gpu.CodeOf(err); code == gpu.InvalidArgument || code == gpu.NotFound {
		return r.invalid(err)
	}
	return nil
}

func (r *reader) invalid(err error) error {
	if r.instance() {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return fmt.Errorf("%w: %w", errLost, err)
}
