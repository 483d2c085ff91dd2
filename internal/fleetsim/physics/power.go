package physics

import "math"

// power is the power model of one GPU in W. During a step
//
//	P = idle + active + tensor x (tensor activity / that of the best kernels) x clock^2 + dram x (memory activity), at most the limit
//
// with activities as shares of the step and the clock relative to the full one; active is what full clocks cost whether kernels run
// or not. At the limit the clock falls: energy per operation falls in proportion, as voltage follows the clock, clock-bound time grows
// against it, memory takes what it took. Where even the lowest clock needs more than the limit, the GPU pauses and draws idle power
// meanwhile, as a power brake does, until the mean is the limit.
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

// joules is the energy of one GPU over a step without pauses, with clock-bound time slowdown times that at the full clock.
func (p *power) joules(t *timing, dram, slowdown float64) float64 {
	return (p.idle+p.active)*t.length + p.tensor*t.tensor/(p.plateau*slowdown*slowdown) + p.dram*dram
}

// settle finds the clock of a step; joules are those of one GPU.
func (p *power) settle(s *step, dram float64) (t timing, slowdown, joules float64) {
	t, slowdown = s.at(1), 1
	joules = p.joules(&t, dram, 1)
	if joules <= p.limit*t.length {
		return t, slowdown, joules
	}
	slowdown = p.throttle(s, dram)
	t = s.at(slowdown)
	joules = p.joules(&t, dram, slowdown)
	if over := joules - p.limit*t.length; over > 0 {
		t.length += over / (p.limit - p.idle)
		joules = p.limit * t.length
	}
	return t, slowdown, joules
}

// The search for the clock ends when energy and limit agree to this relative accuracy, or after so many rounds: settle makes up for
// the rest.
const (
	throttleAccuracy = 1e-12
	throttleRounds   = 60
)

// throttle is how much longer clock-bound work takes where the power is at its limit, or the most it can if it is above even then. The
// energy in excess of the limit falls all the way as the clock falls; the root is found by false position, halving the
// value of an end that stays (Illinois).
func (p *power) throttle(s *step, dram float64) float64 {
	excess := func(x float64) (over, scale float64) {
		t := s.at(x)
		return p.joules(&t, dram, x) - p.limit*t.length, p.limit * t.length
	}
	lo, hi := 1.0, p.slowest
	above, _ := excess(lo)
	below, _ := excess(hi)
	if below >= 0 {
		return hi
	}
	side := 0
	for range throttleRounds {
		x := (hi*above - lo*below) / (above - below)
		over, scale := excess(x)
		switch {
		case math.Abs(over) <= throttleAccuracy*scale:
			return x
		case over > 0:
			lo, above = x, over
			if side > 0 {
				below /= 2
			}
			side = 1
		default:
			hi, below = x, over
			if side < 0 {
				above /= 2
			}
			side = -1
		}
	}
	return hi
}
