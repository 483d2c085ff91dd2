package kvcache

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unmix is the inverse of mix: it makes hashes for wanted places.
func unmix(h uint64) uint64 {
	h ^= h>>31 ^ h>>62
	h *= 0x319642b2d24d8ec3
	h ^= h>>27 ^ h>>54
	h *= 0x96de1b173f119089
	return h ^ h>>30 ^ h>>60
}

// crowd is the longest row of entries without a gap, which is how far a look goes at most.
func crowd(t *table) (longest int) {
	row := 0
	for _, e := range t.entries {
		if row++; e == 0 {
			row = 0
		}
		longest = max(longest, row)
	}
	return longest
}

// An engine may choose the hashes of its blocks. That all of them want one place helps nobody who does not know the seed.
func TestHashesThatWantOnePlace(t *testing.T) {
	require.Equal(t, uint64(12345), unmix(mix(12345)))
	const blocks = 2048
	store := func(seed uint64) *Index {
		x := NewIndex(Settings{MemoryLimit: MinMemory, Seed: seed}, true)
		x.At(1)
		for i := range uint64(blocks) {
			x.Store(Stored{Hashes: []uint64{unmix(i)}, Tier: GPU, Tokens: 16}) // the same upper half, of which the place is made
		}
		x.EndBatch()
		return x
	}
	assert.GreaterOrEqual(t, crowd(&store(0).table), blocks, "without a seed they crowd: the test would tell")
	assert.Less(t, crowd(&store(0x5851f42d4c957f2d).table), blocks/8)
}
