package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

const (
	// calibrated is by how much the measured share of requests in time must differ from the rehearsed one to be believed instead,
	// calibrationStep how the cost of a phase then changes, calibrationSteps how often it rises at most and calibrationRelief how often
	// it falls: a fit that has a phase overloaded that keeps up may be off by more.
	calibrated        = 0.1
	calibrationStep   = 1.02
	calibrationSteps  = 10
	calibrationRelief = 20
)

// LateTransfers is said to be late where requests wait for their KV, and neither phase is slow.
const LateTransfers = "transfers"

// Calibrate raises the cost of the late phase (SidePrefill, SideDecode) or of LateTransfers until the rehearsal of the current topology is as late as was
// measured: attained is the measured share of requests that met the limits. A fleet at the edge of its capacity is an overload that a
// few per cent in costs decide on; what happened has decided. Likewise it lowers the cost of the phase that is late in the rehearsal
// while more requests were in time than rehearsed. It returns the factor.
func (s *Situation) Calibrate(attained float64, late string) float64 {
	factor := 1.0
	for range calibrationSteps {
		r, ok := s.Rehearse(s.Current)
		if ok && r.Attained < attained-calibrated && factor == 1 {
			return s.relieve(attained)
		}
		if !ok || r.Attained <= attained+calibrated {
			break
		}
		factor *= calibrationStep
		switch late {
		case SidePrefill:
			s.Cost = s.Cost.Faster(1/calibrationStep, 1)
		case LateTransfers:
			s.Moves = s.Moves.slower(calibrationStep)
		default:
			s.Cost = s.Cost.Faster(1, 1/calibrationStep)
		}
	}
	return factor
}

// relieve lowers the cost of whichever phase is late in the rehearsal until as many requests are in time as were.
func (s *Situation) relieve(attained float64) float64 {
	factor := 1.0
	for range calibrationRelief {
		r, ok := s.Rehearse(s.Current)
		if !ok || r.Attained >= attained-calibrated {
			break
		}
		factor /= calibrationStep
		if s.TTFT > 0 && r.TTFT90 > s.TTFT {
			s.Cost = s.Cost.Faster(calibrationStep, 1)
		} else {
			s.Cost = s.Cost.Faster(1, calibrationStep)
		}
	}
	return factor
}
