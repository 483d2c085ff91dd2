package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// draws is how many disturbed situations an interval rests on.
	draws = 16
	// worstDraws of them are the bad case: their mean goodput is what a topology is sure of. With 16 draws the lower end of the 80 % interval
	// alone is one rehearsal.
	worstDraws = draws / 4
	// lostToSafety is the share of the expected goodput, the mean of the draws, that safety may cost.
	lostToSafety = 0.05
	// nothingServed is the share of the requests below which next to none are served in time, mostVoid the share of the draws that may be so.
	nothingServed = 0.05
	mostVoid      = 1.0 / 3
	// firstError is the standard deviation of the relative error of the 90th percentile of time to first token that remains where costs, demand and
	// chance are as rehearsed: the longest tenth of the prompts costs what a line through all of them does not say (docs/disaggregation.md).
	firstError = 0.12
)

// Draws are situations that might be the true one: the fitted costs, the lengths and the rate disturbed by their spreads. They are drawn
// once an evaluation, so that all that is compared meets the same ones, and what a topology does in each is known from then on.
type Draws struct {
	situation  *Situation
	situations []*Situation
	played     map[Topology][]Rehearsal // in each
}

// Draw disturbs the situation.
func (s *Situation) Draw() Draws {
	return Draws{situation: s, situations: s.disturbed(), played: map[Topology][]Rehearsal{}}
}

// of is what a topology does in each situation; nil where it cannot be rehearsed, which is so in all or in none.
func (d Draws) of(t Topology) []Rehearsal {
	if played, known := d.played[t]; known {
		return played
	}
	var played []Rehearsal
	for _, s := range d.situations {
		r, ok := s.Rehearse(t)
		if !ok {
			played = nil
			break
		}
		played = append(played, r)
	}
	d.played[t] = played
	return played
}

// WithInterval adds the 80 % interval to a forecast, and compares with the current topology: the probability that goodput is more than
// gain times the current one's. Draws in which either serves next to nothing in time say nothing of which is better; where they are more
// than a third, they count against.
func (d Draws) WithInterval(f Forecast, gain float64) (Forecast, float64) {
	s := d.situation
	then, now := d.of(f.Topology), d.of(s.Current)
	if len(then) == 0 || len(now) == 0 {
		return f, 0
	}
	goodput, ttft := make([]float64, len(then)), make([]float64, len(then))
	wins, void := 0.0, 0.0
	for i, r := range then {
		goodput[i], ttft[i] = r.Goodput, r.TTFT90*d.situations[i].firstOff
		current := now[i].Goodput
		if s.Measured > 0 { // what was measured is not in doubt
			current = min(current, s.Measured)
		}
		switch {
		case f.Topology == s.Current:
		case max(r.Goodput, current) < nothingServed*s.Rate:
			void++
		case r.Goodput > gain*current:
			wins++
		}
	}
	if void > mostVoid*float64(len(then)) {
		void = 0
	}
	f.GoodputLow, f.GoodputHigh = around(goodput, f.Goodput)
	f.TTFT90Low, f.TTFT90High = around(ttft, f.TTFT90)
	return f, wins / (float64(len(then)) - void)
}

// Safest moves from a topology to a neighbour for as long as that is sure of more goodput: where a few per cent in costs decide whether a side
// keeps its limit, the best by the fitted costs may serve next to nothing by the true ones. What safety costs is counted by the mean of the draws: a
// split that serves nothing in half of them is not worth what the fitted costs say. Without such an edge nothing is rehearsed but f.
func (d Draws) Safest(f Forecast) Forecast {
	for sure := d.sureOf(f.Topology); sure < asGood*f.Goodput; {
		next, best := f, sure
		for _, by := range []int{-1, 1} {
			t := Topology{Prefill: f.Prefill + by, Decode: f.Decode - by}
			if !t.Split() {
				continue
			}
			r, ok := d.situation.Rehearse(t)
			if !ok {
				continue
			}
			if s := d.sureOf(t); s > best && d.meanOf(t) >= (1-lostToSafety)*d.meanOf(f.Topology) {
				next, best = forecastOf(t, r), s
			}
		}
		if best-sure < (1-asGood)*f.Goodput {
			break
		}
		f, sure = next, best
	}
	return f
}

// Surer is the other topology instead of f where f is not sure to be better than the current one and that one is surer, with its forecast and
// probability: what was recommended is not exchanged for what might be better still.
func (d Draws) Surer(f Forecast, surety float64, other Topology) (Forecast, float64) {
	if surety > adviceSurety || other == f.Topology || other.Groups() != f.Groups() {
		return f, surety
	}
	r, ok := d.situation.Rehearse(other)
	if !ok {
		return f, surety
	}
	if then, sure := d.WithInterval(forecastOf(other, r), adviceGain); sure > surety {
		return then, sure
	}
	return f, surety
}

// meanOf is the mean goodput of a topology over the draws, requests/s.
func (d Draws) meanOf(t Topology) (mean float64) {
	all := d.of(t)
	for _, r := range all {
		mean += r.Goodput / float64(len(all))
	}
	return mean
}

// sureOf is the mean goodput of a topology in the draws in which it does worst, requests/s.
func (d Draws) sureOf(t Topology) float64 {
	var goodput []float64
	for _, r := range d.of(t) {
		goodput = append(goodput, r.Goodput)
	}
	if len(goodput) < worstDraws {
		return 0
	}
	slices.Sort(goodput)
	sum := 0.0
	for _, g := range goodput[:worstDraws] {
		sum += g
	}
	return sum / worstDraws
}

// around is the 80 % interval of draws, with the middle in it.
func around(values []float64, middle float64) (low, high float64) {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return min(quantileOf(sorted, 0.1), middle), max(quantileOf(sorted, 0.9), middle)
}

// quantileOf is that of a sample in ascending order, each value of which stands for an equal part of the distribution and is the middle of it.
func quantileOf(sorted []float64, q float64) float64 {
	at := max(0, min(float64(len(sorted)-1), q*float64(len(sorted))-0.5))
	i := min(int(at), len(sorted)-2)
	if i < 0 {
		return sorted[0]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// forecastFor is the time that a forecast is of, s: so long it takes to change a fleet and to see what came of it. In it demand itself is a sample.
const forecastFor = 600

// disturbed draws situations that might be the true one, and ways in which the same demand might come. Each error takes every sixteenth of its distribution once (a Latin hypercube): of 16
// independent draws the largest error of one kind may well be small.
func (s *Situation) disturbed() []*Situation {
	s.staged()
	random := rand.New(rand.NewPCG(rehearsalSeed, draws))
	demand := math.Hypot(s.Spreads.Rate, math.Sqrt(max(1, s.Dispersion)/(s.Rate*forecastFor)))
	spreads := []float64{s.Spreads.Prefill, s.Spreads.Decode, s.Spreads.Prompt, s.Spreads.Output, demand, s.Spreads.DecodeSlope, firstError, 1, 1}
	order := make([][]int, len(spreads))
	for i := range order {
		order[i] = random.Perm(draws)
	}
	out := make([]*Situation, draws)
	for n := range out {
		by := func(i int) float64 {
			return spreads[i] * math.Sqrt2 * math.Erfinv((2*float64(order[i][n])+1)/draws-1)
		}
		d := *s
		d.Cost = s.Cost.Faster(math.Exp(by(0)), math.Exp(by(1))).turned(by(5), s.Spreads.DecodeBatch)
		d.Prompt.Mean *= math.Exp(by(2))
		d.Output.Mean *= math.Exp(by(3))
		d.Rate *= math.Exp(by(4))
		d.draw = n + 1
		d.firstOff = math.Exp(by(6))
		d.togetherOff, d.apartOff = by(7), by(8)
		out[n] = &d
	}
	return out
}

// SlopeSpread is the standard deviation of the part of a decode step of that batch that grows with its sequences, as a share of the step, where the
// step itself is known: what the curvature of steps leaves open (slopeError).
func (c StepCost) SlopeSpread(batch float64) float64 {
	growing := c.Sequence * batch
	if step := c.Decode + growing; step > 0 {
		return slopeError * growing / step
	}
	return 0
}

// turned is the cost where so much more of a decode step of that batch, as a share of it, grows with the sequences; the step of that batch
// lasts as long as before.
func (c StepCost) turned(share, batch float64) StepCost {
	if share == 0 || !(batch > 0) {
		return c
	}
	by := share * (c.Decode + c.Sequence*batch)
	by = max(-c.Sequence*batch, min(c.Decode, by))
	c.Sequence += by / batch
	c.Decode -= by
	return c
}
