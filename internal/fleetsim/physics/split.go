package physics

// Amounts are the quantities of a step that are divided between the phases; units as in Demand.
type Amounts struct{ Seconds, Joules, Tensor, SM, DRAM float64 }

// DemandShares divides the demand of a step between prefill and decode.
type DemandShares struct {
	Step            Demand  // the whole step, noise included
	Prefill, Decode Amounts // Shapley values: add up to the step
	Low, High       Amounts // marginal and stand-alone amount of the prefill, each in rising order
	DecodeAlone     float64 // seconds of the counterfactual step without prefill
}

// Pace is how the length of a step differs from that of its demand.
type Pace struct {
	// Noise is the length relative to the demand's at that speed: time, energy and SM activity grow with it, the work of tensor pipes,
	// memory and links does not, but for that no unit is busy for longer than the step.
	Noise float64
	// Speed is that of the GPUs, all their units alike: at 2 the step takes half the time and, at the same power, half the energy and half
	// the activity-seconds, for the same operations and bytes.
	Speed float64
}

// Divide plays the two-player game {prefill, decode} of a step whose demand is known, for every amount at once.
func (m *Cost) Divide(whole Demand, w Work, pace Pace) DemandShares {
	whole.run(pace)
	all := whole.amounts()
	switch {
	case w.DecodeSequences == 0:
		return DemandShares{Step: whole, Prefill: all, Low: all, High: all}
	case w.PrefillTokens == 0:
		return DemandShares{Step: whole, Decode: all, DecodeAlone: whole.Seconds}
	}
	decode := m.without(w.DecodeOnly(), whole.ClockRatio, pace)
	alone := m.without(w.PrefillOnly(), whole.ClockRatio, pace)
	s := DemandShares{Step: whole, DecodeAlone: decode.Seconds}
	s.divide(&all, &alone, &decode)
	return s
}

// without is the demand of a step without its other phase. A lower clock makes the same work occupy tensor pipes and SMs for longer, so
// that both count at the clock of the whole step; time and energy are those of the step as it would have run.
func (m *Cost) without(w Work, clockRatio float64, pace Pace) Amounts {
	d := m.Demand(w)
	if d.ClockRatio != clockRatio {
		var s step
		m.collect(&s, &w, w.decodeRows())
		t := s.at(1 / clockRatio)
		d.Tensor, d.SM = t.tensor, t.busy
	}
	d.run(pace)
	return d.amounts()
}

// divide fills the shares of every amount from the three coalitions.
func (s *DemandShares) divide(all, alone, decode *Amounts) {
	share := func(v, vP, vD float64, prefill, rest, low, high *float64) {
		marginal := v - vD
		*prefill = (vP + marginal) / 2
		*rest = v - *prefill
		*low, *high = min(marginal, vP), max(marginal, vP)
	}
	share(all.Seconds, alone.Seconds, decode.Seconds, &s.Prefill.Seconds, &s.Decode.Seconds, &s.Low.Seconds, &s.High.Seconds)
	share(all.Joules, alone.Joules, decode.Joules, &s.Prefill.Joules, &s.Decode.Joules, &s.Low.Joules, &s.High.Joules)
	share(all.Tensor, alone.Tensor, decode.Tensor, &s.Prefill.Tensor, &s.Decode.Tensor, &s.Low.Tensor, &s.High.Tensor)
	share(all.SM, alone.SM, decode.SM, &s.Prefill.SM, &s.Decode.SM, &s.Low.SM, &s.High.SM)
	share(all.DRAM, alone.DRAM, decode.DRAM, &s.Prefill.DRAM, &s.Decode.DRAM, &s.Low.DRAM, &s.High.DRAM)
}

// run turns the demand into that of the same step at a pace.
func (d *Demand) run(p Pace) {
	stretch, slower := p.Noise, 1.0
	if p.Speed != 1 {
		slower = 1 / p.Speed
		stretch *= slower
	}
	d.Seconds *= stretch
	d.Joules *= stretch
	d.SM *= stretch
	d.Tensor = min(d.Tensor*slower, d.SM)
	d.DRAM = min(d.DRAM*slower, d.Seconds)
	d.NVLink = min(d.NVLink*slower, d.Seconds)
}

func (d *Demand) amounts() Amounts {
	return Amounts{Seconds: d.Seconds, Joules: d.Joules, Tensor: d.Tensor, SM: d.SM, DRAM: d.DRAM}
}
