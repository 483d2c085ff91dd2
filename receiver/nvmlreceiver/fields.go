package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// fieldSet is the field values that a device is asked for in one call, and those that it is not.
type fieldSet struct {
	asked   []gpu.Field
	resting []gpu.Field // refused, and asked again after the rest
	rest    rest
}

// wake asks for the fields that rest once it is time to.
func (s *fieldSet) wake(now time.Time) {
	if len(s.resting) > 0 && s.rest.over(now) {
		s.asked = append(s.asked, s.resting...)
		s.resting = s.resting[:0]
	}
}

// sort looks at the answers: what the device does not have is not asked for again, what it refuses rests, for retry at first. It
// returns the ids of both.
func (s *fieldSet) sort(now time.Time, retry time.Duration) (refused []uint32) {
	before := len(s.resting)
	s.asked = slices.DeleteFunc(s.asked, func(f gpu.Field) bool {
		switch f.Code {
		case gpu.NotSupported, gpu.FunctionNotFound, gpu.DeprecatedFunction:
		case gpu.InvalidArgument, gpu.NotFound, gpu.NoPermission:
			s.resting = append(s.resting, f)
		default:
			return false
		}
		if !slices.Contains(refused, f.ID) {
			refused = append(refused, f.ID)
		}
		return true
	})
	switch {
	case len(s.resting) > before:
		s.rest.begin(now, retry)
	case len(s.resting) == 0:
		s.rest = rest{}
	}
	return refused
}

// value is the answer for a field of no link.
func (s *fieldSet) value(id uint32) (uint64, bool) {
	for _, f := range s.asked {
		if f.ID == id {
			return f.Value, f.Code == gpu.OK
		}
	}
	return 0, false
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
