package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// MethodDirect names the tier of engines that count the time of each phase themselves.
const MethodDirect = "direct_counters"

// Reasons for which such counters are not used.
const (
	WithheldOverlap = "overlapping" // they add up to more than the time there was: several slots or ranks count the same time
	WithheldMixed   = "mixed_steps" // too much of the time is in steps that compute both
)

const (
	// overlapTolerance is by how much the counters may exceed the window: a step is counted when it ends.
	overlapTolerance = 0.1
	// maxMixedShare is the share of mixed steps up to which half of them is taken to be prefill's.
	maxMixedShare = 0.1
)

// DirectSplit divides a window by the engine's own count of the seconds of each kind of step.
func DirectSplit(prefill, decode, mixed, elapsed float64, running Running) Split {
	total := prefill + decode + mixed
	switch {
	case !(prefill >= 0 && decode >= 0 && mixed >= 0 && elapsed > 0) || math.IsInf(total, 0):
		return Split{Unattributed: elapsed, Withheld: WithheldBadInput}
	case total > (1+overlapTolerance)*elapsed:
		return Split{Unattributed: elapsed, Withheld: WithheldOverlap}
	case mixed > maxMixedShare*total:
		return Split{Unattributed: elapsed, Withheld: WithheldMixed}
	case total == 0 && running.Seen && running.Min > 0:
		return Split{Unattributed: elapsed, Withheld: WithheldBusyUnknown}
	case total == 0:
		return Split{Idle: elapsed, Method: MethodPurePhase, Confidence: maxPassSurety}
	}
	busy := min(total, elapsed)
	if running.Seen && running.Min > 0 && total >= (1-saturationTolerance)*elapsed {
		busy = elapsed // between its steps an engine prepares the next one
	}
	scale := busy / total
	out := Split{
		Prefill: scale * (prefill + mixed/2), PrefillLow: scale * prefill, PrefillHigh: scale * (prefill + mixed),
		Idle: elapsed - busy, Method: MethodDirect, Confidence: maxPassSurety,
	}
	out.Decode = busy - out.Prefill
	if mixed > 0 {
		deviation := mixed / 2 / normal90 / (prefill + mixed/2)
		out.Confidence = min(maxPassSurety, estimate.Within(0.1, math.Hypot(deviation, passMethodError)))
	}
	return out
}

// Worked is the work of a window of which only the seconds of each phase are known: each second counts as a step.
func (s Split) Worked() (Passes, Costs) {
	return Passes{Prefill: Steps{Count: s.Prefill}, Decode: Steps{Count: s.Decode}}, Costs{Step: 1, PrefillStep: 1}
}
