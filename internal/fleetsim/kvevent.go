package fleetsim

import "time"

// KVEventKind says what happened to blocks of a worker's prefix cache.
type KVEventKind string

// Kinds of events, by the names the engines give them.
const (
	BlockStored      KVEventKind = "BlockStored"
	BlockRemoved     KVEventKind = "BlockRemoved"
	AllBlocksCleared KVEventKind = "AllBlocksCleared"
)

// gpuTier is the medium of blocks in GPU memory, as vLLM names it.
const gpuTier = "GPU"

// KVEvent is one change of a prefix cache. A hit changes nothing and has no event; two blocks with one content are stored twice and
// removed twice.
type KVEvent struct {
	Kind   KVEventKind
	Hashes []uint64 // of the blocks, in the order of the prompt; not for AllBlocksCleared
	Tier   string   // medium; not for AllBlocksCleared

	Group int // KV cache group of the blocks; not for AllBlocksCleared

	// Of BlockStored only.
	Parent    uint64 // hash of the block before the first
	HasParent bool   // false when the first block begins the prompt
	Tokens    []uint32
	BlockSize int    // tokens per block
	SpecKind  string // kind of attention of the group, where there are several; else ""
	Window    int    // of the group, in tokens; 0 for none
	Adapter   int    // LoRA adapter, from 1; 0 is none
	// AdapterName is the name it is served under; "" for none.
	AdapterName string
}

// KVBatch is what one step of one worker changed, in the order of the engine, which publishes it when the step ends.
type KVBatch struct {
	Worker  int
	Process int           // of the worker, from 0: a restart begins the next one with an empty cache and says nothing of the old
	At      time.Duration // end of the step, simulated time
	Events  []KVEvent
}

// kvRecorder collects the events of a step. A nil recorder records nothing.
type kvRecorder struct {
	seed      uint64 // of the worker's hashes
	blockSize int
	window    int // tokens of a sliding window, 0 for none
	events    []KVEvent
	hashes    []uint64 // of all events
}

// publishedHash is the hash under which a worker with the given seed publishes content.
func publishedHash(seed, content uint64) uint64 { return mix(seed^publishedSpace, content) }

// publishedSpace keeps published hashes apart from the identities they are made of.
const publishedSpace = 0x51ab_0000_0000_0000

// stored records that blocks from (inclusive) to (exclusive) of a request became findable.
func (k *kvRecorder) stored(r *request, from, to int) { k.storedIn(0, r, from, to) }

// storedIn is stored for a KV cache group.
func (k *kvRecorder) storedIn(group int, r *request, from, to int) {
	if k == nil || from >= to {
		return
	}
	e := KVEvent{Kind: BlockStored, Tier: gpuTier, Group: group, BlockSize: k.blockSize, HasParent: from > 0}
	if k.window > 0 {
		e.SpecKind = fullAttention
		if group == windowGroup {
			e.SpecKind, e.Window = slidingAttention, k.window
		}
	}
	if from > 0 {
		e.Parent = publishedHash(k.seed, r.blockHash(from-1, k.blockSize))
	}
	e.Adapter, e.AdapterName = r.Adapter, adapterName(r.Adapter)
	first := len(k.hashes)
	for i := from; i < to; i++ {
		k.hashes = append(k.hashes, publishedHash(k.seed, r.blockHash(i, k.blockSize)))
	}
	e.Hashes = k.hashes[first:len(k.hashes):len(k.hashes)]
	e.Tokens = make([]uint32, 0, (to-from)*k.blockSize)
	for p := from * k.blockSize; p < to*k.blockSize; p++ {
		e.Tokens = append(e.Tokens, r.token(p))
	}
	k.events = append(k.events, e)
}

// removed records that a block with this content was evicted.
func (k *kvRecorder) removed(content uint64) { k.removedFrom(0, content) }

// removedFrom is removed for a KV cache group.
func (k *kvRecorder) removedFrom(group int, content uint64) {
	if k == nil {
		return
	}
	k.hashes = append(k.hashes, publishedHash(k.seed, content))
	n := len(k.hashes)
	k.events = append(k.events, KVEvent{Kind: BlockRemoved, Tier: gpuTier, Group: group, Hashes: k.hashes[n-1 : n : n]})
}

// cleared records that the whole cache was dropped.
func (k *kvRecorder) cleared() {
	if k != nil {
		k.events = append(k.events, KVEvent{Kind: AllBlocksCleared})
	}
}

// take hands over what was collected.
func (k *kvRecorder) take() []KVEvent {
	if k == nil {
		return nil
	}
	events := k.events
	k.events, k.hashes = nil, nil
	return events
}

// regularTokens is the number of token ids in use: those of Llama 3 that stand for text.
const regularTokens = 128_000

// token is the id of the token at a position of prompt and answer: a function of the content's identity, so that equal prefixes
// have equal tokens.
func (r *request) token(position int) uint32 {
	content := r.unique
	if position < r.PrefixTokens {
		content = r.PrefixID
	} else if piece := position / max(r.HashTokens, 1); position < r.PromptTokens && piece < len(r.HashIDs) {
		content = r.HashIDs[piece] ^ hashIDSpace
	}
	return uint32(mix(content^tokenSpace, uint64(position)) % regularTokens)
}

// tokenSpace keeps token ids independent of block hashes.
const tokenSpace = 0x70ce_0000_0000_0000
