package kvcache

import "time"

// Settings of an Index. All are needed.
type Settings struct {
	// MemoryLimit is in bytes, at least MinMemory.
	MemoryLimit int
	// Horizon is for how long after its eviction a block that is stored again is regretted, and half of the longest time that a block
	// counts as seen.
	Horizon time.Duration
	// ExactBlocks is up to how many blocks, resident and evicted, stack depths are exact; beyond them SampledBlocks are looked at.
	ExactBlocks, SampledBlocks int
	// MaxDistance is the stack depth in blocks beyond which nobody asks.
	MaxDistance int
	// Seed is mixed into every hash, so that an engine which chooses its hashes cannot choose their places in the tables too. Workers of a
	// Fleet have the same.
	Seed uint64
}

// MinMemory is the least memory limit of an Index in bytes.
const MinMemory = 15 << 16

const (
	// maxRun bounds the blocks that are stored together, maxChain those that one store touches.
	maxRun   = 1 << 13
	maxChain = 1 << 16
	// seenShare of the memory limit goes to the filter of blocks seen.
	seenShare = 16
	// maxCopies of a block are counted.
	maxCopies = 1<<8 - 1
	// maxLevel bounds the sampling rate: 2^-16.
	maxLevel = 16
)

// maxSlots is how many slots fit into so many bytes, with their table, filled to four fifths, and four places each in the recency
// list.
func maxSlots(bytes int) uint32 {
	bytes -= bytes/seenShare + 2*8*maxRun + 4*(maxRun+maxChain) + 8*maxMarks
	best := 0
	for entries := minTable; 8*entries < bytes && entries < 1<<31; entries *= 2 {
		best = max(best, min((bytes-8*entries)/33, entries*4/5-1))
	}
	return uint32(max(best, slabSize))
}
