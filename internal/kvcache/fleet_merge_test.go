package kvcache

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestHalvesOfAFleet: copies of blocks, and all that an index counts, add up over receivers that hear one half of the workers each.
// Different blocks do not: what workers of both halves hold is counted in both, so that the halves together tell at most the duplicates that
// there are, and a miss that another worker could have served is one of routing only for the receiver that hears both.
func TestHalvesOfAFleet(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	whole := NewFleet(1 << 20)
	halves := [2]*Fleet{NewFleet(1 << 20), NewFleet(1 << 20)}
	var all, apart [4]*Index
	for i := range all {
		all[i], apart[i] = NewIndex(testSettings(), true), NewIndex(testSettings(), true)
		all[i].Join(whole)
		apart[i].Join(halves[i/2])
	}
	for n := range 3000 {
		i, hash := rng.IntN(4), 1+uint64(rng.IntN(500))
		for _, x := range []*Index{all[i], apart[i]} {
			x.At(1000 + float64(n))
			if hash%3 == 0 {
				x.Remove([]uint64{hash}, GPU, 0)
			}
			x.Store(Stored{Hashes: []uint64{hash}, Tokens: 16})
			x.EndBatch()
		}
	}
	var routed, routedApart uint64
	for i := range all {
		a, b := all[i].Totals(), apart[i].Totals()
		routed += a.RoutedTokens[Compulsory]
		routedApart += b.RoutedTokens[Compulsory]
		a.HeldTokens, a.HolderTokens, b.HeldTokens, b.HolderTokens = 0, 0, 0, 0
		a.RoutedTokens, b.RoutedTokens = [Causes]uint64{}, [Causes]uint64{}
		assert.Equal(t, a, b, "what a worker counts is its own")
	}
	v, left, right := whole.View(), halves[0].View(), halves[1].View()
	assert.Equal(t, v.Blocks, left.Blocks+right.Blocks)
	assert.Less(t, v.Distinct, left.Distinct+right.Distinct)
	assert.Greater(t, v.DuplicateTokens, left.DuplicateTokens+right.DuplicateTokens)
	assert.Greater(t, routed, routedApart)
	assert.Positive(t, routedApart)
}
