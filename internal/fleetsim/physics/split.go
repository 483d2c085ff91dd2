package physics

import "math"

// Shares divides a step of the given length (noise included) between prefill and decode, in seconds.
type Shares struct {
	Prefill, Decode float64 // phi_P, phi_D: add up to the step
	Low, High       float64 // marginal and stand-alone cost of the prefill, in rising order
	DecodeAlone     float64 // counterfactual step t(0, n, c)
}

// Split plays the two-player game {prefill, decode} of the step; all values carry the step's own noise.
func (m *Cost) Split(w Work, clean, actual float64) Shares {
	s := m.SplitDemand(w, actual/clean)
	return Shares{
		Prefill: s.Prefill.Seconds, Decode: s.Decode.Seconds,
		Low: s.Low.Seconds, High: s.High.Seconds, DecodeAlone: s.DecodeAlone,
	}
}

// Amounts are the quantities of a step that are divided between the phases; units as in Demand.
type Amounts struct{ Seconds, Joules, Tensor, SM, DRAM float64 }

// DemandShares divides the demand of a step between prefill and decode.
type DemandShares struct {
	Step            Demand  // the whole step, noise included
	Prefill, Decode Amounts // Shapley values: add up to the step
	Low, High       Amounts // marginal and stand-alone amount of the prefill, each in rising order
	DecodeAlone     float64 // seconds of the counterfactual step without prefill
}

// SplitDemand plays the game for every amount at once. The noise scale is the step's length over its length without noise: time,
// energy and SM activity grow with it, the work of tensor pipes and memory does not.
func (m *Cost) SplitDemand(w Work, noiseScale float64) DemandShares {
	return m.Divide(m.Demand(w), w, noiseScale)
}

// Divide is SplitDemand for a step whose demand without noise is known.
func (m *Cost) Divide(whole Demand, w Work, noiseScale float64) DemandShares {
	whole = whole.noisy(noiseScale)
	all := whole.amounts()
	switch {
	case w.DecodeSequences == 0:
		return DemandShares{Step: whole, Prefill: all, Low: all, High: all}
	case w.PrefillTokens == 0:
		return DemandShares{Step: whole, Decode: all, DecodeAlone: whole.Seconds}
	}
	decode := m.without(w.DecodeOnly(), whole.ClockRatio).noisy(noiseScale).amounts()
	alone := m.without(w.PrefillOnly(), whole.ClockRatio).noisy(noiseScale).amounts()
	s := DemandShares{Step: whole, DecodeAlone: decode.Seconds}
	s.divide(&all, &alone, &decode)
	return s
}

// without is the demand of a step without its other phase. A lower clock makes the same work occupy tensor pipes and SMs for longer, so
// that both count at the clock of the whole step; time and energy are those of the step as it would have run.
func (m *Cost) without(w Work, clockRatio float64) Demand {
	d := m.Demand(w)
	if d.ClockRatio != clockRatio {
		s := m.step(w, w.decodeRows())
		t := s.at(1 / clockRatio)
		d.Tensor, d.SM = t.tensor, t.busy
	}
	return d
}

// divide fills the shares of every amount from the three coalitions.
func (s *DemandShares) divide(all, alone, decode *Amounts) {
	share := func(v, vP, vD float64, prefill, rest, low, high *float64) {
		marginal := v - vD
		*prefill = (vP + marginal) / 2
		*rest = v - *prefill
		*low, *high = math.Min(marginal, vP), math.Max(marginal, vP)
	}
	share(all.Seconds, alone.Seconds, decode.Seconds, &s.Prefill.Seconds, &s.Decode.Seconds, &s.Low.Seconds, &s.High.Seconds)
	share(all.Joules, alone.Joules, decode.Joules, &s.Prefill.Joules, &s.Decode.Joules, &s.Low.Joules, &s.High.Joules)
	share(all.Tensor, alone.Tensor, decode.Tensor, &s.Prefill.Tensor, &s.Decode.Tensor, &s.Low.Tensor, &s.High.Tensor)
	share(all.SM, alone.SM, decode.SM, &s.Prefill.SM, &s.Decode.SM, &s.Low.SM, &s.High.SM)
	share(all.DRAM, alone.DRAM, decode.DRAM, &s.Prefill.DRAM, &s.Decode.DRAM, &s.Low.DRAM, &s.High.DRAM)
}

// noisy is the demand of the same step stretched by the noise.
func (d Demand) noisy(scale float64) Demand {
	d.Seconds *= scale
	d.Joules *= scale
	d.SM *= scale
	return d
}

func (d Demand) amounts() Amounts {
	return Amounts{Seconds: d.Seconds, Joules: d.Joules, Tensor: d.Tensor, SM: d.SM, DRAM: d.DRAM}
}
