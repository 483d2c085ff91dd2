package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"
	"math/rand/v2"
)

// StepCost is what an engine step costs, in seconds. It is a hard maximum of what memory and what computing takes:
//
//	t(p, n, c) = Decode + Sequence n + Context c                                           no prefill
//	           = max(that, Prefill + Token p + MixedSequence n + MixedContext c)           p prefill tokens
type StepCost struct {
	Decode   float64 // a step without prefill
	Sequence float64 // each decoding sequence
	Context  float64 // each token of context that they read; 0 where it is part of Sequence
	Prefill  float64 // a step with prefill
	Token    float64 // each prefill token
	// MixedSequence and MixedContext are what sequences and their context cost in a step with prefill; a MixedSequence of 0 is Sequence.
	MixedSequence, MixedContext float64

	pace pace
}

// pace is by how much the Shapley share of either phase in every step is faster; 0 is 1.
type pace struct{ prefill, decode float64 }

// Seconds is the duration of a step.
func (c StepCost) Seconds(prefill, sequences, context float64) float64 {
	whole := c.whole(prefill, sequences, context)
	if c.pace == (pace{}) {
		return whole
	}
	share := 0.0
	switch {
	case prefill > 0 && sequences > 0:
		g := game{together: whole, prefillAlone: c.whole(prefill, 0, 0), decodeAlone: c.whole(0, sequences, context)}
		share = g.prefill()
	case prefill > 0:
		share = whole
	}
	return share/orOne(c.pace.prefill) + (whole-share)/orOne(c.pace.decode)
}

// whole is the duration of a step at the pace that was fitted.
func (c StepCost) whole(prefill, sequences, context float64) float64 {
	memory := c.Decode + c.Sequence*sequences + c.Context*context
	if prefill <= 0 {
		return memory
	}
	mixed := c.MixedSequence
	if mixed == 0 {
		mixed = c.Sequence
	}
	return max(memory, c.Prefill+c.Token*prefill+mixed*sequences+c.MixedContext*context)
}

func orOne(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}

// Faster is the cost on workers whose phases are that many times as fast, where each phase has workers of its own.
func (c StepCost) Faster(prefill, decode float64) StepCost {
	c.Decode, c.Sequence, c.Context = c.Decode/decode, c.Sequence/decode, c.Context/decode
	c.MixedSequence, c.MixedContext = c.MixedSequence/decode, c.MixedContext/decode
	c.Prefill, c.Token = c.Prefill/prefill, c.Token/prefill
	return c
}

// Paced is the cost where the Shapley share of the phases in every step takes that much less time: what more capacity for one phase
// alone means where phases share steps.
func (c StepCost) Paced(prefill, decode float64) StepCost {
	c.pace = pace{prefill, decode}
	return c
}

// valid reports whether a step costs something, and nothing is negative or not finite.
func (c StepCost) valid() bool {
	for _, v := range []float64{c.Decode, c.Sequence, c.Context, c.Prefill, c.Token, c.MixedSequence, c.MixedContext} {
		if !(v >= 0 && v < 1e6) {
			return false
		}
	}
	return c.Decode+c.Sequence > 0 && c.Prefill+c.Token > 0
}

// Lengths is a distribution of numbers of tokens, read from a histogram.
type Lengths struct {
	Bounds, Counts []float64 // as Buckets
	Mean           float64   // exact; values inside buckets are scaled to it. 0: as the buckets say
}

// Seen reports whether there is anything in it.
func (l Lengths) Seen() bool {
	for _, c := range l.Counts {
		if c > 0 {
			return len(l.Bounds) > 0 && len(l.Counts) == len(l.Bounds)+1
		}
	}
	return false
}

// quantile is the inverse distribution function, uniform inside a bucket; the last bucket is taken to end at twice its bound.
func (l Lengths) quantile(u, total float64) float64 {
	rank := u * total
	for i, c := range l.Counts {
		if c <= 0 || rank > c {
			rank -= max(c, 0)
			continue
		}
		return l.edge(i) + (l.edge(i+1)-l.edge(i))*rank/c
	}
	return l.edge(len(l.Bounds))
}

func (l Lengths) edge(i int) float64 {
	switch {
	case i == 0:
		return 0
	case i <= len(l.Bounds):
		return l.Bounds[i-1]
	}
	return 2 * l.Bounds[len(l.Bounds)-1]
}

// draft is n lengths in random order, before their mean is known.
type draft struct {
	lengths []float64
	sum     float64
}

// draft draws n lengths, one from each of n equally likely parts of the distribution.
func (l Lengths) draft(n int, random *rand.Rand) draft {
	var total float64
	for _, c := range l.Counts {
		total += max(c, 0)
	}
	d := draft{lengths: make([]float64, n)}
	for i, at := range random.Perm(n) {
		d.lengths[at] = l.quantile((float64(i)+0.5)/float64(n), total)
		d.sum += d.lengths[at]
	}
	return d
}

// scale is the factor that gives lengths a mean; 0 leaves them as the buckets say.
func (d draft) scale(mean float64) float64 {
	if mean > 0 && d.sum > 0 {
		return mean * float64(len(d.lengths)) / d.sum
	}
	return 1
}

// length is that of one of them at a scale, whole tokens and at least 1.
func (d draft) length(i int, scale float64) float64 { return max(1, math.Round(d.lengths[i]*scale)) }

// Workload is what a fleet is asked to do.
type Workload struct {
	Rate       float64 // requests/s
	Dispersion float64 // variance over mean of the number of arrivals; 1 is a Poisson process
	Prompt     Lengths
	Output     Lengths
	Hit        float64 // share of prompt tokens that are found in a prefix cache

	draw int // which of the ways it might come is rehearsed; 0 is that of all forecasts' middles
}

// valid reports whether a workload can be rehearsed.
func (w Workload) valid() bool {
	return w.Rate > 0 && w.Rate < 1e6 && w.Prompt.Seen() && w.Output.Seen() && w.Hit >= 0 && w.Hit <= 1
}

// gaps draws n intervals between arrivals, of no rate yet. They are gamma distributed; the variance over the mean of the counts of arrivals is
// the square of their coefficient of variation.
func (w Workload) gaps(n int, random *rand.Rand) []float64 {
	variation := max(0.05, min(w.Dispersion, 400))
	out := make([]float64, n)
	for i := range out {
		out[i] = gamma(1/variation, random)
	}
	return out
}

// gamma draws from the gamma distribution of that shape and scale 1 (Marsaglia and Tsang, 2000).
func gamma(shape float64, random *rand.Rand) float64 {
	boost := 1.0
	if shape < 1 {
		boost = math.Pow(max(random.Float64(), 1e-300), 1/shape)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for range 1000 {
		x := random.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := random.Float64(); math.Log(u) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return boost * d * v
		}
	}
	return boost * d
}
