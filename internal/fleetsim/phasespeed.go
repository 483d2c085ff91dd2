package fleetsim

import (
	"errors"
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// PhaseSpeed asks what if a worker had more capacity for one phase alone: the phase's Shapley share of every step takes that much
// less time. 0 is 1. It is for questions about goodput, such as which phase limits a fleet: the truth of a step's division keeps the
// proportions that it has at equal speeds, as if the GPUs did the whole step that much faster.
type PhaseSpeed struct {
	Prefill float64 `json:"prefill" yaml:"prefill"`
	Decode  float64 `json:"decode" yaml:"decode"`
}

func (s PhaseSpeed) validate() error {
	var errs []error
	for key, v := range map[string]float64{"prefill": s.Prefill, "decode": s.Decode} {
		if v != 0 && !(v >= slowest && v <= fastest) {
			errs = append(errs, fmt.Errorf("phase_speed.%s: must be from %g to %g, or 0 for 1, is %g", key, slowest, fastest, v))
		}
	}
	return errors.Join(errs...)
}

// paced is the time of the step that is planned, without noise, in seconds.
func (w *worker) paced() float64 {
	seconds, s := w.stepDemand.Seconds, w.phaseSpeed
	if s == (PhaseSpeed{}) {
		return seconds
	}
	parts := w.cost.Divide(w.stepDemand, w.stepWork, physics.Pace{Noise: 1, Speed: 1})
	return parts.Prefill.Seconds/orOne(s.Prefill) + parts.Decode.Seconds/orOne(s.Decode)
}

func orOne(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}
