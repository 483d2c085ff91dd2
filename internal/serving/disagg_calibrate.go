package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

const (
	// calibrated is by how much the measured share of requests in time must be below the rehearsed one to be believed instead,
	// calibrationStep how the cost of the late phase then rises, and calibrationSteps how often at most.
	calibrated       = 0.1
	calibrationStep  = 1.02
	calibrationSteps = 10
)

// Calibrate raises the cost of the late phase (SidePrefill, SideDecode) until the rehearsal of the current topology is as late as was
// measured: attained is the measured share of requests that met the limits. A fleet at the edge of its capacity is an overload that a
// few per cent in costs decide on; what happened has decided. It returns the factor.
func (s *Situation) Calibrate(attained float64, late string) float64 {
	factor := 1.0
	for range calibrationSteps {
		r, ok := s.Rehearse(s.Current)
		if !ok || r.Attained <= attained+calibrated {
			break
		}
		factor *= calibrationStep
		if late == SidePrefill {
			s.Cost = s.Cost.Faster(1/calibrationStep, 1)
		} else {
			s.Cost = s.Cost.Faster(1, 1/calibrationStep)
		}
	}
	return factor
}
