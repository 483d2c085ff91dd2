package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

const (
	// nearErrors is how many standard deviations of its own error an input may have moved: the 80 % interval, as that of a forecast is, of the
	// difference of two estimates. nearMost bounds it where an input is hardly known.
	nearErrors = 1.28 * math.Sqrt2
	nearMost   = 0.1
	// nearMoves is how much a transfer's time may have changed, relative, and nearShare how much a share of tokens, requests or transfers.
	nearMoves = 0.1
	nearShare = 0.01
	// nearBatch stands for the usual batch of a decode step where that is not known.
	nearBatch = 32
)

// Kept is a copy of the situation that stays as it is, for Near.
func (s *Situation) Kept() *Situation {
	kept := *s
	kept.stage = nil
	kept.Prompt, kept.Output = s.Prompt.copied(), s.Output.copied()
	return &kept
}

// Near reports whether a situation is that of before within what its inputs are known by, so that a rehearsal of one is one of the other: the
// same deployment and limits; the costs of steps within their spread (which is the model's error more than chance); rate, lengths, dispersion
// and hit ratio within nearErrors of theirs; transfers and leak within a few per cent.
func (s *Situation) Near(before *Situation) bool {
	return s.Current == before.Current && s.Limits == before.Limits && s.Budget == before.Budget && s.Sequences == before.Sequences &&
		s.KVTokens == before.KVTokens && s.nearCosts(before) && s.nearWorkload(before) && s.nearMoves(before)
}

func (s *Situation) nearCosts(before *Situation) bool {
	batch, prompt := before.Spreads.DecodeBatch, before.Prompt.Mean
	if !(batch > 0) {
		batch = nearBatch
	}
	decode := func(of *Situation) float64 { return of.Cost.Seconds(0, batch, batch*prompt) }
	slope := func(of *Situation) float64 { return of.Cost.Sequence * batch / decode(before) }
	prefill := func(of *Situation, sequences float64) float64 {
		return of.Cost.Seconds(prompt, sequences, sequences*prompt)
	}
	return within(decode(s), decode(before), before.Spreads.Decode) &&
		math.Abs(slope(s)-slope(before)) <= max(before.Spreads.Decode, before.Spreads.DecodeSlope) &&
		within(prefill(s, 0), prefill(before, 0), before.Spreads.Prefill) && within(prefill(s, batch), prefill(before, batch), before.Spreads.Prefill)
}

func (s *Situation) nearWorkload(before *Situation) bool {
	b := &before.Spreads
	return near(s.Rate, before.Rate, b.Rate) && near(s.Prompt.Mean, before.Prompt.Mean, b.Prompt) && near(s.Output.Mean, before.Output.Mean, b.Output) &&
		within(s.Dispersion, before.Dispersion, nearErrors*b.Dispersion) && near(1-s.Hit, 1-before.Hit, b.Prompt) &&
		s.Prompt.near(before.Prompt) && s.Output.near(before.Output)
}

func (s *Situation) nearMoves(before *Situation) bool {
	share := func(now, then float64) bool { return math.Abs(now-then) <= nearShare }
	tokens := before.Prompt.Mean
	return share(s.Leak.Tokens, before.Leak.Tokens) && share(s.Leak.Requests, before.Leak.Requests) && share(s.Moves.SlowShare, before.Moves.SlowShare) &&
		within(s.Moves.seconds(tokens, false), before.Moves.seconds(tokens, false), nearMoves) &&
		(before.Moves.SlowShare <= nearShare || within(s.Moves.seconds(tokens, true), before.Moves.seconds(tokens, true), nearMoves))
}

// near reports whether an input with that relative error moved by no more than chance moves it.
func near(now, before, spread float64) bool {
	return within(now, before, min(nearMost, nearErrors*spread))
}

func within(now, before, share float64) bool { return math.Abs(now-before) <= share*math.Abs(before) }

// near reports whether two distributions differ by no more than samples of one do: the largest distance between them, by Kolmogorov's bound for
// two samples as large as the smaller one.
func (l Lengths) near(o Lengths) bool {
	if len(l.Counts) != len(o.Counts) {
		return false
	}
	var n, m, sum, other, distance float64
	for i := range l.Counts {
		n, m = n+max(0, l.Counts[i]), m+max(0, o.Counts[i])
	}
	if !(n > 0 && m > 0) {
		return false
	}
	for i, c := range l.Counts {
		if i < len(l.Bounds) && l.Bounds[i] != o.Bounds[i] {
			return false
		}
		sum, other = sum+max(0, c)/n, other+max(0, o.Counts[i])/m
		distance = max(distance, math.Abs(sum-other))
	}
	return distance <= min(nearMost, kolmogorov*math.Sqrt(2/min(n, m)))
}

// kolmogorov is the 80 % quantile of Kolmogorov's distribution.
const kolmogorov = 1.07
