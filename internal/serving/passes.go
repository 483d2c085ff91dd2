package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// Steps is what the engine steps of one composition did in a window, as sums over the steps.
type Steps struct {
	Count          float64
	Time           float64 // s; 0 when only the work is known
	PrefillTokens  float64 // computed
	PrefillContext float64 // KV tokens read for prefill: prefix hits and earlier chunks
	Sequences      float64 // decoding sequences, each once a step
	Context        float64 // KV tokens read for decode
}

// Passes are the engine steps of one window by what they computed: prefill alone, decode alone, both. From forward passes they are
// counted step by step; from an engine's counters (Work.passes) they are estimated.
type Passes struct {
	Prefill, Decode, Mixed Steps
}

// Time is the duration of all steps, s.
func (p Passes) Time() float64 { return p.Prefill.Time + p.Decode.Time + p.Mixed.Time }

// Count is the number of steps.
func (p Passes) Count() float64 { return p.Prefill.Count + p.Decode.Count + p.Mixed.Count }

// Valid reports whether no figure is negative, not finite or absurdly large.
func (p Passes) Valid() bool {
	const absurd = 1e12
	for _, s := range []Steps{p.Prefill, p.Decode, p.Mixed} {
		for _, v := range []float64{s.Count, s.Time, s.PrefillTokens, s.PrefillContext, s.Sequences, s.Context} {
			if !(v >= 0 && v <= absurd) {
				return false
			}
		}
	}
	return true
}

// withPrefill is the number of steps with prefill, and rows their tokens and sequences together.
func (p Passes) withPrefill() float64 { return p.Prefill.Count + p.Mixed.Count }

func (p Passes) rows() float64 {
	return p.Prefill.PrefillTokens + p.Mixed.PrefillTokens + p.Mixed.Sequences
}

// Batch is the mean number of decoding sequences in steps that decode, 0 without any.
func (p Passes) Batch() float64 {
	if n := p.Decode.Count + p.Mixed.Count; n > 0 {
		return (p.Decode.Sequences + p.Mixed.Sequences) / n
	}
	return 0
}

// passes estimates the steps of a window from an engine's counters. Prompts are as long in mixed steps as in others, and a mixed
// step decodes as many sequences as the mean step and reads as much context.
func (w Work) passes(steps PrefillSteps) Passes {
	if w.Steps <= 0 {
		return Passes{}
	}
	all := min(steps.All, w.Steps)
	only := min(steps.Only, all)
	mixed := all - only
	var p Passes
	p.Prefill.Count, p.Mixed.Count, p.Decode.Count = only, mixed, w.Steps-all
	if all > 0 {
		p.Prefill.PrefillTokens = w.PrefillTokens * only / all
		p.Mixed.PrefillTokens = w.PrefillTokens * mixed / all
	}
	p.Mixed.Sequences = math.Min(w.DecodeTokens, mixed*w.batch())
	p.Decode.Sequences = w.DecodeTokens - p.Mixed.Sequences
	p.Mixed.Context, p.Decode.Context = w.Context*p.Mixed.Count, w.Context*p.Decode.Count
	return p
}
