package kvcache

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestASuspendedIndexHoldsNothingInItsFleet: what it holds counts again when it is resumed.
func TestASuspendedIndexHoldsNothingInItsFleet(t *testing.T) {
	f := NewFleet(1 << 10)
	a, b := NewIndex(testSettings(), true), NewIndex(testSettings(), true)
	for _, x := range []*Index{a, b} {
		x.Join(f)
		x.At(1e9)
		x.Store(Stored{Hashes: []uint64{1, 2, 3}, Tokens: 16})
		x.EndBatch()
	}
	whole := View{Workers: 2, Known: 2, Blocks: 6, Distinct: 3, DuplicateTokens: 48}
	assert.Equal(t, whole, f.View())

	a.Suspend()
	a.Suspend()
	assert.Equal(t, View{Workers: 2, Known: 1, Blocks: 3, Distinct: 3}, f.View())
	assert.False(t, a.State().Known)
	assert.True(t, a.State().Suspended)
	a.Join(nil)
	assert.Equal(t, View{Workers: 1, Known: 1, Blocks: 3, Distinct: 3}, f.View())
	a.Join(f)
	assert.Equal(t, View{Workers: 2, Known: 1, Blocks: 3, Distinct: 3}, f.View())
	b.At(1e9 + 1)
	b.Store(Stored{Hashes: []uint64{4}, Tokens: 16})
	b.EndBatch()
	b.Remove([]uint64{4}, GPU, 0)
	b.EndBatch()

	a.Resume()
	a.Resume()
	assert.Equal(t, whole, f.View())
	assert.True(t, a.State().Known)
	assert.False(t, a.State().Suspended)

	a.Suspend()
	a.Clear()
	assert.Equal(t, View{Workers: 2, Known: 1, Blocks: 3, Distinct: 3}, f.View())
	a.Resume()
	assert.Equal(t, View{Workers: 2, Known: 2, Blocks: 3, Distinct: 3}, f.View())
	a.Suspend()
	a.Gap()
	a.Resume()
	assert.False(t, a.State().Known)
	assert.Equal(t, 1, f.View().Known)
}
