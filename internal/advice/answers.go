package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "slices"

// answers lists the rules whose advice acts on what a verdict names, those first that cost a setting, then those that move or add capacity.
func answers(c Code) []string {
	switch c {
	case TCPFallback:
		return []string{"tcp-fallback"}
	case KVStorm:
		return []string{"kv-prefix-routing", "kv-larger-cache"}
	case PrefillBound:
		return []string{"kv-prefix-caching", "kv-prefix-routing", "uneven-load", "topology", "prefill-bound"}
	case DecodeBound:
		return []string{
			"kv-max-length", "kv-paging", "kv-block-size", "kv-dead-cache", "kv-lease", "kv-memory-share", "uneven-load", "preemptions", "topology", "decode-bound",
		}
	case Interference:
		return []string{"interference", "decode-stalls", "disaggregate"}
	}
	return nil
}

const unrelated = 100 // after every answer to any verdict

// Rank orders advice below a verdict: 0 for what answers it best, and so on; what does not act on it comes after all that does.
func Rank(verdict Code, rule string) int {
	if i := slices.Index(answers(verdict), rule); i >= 0 {
		return i
	}
	return unrelated
}
