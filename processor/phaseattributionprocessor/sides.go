package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// sides finds out which phase holds a worker back, by rehearsing what it is asked to do with more capacity for either phase.
type sides struct {
	budget, seats float64

	seconds, backlog float64
	ttft, tpot, itl  window.Value
	prompts, outputs window.Value
	computed, reused float64    // prompt tokens
	arrivals         [3]float64 // of windows: their number, the sum and the sum of squares of their arrivals
	waiting          float64
	waited           bool
	capacity         float64 // tokens of context
	costs            serving.StepCost
	costError        float64
	rehearsed        int64 // data time, unix nanoseconds
	as               played
	found            serving.Leverage
	why              string // there is none
}

// played is what a rehearsal rested on, as far as it decides what comes of it.
type played struct{ rate, prompt, output, token, ttft, itl float64 }

const (
	// sideHorizon is the time constant with which the past of a worker fades.
	sideHorizon = 10 * time.Minute
	// sideEvery is how often a worker is rehearsed at most, sideLasts for how long what came of it is kept while nothing moves by more
	// than sideMoves.
	sideEvery = time.Minute
	sideLasts = 5 * time.Minute
	sideMoves = 0.03
	// sideRequests is how many finished requests the lengths must be known by.
	sideRequests = 50
	// engineSeats is what engines take at once where their limit is not configured: vLLM's default of max_num_seqs.
	engineSeats = 256
)

// Why a worker is not rehearsed, besides the reasons of internal/serving.
const (
	withheldNoLengths   = "no_lengths"    // the engine does not tell how long prompts and answers are
	withheldFewRequests = "few_requests"  // too few of them finished
	withheldNoCosts     = "no_step_costs" // what steps cost is not known
)

func newSides(cfg *Config) *sides {
	s := &sides{budget: float64(cfg.MaxNumBatchedTokens), seats: float64(cfg.MaxNumSeqs), why: serving.WithheldWarmUp}
	if s.seats == 0 {
		s.seats = engineSeats
	}
	return s
}

// add takes a window in.
func (s *sides) add(win window.Window, d *division) {
	f := fade(win.Seconds(), sideHorizon)
	for _, in := range []struct {
		to  *window.Value
		key int
	}{
		{&s.ttft, inTTFT}, {&s.tpot, inTPOT}, {&s.itl, inITL}, {&s.prompts, inPromptLength}, {&s.outputs, inOutputLength},
	} {
		fadeValue(in.to, f)
		addLatency(in.to, win.Totals[in.key])
	}
	s.seconds = f*s.seconds + win.Seconds()
	s.computed = f*s.computed + d.tokens
	s.reused = f*s.reused + win.Totals[inReused].Sum
	rise := s.rise(win.Levels[inWaiting])
	s.backlog = f*s.backlog + rise
	came := max(0, win.Totals[inTTFT].Count+rise)
	for i, v := range [3]float64{1, came, came * came} {
		s.arrivals[i] = f*s.arrivals[i] + v
	}
	if c := win.Levels[inKVCapacity]; c.Seen {
		s.capacity = c.Mean
	}
	if d.split.Withheld == "" && !d.seconds && d.steps.Token > 0 && d.steps.Decode > 0 {
		s.costs, s.costError = d.steps, costErrorOf(d.split.Method)
	}
}

// rise is by how much more requests wait than in the window before.
func (s *sides) rise(l window.Level) (by float64) {
	if l.Seen && s.waited {
		by = l.Mean - s.waiting
	}
	s.waiting, s.waited = l.Mean, l.Seen
	return by
}

func fadeValue(v *window.Value, f float64) {
	v.Sum *= f
	v.Count *= f
	for i := range v.Counts {
		v.Counts[i] *= f
	}
}

// costErrorOf is the standard deviation of the relative error of the cost of a phase, by the tier that tells it.
func costErrorOf(method string) float64 {
	switch method {
	case serving.MethodForwardPasses:
		return 0.03
	case serving.MethodRoofline:
		return 0.05
	}
	return 0.08
}

// worker is what is known of the worker, or why that is not enough.
func (s *sides) worker(target objectives.InForce) (w serving.SharedWorker, why string) {
	switch {
	case s.costs == (serving.StepCost{}):
		return w, withheldNoCosts
	case len(s.outputs.Counts) == 0 || len(s.prompts.Counts) == 0 || len(s.tpot.Counts) == 0:
		return w, withheldNoLengths
	case s.outputs.Count < sideRequests || s.prompts.Count < sideRequests:
		return w, withheldFewRequests
	}
	w.Cost = s.costs
	w.Budget, w.Sequences, w.KVTokens = s.budget, s.seats, s.capacity
	w.CostError = s.costError
	w.Limits = serving.Limits{TTFT: target.TTFT.Max.Seconds(), ITL: target.ITL.Max.Seconds()}
	w.Rate = max(s.ttft.Count, s.ttft.Count+s.backlog) / s.seconds
	w.Dispersion = s.dispersion()
	w.Prompt, w.Output = lengthsOf(s.prompts), lengthsOf(s.outputs)
	if sum := s.computed + s.reused; s.reused > 0 && sum > 0 {
		w.Hit = min(0.99, s.reused/sum)
	}
	w.Measured.Requests = s.ttft.Count
	w.Measured.TTFT, w.Measured.TTFTError = below(w.TTFT, s.ttft)
	w.Measured.ITL, w.Measured.ITLError = below(w.ITL, s.tpot)
	if s.itl.Count > 0 {
		w.Measured.MeanITL = s.itl.Sum / s.itl.Count
	}
	return w, ""
}

// below is the share of values up to a limit. Where the limit is inside a bucket the share may be anything between those at its bounds:
// deviation is that of a uniform error.
func below(limit float64, v window.Value) (share, deviation float64) {
	share, width, ok := estimate.ShareBelow(limit, v.Bounds, v.Counts)
	switch {
	case !ok:
		return 1, 0
	case width == 0:
		return share, 0
	}
	i, _ := slices.BinarySearch(v.Bounds, limit)
	var total float64
	for _, c := range v.Counts {
		total += c
	}
	return share, v.Counts[i] / total / math.Sqrt(12)
}

func lengthsOf(v window.Value) serving.Lengths {
	return serving.Lengths{Bounds: v.Bounds, Counts: v.Counts, Mean: v.Sum / v.Count}
}

// dispersion is the variance over the mean of the arrivals of a window.
func (s *sides) dispersion() float64 {
	n, sum, squares := s.arrivals[0], s.arrivals[1], s.arrivals[2]
	if n < 12 || sum <= 0 {
		return 1
	}
	mean := sum / n
	return max(0.3, (squares/n-mean*mean)/mean)
}

// leverage is what more capacity for either phase would bring, or why that is not known. It is found anew when it is time and
// something has moved.
func (s *sides) leverage(now int64, target objectives.InForce) (serving.Leverage, string) {
	age := time.Duration(now - s.rehearsed)
	if s.rehearsed != 0 && age < sideEvery {
		return s.found, s.why
	}
	w, why := s.worker(target)
	if why != "" {
		s.why = why
		return serving.Leverage{}, why
	}
	as := played{w.Rate, w.Prompt.Mean * (1 - w.Hit), w.Output.Mean, w.Cost.Token, w.Measured.TTFT, w.Measured.ITL}
	if s.why == "" && age < sideLasts && !as.moved(s.as) {
		return s.found, ""
	}
	found, ok := w.Leverage()
	s.rehearsed, s.as, s.found, s.why = now, as, found, ""
	if !ok {
		s.why = serving.WithheldBadInput
	}
	return s.found, s.why
}

// moved reports whether anything is not about what it was.
func (p played) moved(before played) bool {
	for _, v := range [][2]float64{{p.rate, before.rate}, {p.prompt, before.prompt}, {p.output, before.output}, {p.token, before.token}} {
		if math.Abs(v[0]-v[1]) > sideMoves*v[1] {
			return true
		}
	}
	return math.Abs(p.ttft-before.ttft) > sideMoves || math.Abs(p.itl-before.itl) > sideMoves
}

// weigh puts the side that rehearsals show in the place of that which the pressures show, where there are rehearsals.
func (s *sides) weigh(b *balance, windows int, now int64, target objectives.InForce) {
	if b.withheld != "" {
		return
	}
	found, why := s.leverage(now, target)
	if b.untold = why; why != "" {
		return
	}
	b.Imbalance, b.method = found.Imbalance(), serving.MethodRehearsedGain
	limit := 0.95
	switch {
	case windows < windowsForMed:
		limit = justBelowMed
	case windows < windowsForHigh || target.TTFTImplied || target.ITLImplied:
		limit = justBelowHigh
	}
	b.Confidence = math.Min(limit, found.Confidence)
}

// forget lets go of what was learnt of the cost of steps.
func (s *sides) forget() {
	s.costs, s.rehearsed, s.why = serving.StepCost{}, 0, withheldNoCosts
}
