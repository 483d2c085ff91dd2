package serving

import "math"

// lengthError is the relative error of a mean length that is held against looks at the pool at other moments.
const lengthError = 0.03

// LengthFromPasses is the mean length of a running request, from the context and the sequences of decodes summed over steps, and the
// prompts computed meanwhile; and its standard deviation, in tokens. In a step, a decode adds a token to its context, and a prompt is
// there as a whole. shared is how many tokens of a request others may hold too.
func LengthFromPasses(context, sequences, promptTokens, prompts, shared float64) (length, deviation float64) {
	if !(sequences+prompts > 0) {
		return 0, 0
	}
	length = (context + sequences + promptTokens) / (sequences + prompts)
	return length, math.Hypot(lengthError*length, shared)
}

// LengthFromCounters is the same from the means of prompts and outputs. A running request has all of its prompt and, if outputs are about
// as long as their mean, half of its output but for the last token, which is never computed.
func LengthFromCounters(prompt, output, shared float64) (length, deviation float64) {
	if !(prompt > 0) {
		return 0, 0
	}
	computed := max(0, output-1)
	return prompt + computed/2, math.Hypot(lengthError*prompt+computed/4, shared)
}
