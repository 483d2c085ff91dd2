package advice

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every rule that a verdict is answered by is one that exists: a rename would otherwise lose its place without a word.
func TestVerdictsAreAnsweredByRulesThatExist(t *testing.T) {
	var known []string
	for _, r := range Rules() {
		known = append(known, r.ID)
	}
	for _, c := range []Code{WorkersDown, TCPFallback, KVStorm, PrefillBound, DecodeBound, Interference, Balanced, Idle, Unknown} {
		for _, id := range answers(c) {
			assert.True(t, slices.Contains(known, id), "%s of %s", id, c)
		}
	}
	assert.Less(t, Rank(TCPFallback, "tcp-fallback"), Rank(TCPFallback, "preemptions"))
	assert.Equal(t, Rank(Balanced, "topology"), Rank(Balanced, "preemptions"), "nothing is wrong: severity alone orders")
}
