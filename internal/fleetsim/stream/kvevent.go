package stream

import "encoding/binary"

// KVKind is the kind of a KV cache event.
type KVKind int

// The kinds.
const (
	BlockStored KVKind = iota
	BlockRemoved
	AllBlocksCleared
)

func (k KVKind) String() string {
	switch k {
	case BlockStored:
		return "BlockStored"
	case BlockRemoved:
		return "BlockRemoved"
	}
	return "AllBlocksCleared"
}

// KVBatch is what one engine step did to its KV cache.
type KVBatch struct {
	// Time is Unix time in seconds.
	Time   float64
	Events []KVEvent
	// Rank is the data-parallel rank; nil sends null, and a publisher then writes its own.
	Rank *int
}

// KVEvent is one change of the cache. Hashes, and for BlockStored Tokens and BlockSize, are what every revision carries; the rest
// is sent by the dialects and revisions that have it.
type KVEvent struct {
	Kind KVKind
	// Hashes are the low 64 bits of the digests of the blocks, in the order of the sequence.
	Hashes []uint64
	// Parent is the hash of the block before the first; nil at the start of a sequence.
	Parent *uint64
	// Tokens are the token ids of all the blocks, BlockSize of them each.
	Tokens    []uint32
	BlockSize int
	// LoRA is the adapter the blocks belong to; nil without.
	LoRA *LoRA
	// Medium is where the blocks lie: GPU, CPU or STORAGE in vLLM, GPU, CPU_PINNED, DISK or EXTERNAL in SGLang, GPU, CPU or DISK in
	// TensorRT-LLM. "" sends null.
	Medium string
	// Extra are the keys that entered each block's hash besides its tokens, one list a block, nil for none.
	Extra [][]ExtraKey
	// Group is the index of the KV cache group; nil without.
	Group *int
	// SpecKind is the kind of attention of the group, such as "full_attention"; Window its sliding window in tokens.
	SpecKind string
	Window   int
	// Locality is LOCAL or REMOTE, Ownership the offloading tier, Session the session that stored the blocks (vLLM).
	Locality, Ownership, Session string
	// CacheSalt is the salt of the request that stored the blocks (SGLang).
	CacheSalt string
}

// LoRA is an adapter.
type LoRA struct {
	ID   int64
	Name string
}

// ExtraKey is an adapter's name or a cache salt, or a multimodal item with its offset in the block.
type ExtraKey struct {
	Value  string
	Offset *int
}

// Digest is a 32-byte block hash whose last 8 bytes are hash, big-endian, as vLLM derives its integer hashes from SHA-256. The
// other bytes are a fixed function of hash and have no meaning.
func Digest(hash uint64) [32]byte {
	var d [32]byte
	x := hash
	for i := 0; i < 24; i += 8 {
		// SplitMix64 (Steele, Lea, Flood 2014).
		x += 0x9e3779b97f4a7c15
		z := x
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.BigEndian.PutUint64(d[i:], z^z>>31)
	}
	binary.BigEndian.PutUint64(d[24:], hash)
	return d
}
