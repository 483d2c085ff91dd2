// Package serving holds what the estimators know of LLM serving: what an engine's counters say of its steps, and how step time
// divides between prefill and decode. It takes and returns plain values, so that the mathematics can be read and checked
// without knowing the collector. Formulas, assumptions and measured errors: docs/estimators.md.
package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// Buckets is a histogram of real counts: Counts has one entry more than Bounds, the finite upper bounds.
type Buckets struct {
	Bounds []float64
	Counts []float64
}

// Work is what one worker did in one window, from its engine's counters alone.
type Work struct {
	Elapsed       float64 // window length, s
	Steps         float64 // engine steps that produced a token
	PrefillTokens float64 // computed prompt tokens, credited when a request's first token appears
	FirstTokens   float64 // requests that got their first token
	DecodeTokens  float64 // tokens after the first: one per running request and step
	ITLSum        float64 // sum of the inter-token latencies of DecodeTokens, s
	StepTokens    Buckets // tokens credited per step
	PrefillTime   float64 // sum over the requests finished in the window of schedule to first token, s
	Finished      float64 // those requests
	Running       Running // requests in the running batch at the scrapes around the window
	Context       float64 // tokens in the KV cache of running requests, mean; 0 when not known
	// Read is how many tokens of context decoding read, summed over the steps, and Each how many a sequence has in the long run (Batch.Read,
	// Stays.Context); 0 where they are not known.
	Read, Each float64
}

// Running is the running-requests gauge around a window.
type Running struct {
	Seen bool
	Min  float64
}

// batch is the mean number of decoding requests per step.
func (w Work) batch() float64 { return w.DecodeTokens / w.Steps }

// saturationTolerance is how far the busy time read off latencies may lie below the elapsed time before a worker that always
// has requests is believed to pause. The reading scatters by a few per cent because step time and batch size are correlated
// within a window; a worker with requests in its batch does not pause (continuous batching).
const saturationTolerance = 0.1

// Busy is the time in which the worker ran steps, in seconds.
//
// Each decoding request sees every step once, so the inter-token latencies add up to sum(t_s * n_s) over steps s of duration
// t_s and batch n_s; divided by the batch averaged over steps, DecodeTokens/Steps, that is sum(t_s) when t and n are
// uncorrelated within the window. The step average counts busy time only. A batch averaged over time would include idle time,
// and by Little's law the quotient would then be the elapsed time whatever the load.
//
// A request that is prefilled while nobody decodes leaves no inter-token latency; its step is taken out of the count and its time
// is the mean time from schedule to first token, prefillTime. Such requests are aloneShare of all.
//
// Where requests were running at every look and the reading is within tolerance of the elapsed time, the worker was busy
// throughout, and the exact figure is the elapsed time.
//
// ok is false when no request decoded: a batch cannot be told from these counters then.
func (w Work) Busy(prefillTime float64) (s float64, ok bool) {
	if w.Steps <= 0 {
		if w.Running.Seen && w.Running.Min == 0 {
			return 0, true
		}
		return 0, false
	}
	if w.DecodeTokens <= 0 || w.ITLSum <= 0 {
		return 0, false
	}
	alone := 0.0
	if prefillTime > 0 {
		alone = min(w.FirstTokens*w.aloneShare(), w.Steps/2)
	}
	s = w.ITLSum*(w.Steps-alone)/w.DecodeTokens + alone*prefillTime
	if w.Running.Seen && w.Running.Min > 0 && s >= (1-saturationTolerance)*w.Elapsed {
		return w.Elapsed, true
	}
	return min(s, w.Elapsed), true
}

// aloneShare is the share of requests whose prefill finds no decoding request. Arrivals find none with probability exp(-L), L the
// mean number of them (Poisson arrivals see time averages, and the batch of a lightly loaded worker is Poisson); by Little's law
// L = ITLSum / Elapsed.
func (w Work) aloneShare() float64 { return math.Exp(-w.ITLSum / w.Elapsed) }

// PrefillSteps is a count of the steps that carried prefill tokens.
type PrefillSteps struct {
	All    float64 // best estimate
	Spread float64 // half the distance between the two ways of counting: the uncertainty
	Only   float64 // of All, those without a decoding request
}

// CountPrefillSteps counts the steps that carried prefill, in the two ways that counters allow, and takes their mean: each is
// biased, in opposite directions.
//
//   - Credited steps. An engine credits a prompt to the step that produces its first token, so steps with clearly more tokens
//     than the batch decodes are steps that completed a prompt. Earlier chunks of a long prompt are missed: too few.
//   - Chunks. Every prompt takes ceil(tokens / room) steps, where room is the token budget less the decoding requests. Prompts
//     that share a step are counted twice: too many.
//
// chunksPerPrompt is the mean of ceil(tokens/room) over prompts (ChunksPerPrompt), 0 when unknown.
func CountPrefillSteps(w Work, chunksPerPrompt, budget float64) PrefillSteps {
	if w.FirstTokens <= 0 || w.Steps <= 0 {
		return PrefillSteps{}
	}
	credited := min(stepsAbove(w.StepTokens, 1.15*w.batch()), w.FirstTokens)
	chunks := credited
	if chunksPerPrompt > 0 {
		chunks = w.FirstTokens * chunksPerPrompt
	}
	p := PrefillSteps{All: (credited + chunks) / 2, Spread: math.Abs(chunks-credited) / 2}
	if room := budget - w.batch(); room > 0 {
		p.All = max(p.All, w.PrefillTokens/room) // no step carries more than the budget
	}
	p.Only = p.All * w.aloneShare()
	return p
}

// stepsAbove counts the steps in buckets that lie wholly above the smallest bound >= floor.
func stepsAbove(b Buckets, floor float64) float64 {
	var n float64
	for i, c := range b.Counts {
		if i > 0 && b.Bounds[i-1] >= floor {
			n += c
		}
	}
	return n
}

// ChunksPerPrompt is the mean number of steps that a prompt needs when each may take room tokens, from the histogram of
// computed prompt tokens. Inside a bucket lengths are taken as uniform; above the last bound as that bound. 0 when the
// histogram is empty or room is not positive.
func ChunksPerPrompt(lengths Buckets, room float64) float64 {
	if room <= 0 {
		return 0
	}
	var n, sum, lo float64
	for i, c := range lengths.Counts {
		hi := lo
		if i < len(lengths.Bounds) {
			hi = lengths.Bounds[i]
		}
		n += c
		sum += c * meanCeil(lo/room, hi/room)
		lo = hi
	}
	if n <= 0 {
		return 0
	}
	return sum / n
}

// MeanAttended is how many tokens a prompt token attends to on average: half the prompt's length, each prompt weighing as much as it is
// long. mean is the length to take when the histogram is empty.
func MeanAttended(lengths Buckets, mean float64) float64 {
	var tokens, squares, lo float64
	for i, c := range lengths.Counts {
		hi := lo
		if i < len(lengths.Bounds) {
			hi = lengths.Bounds[i]
		}
		tokens += c * (lo + hi) / 2
		squares += c * (lo*lo + lo*hi + hi*hi) / 3
		lo = hi
	}
	if tokens <= 0 {
		return mean / 2
	}
	return squares / tokens / 2
}

// meanCeil is the mean of max(1, ceil(x)) for x uniform on (lo, hi].
func meanCeil(lo, hi float64) float64 {
	if hi-lo < 1e-9 {
		return max(1, math.Ceil(hi))
	}
	// integral of ceil over (0, x] is k(k+1)/2 + (x-k)(k+1) for k = floor(x)
	integral := func(x float64) float64 {
		k := math.Floor(x)
		return k*(k+1)/2 + (x-k)*(k+1)
	}
	return max(1, (integral(hi)-integral(lo))/(hi-lo))
}
