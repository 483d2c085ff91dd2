package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// MethodForwardPasses names tier T1: time by composition of the steps, as the engine reports every one of them.
const MethodForwardPasses = "t1_forward_passes"

const (
	// passMethodError is the standard deviation of the share's relative error that more data cannot remove: step time is not linear
	// in rows. Measured on simulated fleets, docs/estimators.md.
	passMethodError = 0.02
	maxPassSurety   = 0.99
	// attentionFloor is the least time of decode attention over that of a decode step: its kernels take about 10 us a layer on H100
	// and H200 for any context (AIConfigurator's generation-attention tables: 4 MB at 0.4 TB/s), a decode step about 0.2 ms a layer.
	attentionFloor = 0.05
	// minPassSamples is the number of windows before a first split: each holds dozens of steps, so that few show the scatter.
	minPassSamples = 6
	// normal90 is the half-width of a 90 % interval in standard deviations.
	normal90 = 1.645
)

// PassSplitter divides a worker's windows by tier T1. Steps with one phase are that phase's and need no model. Of a mixed step
// the duration is known and two others are not: what its decodes alone would take, which steps without prefill teach, and what its
// prefill alone would, which is the step less what its decoding rows add to it (docs/estimators.md, "Forward passes").
type PassSplitter struct {
	decode  *estimate.Regression // time of steps without prefill on steps, sequences, context
	prefill *estimate.Regression // time of steps with prefill on steps, rows, context
	surplus float64              // s of steps that did not fit into the windows they ended in
}

// NewPassSplitter makes a PassSplitter that has learnt nothing.
func NewPassSplitter() *PassSplitter {
	return &PassSplitter{decode: estimate.NewRegression(3, forgetting), prefill: estimate.NewRegression(3, forgetting)}
}

// PassSplit is a Split with what it implies for mixed steps.
type PassSplit struct {
	Split
	// MixedDecodeAlone is how long the window's mixed steps would have taken without prefill, s.
	MixedDecodeAlone float64
	Costs            Costs // fitted, 0 while unknown
}

// Split learns from a window of the given length in seconds and divides it.
func (s *PassSplitter) Split(p Passes, elapsed float64, running Running) PassSplit {
	if !p.Valid() {
		return PassSplit{Split: Split{Unattributed: elapsed, Withheld: WithheldBadInput}}
	}
	s.learn(p)
	busy := s.busy(p.Time(), elapsed, running)
	out := PassSplit{Split: Split{Idle: elapsed - busy, Method: MethodForwardPasses}}
	if busy == 0 || p.Time() == 0 {
		out.Idle, out.Confidence, out.Method = elapsed, maxPassSurety, MethodPurePhase
		return out
	}
	scale := busy / p.Time()
	if p.Mixed.Count == 0 {
		out.Prefill, out.Decode = scale*p.Prefill.Time, scale*p.Decode.Time
		out.PrefillLow, out.PrefillHigh = out.Prefill, out.Prefill
		out.Confidence, out.Method = maxPassSurety, MethodPurePhase
		return out
	}
	mixed, deviation, withheld := s.mixed(p.Mixed)
	out.Costs = s.costs()
	if withheld != "" {
		// All of it: were steps of one phase counted and mixed ones not, the sums would say that prefill is rarer than it is.
		out.Unattributed, out.Method, out.Withheld = busy, "", withheld
		return out
	}
	deviation = math.Hypot(deviation, passMethodError*mixed.prefill())
	low, high := mixed.bounds(normal90 * deviation)
	out.Prefill = scale * (p.Prefill.Time + mixed.prefill())
	out.Decode = busy - out.Prefill
	out.PrefillLow, out.PrefillHigh = scale*(p.Prefill.Time+low), scale*(p.Prefill.Time+high)
	out.MixedDecodeAlone = mixed.decodeAlone
	out.Confidence = min(maxPassSurety, estimate.Within(0.1, deviation*scale/max(out.Prefill, 1e-9)))
	return out
}

// costs are those that both fits found.
func (s *PassSplitter) costs() Costs {
	a, b := s.decode.Solve(), s.prefill.Solve()
	return Costs{Step: a[0], Sequence: a[1], Context: a[2], PrefillStep: b[0], Row: b[1], MixedContext: b[2]}
}

func (s *PassSplitter) learn(p Passes) {
	if d := p.Decode; d.Count > 0 && d.Time > 0 {
		s.decode.Add([]float64{d.Count, d.Sequences, d.Context}, d.Time, d.Time*d.Time/d.Count)
	}
	if n, t := p.withPrefill(), p.Prefill.Time+p.Mixed.Time; n > 0 && t > 0 {
		s.prefill.Add([]float64{n, p.rows(), p.Mixed.Context}, t, t*t/n)
	}
}

// busy fits the time of the steps that ended in a window into it. Steps begin before it and end after it, so their time may exceed
// the window's; the rest is the next window's. A worker with requests at every look that was busy nearly all of the time was busy
// throughout: between its steps an engine prepares the next one.
func (s *PassSplitter) busy(steps, elapsed float64, running Running) float64 {
	t := steps + s.surplus
	s.surplus = min(max(0, t-elapsed), elapsed)
	if running.Seen && running.Min > 0 && t >= (1-saturationTolerance)*elapsed {
		return elapsed
	}
	return min(t, elapsed)
}

// mixed is the game of the window's mixed steps, and the standard deviation of prefill's value in it, both in seconds.
//
//	v(P, D) = measured      v(D) = a0 N + a1 n + a2 c      v(P) = v(P, D) - b1 n - b2 c - 0.05 a0 N
//
// a from steps without prefill, b from steps with it: what a decoding row costs there is what any row costs. The last term is the
// decode attention's, which costs some time however little it reads.
func (s *PassSplitter) mixed(m Steps) (g game, deviation float64, withheld string) {
	if s.decode.EffectiveSamples() < minPassSamples || s.prefill.EffectiveSamples() < minPassSamples {
		return game{}, 0, WithheldWarmUp
	}
	a, b := s.decode.Solve(), s.prefill.Solve()
	g = game{
		together:     m.Time,
		decodeAlone:  min(m.Time, a[0]*m.Count+a[1]*m.Sequences+a[2]*m.Context),
		prefillAlone: max(0, m.Time-b[1]*m.Sequences-b[2]*m.Context-attentionFloor*a[0]*m.Count),
	}
	va, oka := s.decode.Variance(a, []float64{m.Count / 2, m.Sequences / 2, m.Context / 2})
	vb, okb := s.prefill.Variance(b, []float64{0, m.Sequences / 2, m.Context / 2})
	if !oka || !okb {
		return g, 0, WithheldUncertain
	}
	deviation = math.Sqrt(va + vb)
	if !(normal90*deviation <= maxHalfWidth*g.prefill()) {
		return g, deviation, WithheldUncertain
	}
	return g, deviation, ""
}
