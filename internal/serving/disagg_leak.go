package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "slices"

// Leak is what decode workers compute of prompts.
type Leak struct {
	Tokens   float64 // share of the computed prompt tokens
	Requests float64 // share of the requests whose prompt they compute; below Tokens it counts as that
}

// mark decides which requests leak, by a number from 0 to 1 for each. Where more requests do than tokens, short ones are computed where they are
// decoded: as many are decided by being below a length, and the others by chance, that both shares come out.
func (l Leak) mark(requests []rehearsed, chance []float64) {
	share := min(1, max(l.Requests, l.Tokens))
	if share <= 0 || len(requests) == 0 {
		return
	}
	byLength, below := l.byLength(requests, share)
	for i := range requests {
		r := &requests[i]
		if c := chance[i]; c < byLength {
			r.leaked = r.context < below
		} else {
			r.leaked = c-byLength < share*(1-byLength)
		}
	}
}

// byLength is the share of the requests that are decided by being below a length, and that length, tokens.
func (l Leak) byLength(requests []rehearsed, share float64) (part, below float64) {
	if share <= l.Tokens {
		return 0, 0
	}
	lengths := make([]float64, len(requests))
	for i := range requests {
		lengths[i] = requests[i].context
	}
	slices.Sort(lengths)
	n := int(share * float64(len(lengths)))
	if n == 0 || n == len(lengths) {
		return 0, 0
	}
	var all, short float64
	for i, v := range lengths {
		all += v
		if i < n {
			short += v
		}
	}
	return min(1, (share-l.Tokens)/max(1e-9, share-short/all)), lengths[n]
}
