package serving

import "math"

// Errors of mean lengths: of forward passes, which are averaged over steps and held against looks at the pool, and of counters, which
// speak of requests that are over.
const (
	passLengthError    = 0.03
	counterLengthError = 0.1
)

// LengthFromPasses is the mean length of a running request, from the context and the sequences of decodes summed over steps, and its
// standard deviation, in tokens. shared is how many tokens of a request others may hold too.
func LengthFromPasses(context, sequences, shared float64) (length, deviation float64) {
	if !(sequences > 0) {
		return 0, 0
	}
	length = context / sequences
	return length, math.Hypot(passLengthError*length, shared)
}

// LengthFromCounters is the same from the means of prompts and outputs of finished requests. A running request has all of its prompt and,
// if outputs are about as long as their mean, half of its output.
func LengthFromCounters(prompt, output, shared float64) (length, deviation float64) {
	if !(prompt > 0) {
		return 0, 0
	}
	length = prompt + max(0, output)/2
	return length, math.Hypot(counterLengthError*prompt+max(0, output)/4, shared)
}
