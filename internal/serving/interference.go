package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

// Interference is what co-scheduled prefill cost the decoding requests of a window. Fields add up over windows, so that ratios can
// be taken over any time.
type Interference struct {
	Delay   float64 // waiting of decodes that prefill caused: sum over mixed steps of (t - t without prefill) x sequences, s
	Wait    float64 // all waiting of decodes for their next token: sum over steps of t x sequences, s
	Longer  float64 // by how much prefill lengthened the steps, s
	Tokens  float64 // prefill tokens in those steps
	Decoded float64 // tokens decoded
	Stalls  float64 // mixed steps longer than three times what they would have taken without prefill
}

// stallFactor is how many times its prefill-free duration a step must last to count as a stall.
const stallFactor = 3

// Add adds another window's.
func (i *Interference) Add(o Interference) {
	i.Delay += o.Delay
	i.Wait += o.Wait
	i.Longer += o.Longer
	i.Tokens += o.Tokens
	i.Decoded += o.Decoded
	i.Stalls += o.Stalls
}

// Fade multiplies everything by f, so that the past counts less.
func (i *Interference) Fade(f float64) {
	*i = Interference{f * i.Delay, f * i.Wait, f * i.Longer, f * i.Tokens, f * i.Decoded, f * i.Stalls}
}

// Lost is the share of the waiting that prefill caused, 0 when nobody waited.
func (i Interference) Lost() float64 {
	if i.Wait <= 0 {
		return 0
	}
	return min(1, i.Delay/i.Wait)
}

// PerPrefillToken is the inter-token latency that one co-scheduled prefill token adds, s; ok is false without such tokens.
func (i Interference) PerPrefillToken() (s float64, ok bool) {
	if i.Tokens <= 0 {
		return 0, false
	}
	return i.Longer / i.Tokens, true
}

// WithoutPrefill is the mean inter-token latency that would be without prefill, s; ok is false when nothing was decoded.
func (i Interference) WithoutPrefill() (s float64, ok bool) {
	if i.Decoded <= 0 {
		return 0, false
	}
	return max(0, i.Wait-i.Delay) / i.Decoded, true
}

// Interference reads the window's from its steps and the counterfactual of the mixed ones. durations are those of the mixed steps
// in seconds; itlSum is the sum of the inter-token latencies in seconds, 0 when not known. Within the mixed steps, duration and
// batch are taken as uncorrelated.
func (s PassSplit) Interference(p Passes, durations Buckets, itlSum float64) Interference {
	out := Interference{Wait: itlSum, Decoded: p.Decode.Sequences + p.Mixed.Sequences}
	if out.Wait <= 0 {
		for _, c := range []Steps{p.Decode, p.Mixed} {
			if c.Count > 0 {
				out.Wait += c.Time * c.Sequences / c.Count
			}
		}
	}
	m := p.Mixed
	if m.Count <= 0 {
		return out
	}
	out.Longer = max(0, m.Time-s.MixedDecodeAlone)
	out.Delay = min(out.Wait, out.Longer*m.Sequences/m.Count)
	out.Tokens = m.PrefillTokens
	if below, _, ok := estimate.ShareBelow(stallFactor*s.MixedDecodeAlone/m.Count, durations.Bounds, durations.Counts); ok {
		out.Stalls = m.Count * (1 - below)
	}
	return out
}

// Interference is the same from step counts, where stalls cannot be seen.
func (s StepSplit) Interference(w Work) Interference {
	return Interference{
		Delay: min(w.ITLSum, s.Delay*w.batch()), Wait: w.ITLSum, Longer: s.Delay,
		Tokens: s.Passes.Mixed.PrefillTokens, Decoded: w.DecodeTokens,
	}
}
