package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math/rand/v2"
	"slices"
)

// Leak is what decode workers compute of prompts.
type Leak struct {
	Tokens   float64 // share of the computed prompt tokens
	Requests float64 // share of the requests whose prompt they compute; below Tokens it counts as that
}

// among tells which of these prompts leak. Where more requests do than tokens, short ones are computed where they are decoded: as many of them
// are drawn below a length, and the others at random, that both shares come out. The function is to be called once for each prompt.
func (l Leak) among(prompts []float64, random *rand.Rand) func(prompt float64) bool {
	requests := min(1, max(l.Requests, l.Tokens))
	sorted := slices.Clone(prompts)
	slices.Sort(sorted)
	n := int(requests * float64(len(sorted)))
	var all, short float64
	for i, p := range sorted {
		all += p
		if i < n {
			short += p
		}
	}
	byLength, below := 0.0, 0.0
	if n > 0 && n < len(sorted) && all > 0 {
		below = sorted[n]
		byLength = min(1, max(0, (requests-l.Tokens)/max(1e-9, requests-short/all)))
	}
	return func(prompt float64) bool {
		chance := random.Float64()
		if random.Float64() < byLength {
			return prompt < below
		}
		return chance < requests
	}
}
