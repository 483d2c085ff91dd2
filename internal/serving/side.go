package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"cmp"
	"math"
	"math/rand/v2"
)

// MethodRehearsedGain names the imbalance that compares what more capacity for either phase alone would bring.
const MethodRehearsedGain = "rehearsed_gain"

// Met is what requests met over a stretch of time.
type Met struct {
	TTFT, ITL float64 // shares of the requests that met the objective
	// TTFTError and ITLError are the standard deviations of their errors that a histogram leaves, of which an objective halves a bucket.
	TTFTError, ITLError float64
	MeanITL             float64 // s, over tokens
	Requests            float64 // that the shares rest on
}

// SharedWorker is a worker whose phases share its steps, as the estimators know it.
type SharedWorker struct {
	Capability
	Workload
	Limits
	Measured Met
	// CostError is the standard deviation of the relative error of either phase's cost.
	CostError float64

	stage *stage // shared by copies
}

// Leverage is what a tenth more capacity for one phase alone would add to a worker's goodput, as a share of what it is.
type Leverage struct {
	Prefill, Decode float64
	Difference      float64 // Prefill - Decode, mean of the rehearsals by how well they meet what was measured
	Spread          float64 // standard deviation of its error
	Slower          float64 // the factor on costs at which rehearsals meet what was measured
	Confidence      float64 // probability that the difference is on the side of sideGap that it seems to be on
	// Lean is the side that it leans to where hardly any request is in time: 1 prefill, -1 decode, 0 neither or not asked.
	Lean float64
}

const (
	// leverageScale is the difference of the gains that is an imbalance of 1: that of sideGap is at the edge of the balanced band.
	leverageScale = sideGap / BalancedBand
	// leverageSeconds is how long a rehearsal of a worker lasts, in arrivals between leverageFewest and leverageMost.
	leverageSeconds = 300
	leverageFewest  = 400
	leverageMost    = 4000
	// leverageWarmUp is the share of the arrivals that come before those that count: a queue that grows without end begins short.
	leverageWarmUp = 0.4
	// leverageEnd is the most of them that are left out at the end: no prompts come behind their tokens any more.
	leverageEnd = 0.2
	// slowest is by how much the fitted costs may be off in either direction, in calibrationGrid steps.
	slowest         = 0.18
	calibrationGrid = 4
	// shareError and itlError are what the queue model is off by: of a share, and relative of the mean inter-token latency. fitError is
	// how far all costs together are expected to be off, calibrationError what the calibration leaves of that.
	shareError, itlError       = 0.04, 0.05
	fitError, calibrationError = 0.1, 0.02
	// variants is how many rehearsals, each of its own arrivals and costs, are compared.
	variants = 5
	// leverageFloor is the standard deviation of the difference of gains that is left when all rehearsals agree, leverageShare what comes
	// to it per difference.
	leverageFloor, leverageShare = 0.008, 0.2
	// hopeless is the share of requests in time below which a tenth of anything brings next to nothing. There hopelessStep more capacity
	// tells which side it leans to, at an imbalance of leaning; no confidence of that is more than hopelessSurety.
	hopeless       = 0.05
	hopelessStep   = 2
	leaning        = 0.1
	hopelessSurety = 0.79
)

// Imbalance is the difference of the gains on the scale of llm.phase.imbalance: positive, prefill holds the worker back.
func (l Leverage) Imbalance() float64 {
	if l.Lean != 0 && math.Abs(l.Difference) < sideGap {
		return l.Lean * leaning
	}
	return max(-maxImbalance, min(maxImbalance, l.Difference/leverageScale))
}

// Leverage rehearses the worker's workload as it is and with a tenth more capacity for either phase alone. The costs are first brought to
// where a rehearsal meets the objectives as often as was measured; the rehearsals that are compared differ in their arrivals and in
// the error of the costs, the same in all three, and weigh as much as what they meet is likely given what was measured. ok is false
// where the worker cannot be played.
func (s *SharedWorker) Leverage() (l Leverage, ok bool) {
	if !s.Cost.valid() || !s.valid() || !(s.Budget >= 1) || !(s.Sequences >= 1) || !(s.Measured.Requests >= 1) {
		return Leverage{}, false
	}
	if open := s.open(); open < sideGap/2 {
		return Leverage{Slower: 1, Spread: leverageFloor, Confidence: sideConfidence(0, leverageFloor)}, true
	}
	s.stage = newStage()
	defer func() { s.stage = nil }()
	slower := s.calibrate()
	random := rand.New(rand.NewPCG(rehearsalSeed, variants))
	var weights, sum, squares, prefill, decode, scales float64
	for i := range variants {
		one := *s
		factor := math.Exp(slower + calibrationError*random.NormFloat64())
		apart := s.CostError * random.NormFloat64() / math.Sqrt2
		one.Cost = s.Cost.Faster(math.Exp(apart)/factor, math.Exp(-apart)/factor)
		one.Rate = s.Rate * math.Exp(math.Sqrt(s.Dispersion/max(1, s.Measured.Requests))*random.NormFloat64())
		base, with := one.gains(uint64(i+1), capacityStep)
		difference := min(1, max(-1, with[0]-with[1]))
		w := math.Exp(-s.misfit(base) / 2)
		weights += w
		sum += w * difference
		squares += w * square(difference)
		prefill += w * with[0]
		decode += w * with[1]
		scales += w * factor
	}
	if !(weights > 0) {
		return Leverage{}, false
	}
	l = Leverage{Prefill: prefill / weights, Decode: decode / weights, Difference: sum / weights, Slower: scales / weights}
	scatter := math.Sqrt(max(0, squares/weights-square(l.Difference)))
	l.Spread = math.Hypot(scatter, leverageFloor+leverageShare*min(1, max(l.Prefill, l.Decode, 0)))
	l.Confidence = sideConfidence(l.Difference, l.Spread)
	if s.Measured.TTFT+s.Measured.ITL-1 < hopeless && min(s.Measured.TTFT, s.Measured.ITL) < hopeless {
		l.Confidence = min(l.Confidence, hopelessSurety)
		one := *s
		one.Cost = s.Cost.Faster(math.Exp(-slower), math.Exp(-slower))
		_, with := one.gains(rehearsalSeed, hopelessStep)
		l.Lean = float64(cmp.Compare(with[0], with[1]))
	}
	return l, true
}

// open is how much goodput could rise at most, as a share of it, by what was measured.
func (s *SharedWorker) open() float64 {
	both := s.Measured.TTFT + s.Measured.ITL - 1 // at least
	return (1 - both) / max(both, hopeless)
}

// gains are the gains of goodput by step times the capacity for prefill and for decode, over the same requests, as a share of what it is.
func (s *SharedWorker) gains(seed uint64, step float64) (base Met, with [2]float64) {
	base, both := s.play(s.Cost, seed)
	for i, cost := range []StepCost{s.Cost.Paced(step, 1), s.Cost.Paced(1, step)} {
		_, more := s.play(cost, seed)
		with[i] = (more - both) / max(both, hopeless)
	}
	return base, with
}

// calibrate is the logarithm of the factor on costs at which the rehearsal is most like what was measured.
func (s *SharedWorker) calibrate() (best float64) {
	least := math.Inf(1)
	for i := -calibrationGrid; i <= calibrationGrid; i++ {
		x := slowest * float64(i) / calibrationGrid
		met, _ := s.play(s.Cost.Faster(math.Exp(-x), math.Exp(-x)), rehearsalSeed)
		if m := s.misfit(met) + square(x/fitError); m < least {
			least, best = m, x
		}
	}
	return best
}

// misfit is the squared distance of what a rehearsal meets from what was measured, in standard deviations.
func (s *SharedWorker) misfit(met Met) float64 {
	share := func(got, want, unread float64) float64 {
		// Requests of a burst are late together: what a share scatters by is that of far fewer of them.
		scatter := math.Sqrt(want * (1 - want) / max(1, s.Measured.Requests/10))
		return square(got-want) / (square(shareError) + square(scatter) + square(unread))
	}
	sum := share(met.TTFT, s.Measured.TTFT, s.Measured.TTFTError) + share(met.ITL, s.Measured.ITL, s.Measured.ITLError)
	if met.MeanITL > 0 && s.Measured.MeanITL > 0 {
		sum += square(math.Log(met.MeanITL/s.Measured.MeanITL) / itlError)
	}
	return min(sum, 100) // so that some rehearsal has a weight
}

// play rehearses the worker and returns what requests meet and the share that meets both objectives.
func (s *SharedWorker) play(cost StepCost, seed uint64) (met Met, both float64) {
	d := s.Capability
	d.Cost = cost
	n := int(max(leverageFewest, min(leverageMost, leverageSeconds*s.Rate)))
	if s.stage == nil {
		s.stage = newStage()
	}
	p := s.stage.newPlay(d, s.Workload, n, seed)
	p.together(1)
	var seconds, tokens float64
	first, most := int(leverageWarmUp*float64(n)), int(leverageEnd*float64(n))
	counted := p.requests[first:p.lastCounted(p.stay(first, most), most)]
	for _, r := range counted {
		inTime := s.TTFT <= 0 || r.first-r.arrival <= s.TTFT
		fast := s.ITL <= 0 || r.last-r.first <= s.ITL*(r.output-1)
		if inTime {
			met.TTFT++
		}
		if fast {
			met.ITL++
		}
		if inTime && fast {
			both++
		}
		seconds += r.last - r.first
		tokens += r.output - 1
	}
	met.Requests = float64(len(counted))
	met.TTFT /= met.Requests
	met.ITL /= met.Requests
	if tokens > 0 {
		met.MeanITL = seconds / tokens
	}
	return met, both / met.Requests
}
