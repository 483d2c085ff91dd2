package fleetsim

import "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"

// Attribution is an amount spent in steps and the prefill's part of it: its Shapley share, and the sums over steps of the smaller and
// the larger of marginal and stand-alone amount. The decode's part is what the prefill's leaves.
type Attribution struct {
	Total       float64 `json:"total"`
	Prefill     float64 `json:"prefill"`
	PrefillLow  float64 `json:"prefill_low"`
	PrefillHigh float64 `json:"prefill_high"`
}

// Decode is the decode's Shapley share.
func (a Attribution) Decode() float64 { return a.Total - a.Prefill }

func (a *Attribution) add(o *Attribution) {
	a.Total += o.Total
	a.Prefill += o.Prefill
	a.PrefillLow += o.PrefillLow
	a.PrefillHigh += o.PrefillHigh
}

// Resources are what steps took beside time. Activity-seconds are GPU-seconds: the integral of the share of a unit's cycles in use,
// summed over the GPUs.
type Resources struct {
	Energy Attribution `json:"energy_joules"`
	Tensor Attribution `json:"tensor_gpu_seconds"`
	SM     Attribution `json:"sm_gpu_seconds"`
	DRAM   Attribution `json:"dram_gpu_seconds"`
}

// bookShares adds a step's shares; gpus is the size of the group.
func (r *Resources) bookShares(s *physics.DemandShares, gpus float64) {
	sum := func(a *Attribution, total, prefill, low, high, n float64) {
		a.Total += n * total
		a.Prefill += n * prefill
		a.PrefillLow += n * low
		a.PrefillHigh += n * high
	}
	sum(&r.Energy, s.Step.Joules, s.Prefill.Joules, s.Low.Joules, s.High.Joules, 1)
	sum(&r.Tensor, s.Step.Tensor, s.Prefill.Tensor, s.Low.Tensor, s.High.Tensor, gpus)
	sum(&r.SM, s.Step.SM, s.Prefill.SM, s.Low.SM, s.High.SM, gpus)
	sum(&r.DRAM, s.Step.DRAM, s.Prefill.DRAM, s.Low.DRAM, s.High.DRAM, gpus)
}

func (r *Resources) addResources(o *Resources) {
	r.Energy.add(&o.Energy)
	r.Tensor.add(&o.Tensor)
	r.SM.add(&o.SM)
	r.DRAM.add(&o.DRAM)
}

// RequestShares is a request's part of its steps: prefill shares are divided by computed tokens, decode shares by sequences. Over all
// requests of a worker they add up to the worker's.
type RequestShares struct {
	PrefillSeconds float64 `json:"prefill_seconds"`
	DecodeSeconds  float64 `json:"decode_seconds"`
	PrefillJoules  float64 `json:"prefill_joules"`
	DecodeJoules   float64 `json:"decode_joules"`
}

// addPrefill adds the part of a request that computed some of the step's prefill tokens.
func (r *RequestShares) addPrefill(s *physics.DemandShares, part float64) {
	r.PrefillSeconds += s.Prefill.Seconds * part
	r.PrefillJoules += s.Prefill.Joules * part
}

// decodeMeter counts what one sequence that decodes in every step has cost since the start, so that a decode needs no bookkeeping
// between its first and its last step.
type decodeMeter struct{ seconds, joules float64 }

func (m *decodeMeter) step(s *physics.DemandShares, sequences int) {
	if sequences > 0 {
		m.seconds += s.Decode.Seconds / float64(sequences)
		m.joules += s.Decode.Joules / float64(sequences)
	}
}

// start makes a request's decode shares relative to the meter, stop makes them absolute again.
func (m *decodeMeter) start(r *RequestShares) {
	r.DecodeSeconds -= m.seconds
	r.DecodeJoules -= m.joules
}

func (m *decodeMeter) stop(r *RequestShares) {
	r.DecodeSeconds += m.seconds
	r.DecodeJoules += m.joules
}
