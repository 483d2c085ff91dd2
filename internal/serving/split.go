package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// MethodStepRegression names tier T3: regression of busy time on steps, prefill tokens and decode tokens.
const MethodStepRegression = "t3_step_regression"

// MethodPurePhase names tier T0: a window with one phase only needs no model.
const MethodPurePhase = "t0_pure_phase"

// MethodPureRole names tier T0 for a worker whose tokens are of one phase.
const MethodPureRole = "t0_pure_role"

// PureConfidence is the confidence of a split without a model: below HIGH, since busy time itself is read off latencies or samples.
const PureConfidence = maxConfidence

// Reasons for which a split is withheld.
const (
	WithheldWarmUp       = "warming_up"    // too few windows yet
	WithheldConstantLoad = "constant_load" // prefill per step hardly varies, so the two costs cannot be told apart
	WithheldUncertain    = "uncertain"     // the interval of the share is too wide to be of use
	WithheldBusyUnknown  = "busy_unknown"  // no decoding request: busy time is not visible in the counters
	WithheldBadInput     = "bad_input"     // a counter is not finite or absurdly large
	WithheldNoData       = "no_data"       // part of the counters missing
)

// Split is how one window's time divides. The four parts add up to the window.
type Split struct {
	Prefill, Decode, Idle, Unattributed float64 // s
	// PrefillLow and PrefillHigh are the sums of prefill's marginal and stand-alone cost, s, widened by the 90 % interval of the
	// estimate. Those of decode are Prefill + Decode less these.
	PrefillLow, PrefillHigh float64
	Method                  string
	Confidence              float64 // probability that the prefill share is right within 10 %; 0 when withheld
	Withheld                string  // reason, empty when the split is given
}

// StepSplit is a Split by step counts with what it implies for the window's steps.
type StepSplit struct {
	Split
	Passes Passes // estimated; without times
	// Delay is by how much prefill lengthened the mixed steps, s.
	Delay   float64
	Costs   Costs // fitted to the mix of steps that there is, 0 while unknown
	Reading Reading
	PerStep StepCost // what single steps cost, those of other batches too, 0 while unknown; told where the split is withheld, too
	// StepSpread is the standard deviation of the relative error that the fit leaves of a decode step of the usual batch by it; 0 while unknown, and
	// where Work has no context.
	StepSpread float64
}

// Reading is what counters say of a window, whoever divides it.
type Reading struct {
	Known  bool
	Busy   float64 // s
	Steps  PrefillSteps
	Passes Passes  // estimated; without times
	Before float64 // tokens that a prompt token attends to, mean
}

// Splitter divides a worker's windows between the phases by tier T3 (docs/estimators.md, "Step regression"). It learns the
// cost of a step, of a prefill token and of a decoding sequence from the worker's own windows.
type Splitter struct {
	budget float64
	fit    *estimate.Regression // of the share
	priced stepPrices           // what kinds of step cost, for other steps than the worker's own
	perUse *estimate.Moments    // prefill tokens per step: the excitation
	length Buckets              // computed prompt lengths, faded

	prefillTime, finished float64 // schedule to first token: sum (s) and requests, faded
}

const (
	// forgetting keeps about 200 windows: 17 minutes at 5 s.
	forgetting = 0.995
	// minSamples is the number of windows before a first split: enough to see the residuals of three unknowns.
	minSamples = 12
	// minExcitation is the least coefficient of variation of prefill tokens per step at which the cost of a token and that of
	// a step can be told apart.
	minExcitation = 0.1
	// maxHalfWidth is the relative half-width of the share's 90 % interval beyond which it is withheld.
	maxHalfWidth = 0.3
	// methodError is the standard deviation of the share's relative error that more data cannot remove: the costs are not
	// linear in the counters; idleError is what comes to it on an idle worker. Measured on simulated fleets, docs/estimators.md.
	methodError, idleError = 0.05, 0.25
	// maxConfidence keeps the tier below HIGH (0.8): its known error is larger than HIGH promises.
	maxConfidence = 0.79
	// stepNoise is the relative scatter assumed of a window's busy time; only the ratio between windows matters.
	stepNoise = 0.02
)

// NewSplitter makes a Splitter for an engine with the given token budget per step.
func NewSplitter(budget float64) *Splitter {
	return &Splitter{budget: budget, fit: estimate.NewRegression(stepUnknowns, forgetting), priced: newStepPrices(), perUse: estimate.NewMoments(forgetting)}
}

// Split learns from a window and divides it. lengths are the computed prompt lengths of the requests finished in it.
func (s *Splitter) Split(w Work, lengths Buckets) StepSplit {
	s.learnLengths(lengths)
	s.prefillTime = forgetting*s.prefillTime + w.PrefillTime
	s.finished = forgetting*s.finished + w.Finished
	busy, ok := w.Busy(s.meanPrefillTime(w))
	if !ok {
		return StepSplit{Split: Split{Unattributed: w.Elapsed, Withheld: WithheldBusyUnknown}}
	}
	out := StepSplit{Split: Split{Idle: w.Elapsed - busy}, Reading: Reading{Known: true, Busy: busy}}
	if busy == 0 {
		out.Method, out.Confidence = MethodPurePhase, maxConfidence
		return out
	}
	steps := CountPrefillSteps(w, ChunksPerPrompt(s.length, s.budget-w.batch()), s.budget)
	out.Passes = w.passes(steps)
	out.Reading.Steps, out.Reading.Passes, out.Reading.Before = steps, out.Passes, MeanAttended(s.length, w.PrefillTokens/max(1, w.FirstTokens))
	x := []float64{ofDecodeStep: max(0, w.Steps-steps.All), ofPrefillStep: min(steps.All, w.Steps), ofRow: w.PrefillTokens, ofSequence: w.DecodeTokens}
	learns := s.priced.tell(w)
	rows, noise := s.priced.regressors(w, steps, x), square(stepNoise*w.Elapsed)
	if !s.fit.Add(x, busy, noise) || learns && !s.priced.fit.Add(rows, busy, noise) {
		out.Unattributed, out.Withheld = busy, WithheldBadInput
		return out
	}
	s.perUse.Add(w.PrefillTokens / w.Steps)
	if w.PrefillTokens == 0 && w.FirstTokens == 0 {
		out.Decode, out.Method, out.Confidence = busy, MethodPurePhase, maxConfidence
		return out
	}
	if s.early() == "" {
		costs, spread := s.priced.costs(x, rows, steps)
		out.PerStep, out.StepSpread = costs.PerStep(), spread
	}
	share, withheld := s.share(w, x, steps, busy)
	if withheld != "" {
		out.Unattributed, out.Withheld = busy, withheld
		return out
	}
	out.Prefill, out.Decode = share.value*busy, (1-share.value)*busy
	out.PrefillLow, out.PrefillHigh = share.low*busy, share.high*busy
	out.Delay, out.Costs = share.delay*busy, share.costs
	out.Method, out.Confidence = MethodStepRegression, share.confidence
	return out
}

// shareOf is prefill's part of a window's busy time.
type shareOf struct {
	value, low, high float64 // Shapley value and its bounds
	delay            float64 // marginal cost in mixed steps
	confidence       float64
	costs            Costs
}

// Unknowns of both regressions: costs of a step without prefill and with it, of a row beside prefill, and of a decoding sequence.
const (
	ofDecodeStep = iota
	ofPrefillStep
	ofRow
	ofSequence
	stepUnknowns
)

// share is prefill's part of the window's busy time by the fitted costs, in the Shapley sense. With theta the costs of a step
// without prefill, of a step with prefill, of a prefill token and of a decoding sequence, a mixed step of p tokens and n sequences
// is the game
//
//	v(De) = theta0 + theta3 n                   v(Pf, De) = theta1 + theta2 p + theta3 n
//	v(Pf) = theta1 + theta2 p - max(0, theta2 - 0.6 theta3) n
//
// The two kinds of step have costs of their own because a step that prefill has made compute-bound hides the streaming of the
// weights that a decode step waits for. And its decoding sequences, nearly free alone, cost what any token costs there; what of that
// is not in theta3 is in theta1, so it is taken off prefill's stand-alone step.
func (s *Splitter) share(w Work, x []float64, steps PrefillSteps, busy float64) (share shareOf, withheld string) {
	if withheld = s.early(); withheld != "" {
		return share, withheld
	}
	g := newStepGame(s.fit.Solve(), x, mixedOf(x, steps), w.batch())
	value, variance, withheld := determined(s.fit, g.theta, g.prefillOf(), x, steps)
	if withheld != "" {
		return share, withheld
	}
	prefill, total := g.prefill(), g.total()
	share.value = value
	share.costs = costsOf(g.theta)
	deviation := math.Hypot(math.Sqrt(variance), methodDeviation(methodError, idleError, busy/w.Elapsed, share.value))
	share.confidence = min(maxConfidence, trust(share.value, deviation))
	all := g.all()
	low, high := all.bounds(normal90 * deviation * prefill)
	share.low, share.high = low/total, high/total
	share.delay = g.delay() / total
	return share, ""
}

// early is why windows do not tell costs apart yet, "" when they do.
func (s *Splitter) early() string {
	switch {
	case s.fit.EffectiveSamples() < minSamples:
		return WithheldWarmUp
	case s.perUse.CV() < minExcitation:
		return WithheldConstantLoad
	}
	return ""
}

// learnLengths fades the remembered prompt lengths and adds new ones. Requests finish long after their prefill, so a window's
// own finished requests are not those whose prefill it holds; the distribution over the last windows is what is needed.
func (s *Splitter) learnLengths(b Buckets) {
	if len(b.Counts) == 0 {
		return
	}
	if len(s.length.Counts) != len(b.Counts) {
		s.length = Buckets{Bounds: b.Bounds, Counts: make([]float64, len(b.Counts))}
	}
	for i, c := range b.Counts {
		s.length.Counts[i] = forgetting*s.length.Counts[i] + c
	}
}

// meanPrefillTime is the mean time from schedule to first token, in seconds, 0 when unknown: of the window's own requests where
// there are some, because prompts of one window are longer than those of another, else of the last windows.
func (s *Splitter) meanPrefillTime(w Work) float64 {
	switch {
	case w.Finished >= 1:
		return w.PrefillTime / w.Finished
	case s.finished > 0:
		return s.prefillTime / s.finished
	}
	return 0
}

func square(x float64) float64 { return x * x }
