package physics

import "math"

// throttleRounds bounds the search for the clock.
const throttleRounds = 12

// power is the power model of one GPU in W:
//
//	P = idle + active + tensor x (work of the tensor pipes over what they do at their best) x clock^2 + dram x DRAM
//
// during a step, active being what full clocks cost whether kernels run or not. At the limit the clock falls: energy per operation in proportion (voltage follows the clock), clock-bound time
// against it, memory not at all.
type power struct {
	idle, active, tensor, dram float64
	limit                      float64
	slowest                    float64 // longest clock-bound time relative to the full clock
	plateau                    float64 // share of the tensor peak the best kernels reach, 0 to 1
}

func newPower(d Deployment, gpu GPU, bestFLOPS float64) power {
	limit := d.PowerLimit
	if limit == 0 {
		limit = gpu.TDP
	}
	return power{
		idle: gpu.Idle, active: gpu.ActiveWatts, tensor: gpu.TensorWatts, dram: gpu.DRAMWatts,
		limit: limit, slowest: gpu.BoostClock / gpu.LowestClock, plateau: bestFLOPS / gpu.PeakFLOPS[d.Precision],
	}
}

// IdlePower is what the group draws between steps, W.
func (m *Cost) IdlePower() float64 { return m.tp * m.power.idle }

// joules is the energy of one GPU over a step.
func (p *power) joules(s *step, dram, seconds, slowdown float64) float64 {
	return (p.idle+p.active)*seconds + p.tensor*s.tensor/(p.plateau*slowdown) + p.dram*dram
}

// throttle is how much longer clock-bound work takes at the power limit, 1 below it. With the length of the step linear in the
// slowdown x, the balance of energy limit x T(x) = joules(x) is a quadratic; a few rounds with the slope of the last one settle it, from
// both sides in turn since the length is convex in x.
func (p *power) throttle(s *step, dram float64) float64 {
	t1 := s.length(1)
	if p.joules(s, dram, t1, 1) <= p.limit*t1 {
		return 1
	}
	spare := p.limit - p.idle - p.active
	x := 1.25
	for range throttleRounds {
		slope := (s.length(x) - t1) / (x - 1)
		// a x^2 + b x - c = 0
		a, b, c := spare*slope, spare*(t1-slope)-p.dram*dram, p.tensor*s.tensor/p.plateau
		next := 2 * c / (b + math.Sqrt(b*b+4*a*c))
		if !(next > 1 && next < p.slowest) {
			next = p.slowest
		}
		if math.Abs(next-x) < 1e-3*x {
			return next
		}
		x = next
	}
	return x
}
