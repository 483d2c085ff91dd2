package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// MethodRoofline names tier T2: a roofline of the deployment, calibrated on the worker's windows. MethodRooflinePrior names T5: the same
// from published rates alone, before there are enough windows.
const (
	MethodRoofline      = "t2_calibrated_roofline"
	MethodRooflinePrior = "t5_roofline_prior"
)

// WithheldMisfit is the reason why a roofline is not used: what the worker takes is not what such a deployment takes.
const WithheldMisfit = "model_misfit"

const (
	// rooflineNoise is the least relative scatter of a window's busy time around the model: steps scatter by 2 %, and counters credit a
	// prompt to the window of its last chunk.
	rooflineNoise = 0.03
	// maxMisfit is the relative scatter beyond which the model does not describe the worker.
	maxMisfit = 0.2
	// rooflineMethodError is the standard deviation of the share's relative error that no amount of data removes, rooflineIdleError what
	// comes to it on an idle worker, maxRooflineSurety the confidence that is never exceeded. Measured on simulated fleets,
	// docs/estimators.md.
	rooflineMethodError, rooflineIdleError, maxRooflineSurety = 0.03, 0.08, 0.95
	// rooflineTailError is what the confidence takes off besides, though the interval does not: errors reach further out than normal ones of
	// the same deviation would. Set on the simulator: without it one of 497 random scenarios was HIGH and off by 18 %, with 0.04 one of 507 by 13 %.
	rooflineTailError = 0.05
	// maxPriorHalfWidth is maxHalfWidth before the first fit: peak rates are off by 20 to 30 %, and all outputs say how wide that makes it.
	maxPriorHalfWidth = 0.6
	// refitAfter is the data time between two fits, s, once calibrated.
	refitAfter = 60
)

// RooflineSplitter divides a worker's windows by tier T2 (docs/estimators.md, "Calibrated roofline").
type RooflineSplitter struct {
	model   Roofline
	fit     *estimate.Posterior
	samples samples
	noise   float64 // relative scatter that the last fit showed
	windows int
	since   float64 // s of data since the last fit
}

// NewRooflineSplitter starts from what is published of the deployment.
func NewRooflineSplitter(d Deployment) *RooflineSplitter {
	model := NewRoofline(d)
	return &RooflineSplitter{model: model, fit: estimate.NewPosterior(model.expected()), noise: rooflineNoise}
}

// Split learns from a window as the counters tell it and divides it.
func (s *RooflineSplitter) Split(w Work, r Reading) StepSplit {
	out := StepSplit{Split: Split{Idle: w.Elapsed - r.Busy}, Passes: r.Passes, Reading: r}
	x := rooflineSample{busy: r.Busy, passes: r.Passes, before: r.Before}
	if !(r.Busy > 0) || r.Passes.Count() <= 0 || !r.Passes.Valid() {
		out.Unattributed, out.Withheld = r.Busy, WithheldBusyUnknown
		return out
	}
	s.learn(x, w.Elapsed)
	if w.PrefillTokens == 0 && w.FirstTokens == 0 {
		out.Decode, out.Method, out.Confidence = r.Busy, MethodPurePhase, maxRooflineSurety
		out.Costs = s.costs(x)
		out.PerStep = out.Costs.PerStep()
		return out
	}
	if s.noise > maxMisfit {
		out.Unattributed, out.Withheld = r.Busy, WithheldMisfit
		return out
	}
	s.divide(&out, x, r)
	return out
}

// learn takes a sample, and fits when it is time.
func (s *RooflineSplitter) learn(x rooflineSample, elapsed float64) {
	s.samples.add(x)
	s.windows++
	s.since += elapsed
	if s.windows < minSamples || s.windows > 2*minSamples && s.since < refitAfter {
		return
	}
	s.since = 0
	s.fit.Fit(s.samples.len(), func(i int, theta []float64) float64 {
		o := s.samples.at(i)
		return (s.model.play(o, theta).together/o.busy - 1) / s.noise
	})
	var sum float64
	for i := range s.samples.len() {
		o := s.samples.at(i)
		sum += square(s.model.play(o, s.fit.Unknowns()).together/o.busy - 1)
	}
	s.noise = max(rooflineNoise, math.Sqrt(sum/float64(s.samples.len())))
}

// divide plays the game of the window's steps, scaled to its busy time.
func (s *RooflineSplitter) divide(out *StepSplit, x rooflineSample, r Reading) {
	theta := s.fit.Unknowns()
	g := s.model.play(x, theta)
	share := g.prefill() / g.together
	if !(share > 0) {
		out.Unattributed, out.Withheld = r.Busy, WithheldUncertain
		return
	}
	gradient := make([]float64, rooflineUnknowns)
	shifted := make([]float64, rooflineUnknowns)
	const probe = 1e-3
	for i := range gradient {
		copy(shifted, theta)
		shifted[i] *= 1 + probe
		moved := s.model.play(x, shifted)
		gradient[i] = (moved.prefill()/moved.together/share - 1) / probe
	}
	// How much the share moves when the steps with prefill are as many as one way of counting says, or the other.
	few, many := x.recounted(-r.Steps.Spread), x.recounted(r.Steps.Spread)
	fewer, more := s.model.play(few, theta), s.model.play(many, theta)
	count := (more.prefill()/more.together - fewer.prefill()/fewer.together) / 2 / share
	variance := s.fit.Variance(gradient) + square(count)
	widest := maxHalfWidth
	if s.windows < minSamples {
		widest = maxPriorHalfWidth
	}
	if !telling(share, normal90*math.Sqrt(variance), widest) {
		out.Unattributed, out.Withheld = r.Busy, WithheldUncertain
		return
	}
	deviation := math.Hypot(math.Sqrt(variance), methodDeviation(rooflineMethodError, rooflineIdleError, r.Busy/(r.Busy+out.Idle), share))
	scale := r.Busy / g.together
	low, high := g.bounds(normal90 * deviation * g.prefill())
	out.Prefill = share * r.Busy
	out.Decode = r.Busy - out.Prefill
	out.PrefillLow, out.PrefillHigh = scale*low, scale*high
	out.Delay = scale * max(0, g.delay)
	out.Costs = s.costs(x)
	out.PerStep = out.Costs.PerStep()
	out.Confidence, out.Method = min(maxRooflineSurety, trust(share, math.Hypot(deviation, rooflineTailError))), MethodRoofline
	if s.windows < minSamples {
		out.Confidence, out.Method = min(maxPriorSurety, out.Confidence), MethodRooflinePrior
	}
}

// costs are those of the model, linear around the window's steps.
func (s *RooflineSplitter) costs(x rooflineSample) Costs {
	theta := s.fit.Unknowns()
	m := s.model
	n := x.passes.Batch()
	step := m.products(n, theta)
	each := m.products(n+1, theta) - step // per sequence, at this batch
	context := m.bytesPerContext * theta[perByte]
	return Costs{
		Step: theta[perStep] + step - each*n, Sequence: theta[perSequence] + each, Context: context,
		PrefillStep: theta[perStep], Row: m.flopsPerRow*theta[perFLOP] + m.linkPerRow + m.attention(1, x.before, theta), MixedContext: context,
		MixedSequence: theta[perSequence],
	}
}

// Rescale takes it that the GPUs run at another clock from now on: what was fitted is forgotten but for what does not depend on the
// clock, and arithmetic is expected to take ratio times as long.
func (s *RooflineSplitter) Rescale(ratio float64) {
	theta := append([]float64(nil), s.fit.Unknowns()...)
	theta[perFLOP] *= ratio
	_, deviation := s.model.expected()
	s.fit.Expect(theta, deviation)
	s.samples, s.windows, s.since, s.noise = samples{}, 0, 0, rooflineNoise
}

// rooflineGame is the game of all steps of a window, and by how much prefill lengthens the mixed ones, s.
type rooflineGame struct {
	game
	delay float64
}

// play is the game of a window's steps by the model: mixed and pure steps as their means.
func (r Roofline) play(x rooflineSample, theta []float64) (g rooflineGame) {
	if d := x.passes.Decode; d.Count > 0 {
		t := d.Count * r.decode(d.Sequences/d.Count, d.Context/d.Count, theta)
		g.together += t
		g.decodeAlone += t
	}
	if f := x.passes.Prefill; f.Count > 0 {
		t := f.Count * r.prefill(f.PrefillTokens/f.Count, x.before, theta)
		g.together += t
		g.prefillAlone += t
	}
	if m := x.passes.Mixed; m.Count > 0 {
		p, n, c := m.PrefillTokens/m.Count, m.Sequences/m.Count, m.Context/m.Count
		whole, decode := m.Count*r.mixed(p, x.before, n, c, theta), m.Count*r.decode(n, c, theta)
		g.together += whole
		g.decodeAlone += decode
		g.prefillAlone += m.Count * r.prefill(p, x.before, theta)
		g.delay = whole - decode
	}
	return g
}
