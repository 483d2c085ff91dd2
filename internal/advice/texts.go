package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "strings"

const (
	// maxTexts bounds the texts that are kept once, maxKeptText each of them, in bytes: they come from the network.
	maxTexts    = 20_000
	maxKeptText = 128
)

// texts has one copy of the names of metrics and of attributes and their values, which are the same for all workers. It keeps no batch alive.
type texts map[string]string

// one returns a text that may be kept.
func (t texts) one(s string) string {
	if known, ok := t[s]; ok {
		return known
	}
	s = strings.Clone(s)
	if len(t) < maxTexts && len(s) <= maxKeptText {
		t[s] = s
	}
	return s
}

func (t texts) pairs(ps []Pair) []Pair {
	kept := make([]Pair, len(ps))
	for i, p := range ps {
		kept[i] = Pair{t.one(p.Key), t.one(p.Value)}
	}
	return kept
}
