package serving

import "math"

// KVPool is what was seen of a worker's KV pool over a window. Sizes are means, in blocks of BlockSize tokens unless said otherwise.
type KVPool struct {
	Blocks    float64 // of the pool
	BlockSize float64 // tokens
	Held      float64 // held by requests, the three below among them
	Running   float64 // requests that run

	Awaiting float64 // handed out for KV that other workers send
	Drafts   float64 // handed out for tokens that are only proposed
	Pinned   float64 // of prompts whose KV waits to be fetched by others
	Tail     float64 // tokens of room that a running request leaves empty in a last block, see KVTail
	Groups   float64 // last blocks of a request: one in each KV cache group; 0 is one

	// Cached blocks have content that can be found, and nobody holds them. Useful are those of them that will be found.
	Cached, Useful           float64
	CachedKnown, UsefulKnown bool
}

// KVUse divides a pool by use, in tokens of room; the parts add up to it.
type KVUse struct {
	Live         float64 // tokens of running requests, shared ones once
	TailWaste    float64 // the rest of their blocks
	Reserved     float64 // blocks for tokens to come: drafts, KV on its way
	Pinned       float64 // blocks of prompts whose KV waits to be fetched
	CachedUseful float64 // held by nobody, and will be hit
	CachedDead   float64 // held by nobody, and will be evicted
	Unattributed float64 // held by nobody, and it is not known what it is
	Free         float64 // without content
}

// Total is the pool.
func (u KVUse) Total() float64 {
	return u.Live + u.TailWaste + u.Reserved + u.Pinned + u.CachedUseful + u.CachedDead + u.Unattributed + u.Free
}

// Divide divides the pool. It fails where the pool, its blocks or what is held of them are not known or no sizes.
func (p KVPool) Divide() (u KVUse, ok bool) {
	if !(p.Blocks > 0 && p.BlockSize > 0 && p.Held >= 0 && p.Running >= 0) || math.IsInf(p.Blocks*p.BlockSize, 0) {
		return KVUse{}, false
	}
	held := min(p.Held, p.Blocks)
	reserved := min(max(0, p.Awaiting)+max(0, p.Drafts), held)
	pinned := min(max(0, p.Pinned), held-reserved)
	used := (held - reserved - pinned) * p.BlockSize
	u.Reserved, u.Pinned = reserved*p.BlockSize, pinned*p.BlockSize
	u.TailWaste = min(used, p.Running*p.groups()*max(0, p.Tail))
	u.Live = used - u.TailWaste
	rest := p.Blocks - held
	if !p.CachedKnown {
		u.Unattributed = rest * p.BlockSize
		return u, true
	}
	cached := min(max(0, p.Cached), rest)
	u.Free = (rest - cached) * p.BlockSize
	if !p.UsefulKnown {
		u.Unattributed = cached * p.BlockSize
		return u, true
	}
	u.CachedUseful = min(max(0, p.Useful), cached) * p.BlockSize
	u.CachedDead = cached*p.BlockSize - u.CachedUseful
	return u, true
}

// KVTail is the mean number of tokens of room that a running request leaves empty in its last block, of room tokens that it has. Two
// things tell it: lengths are even over a block unless all are alike, so that it is (b-1)/2 give or take b/√12; and it is the room less
// the length. Both are weighed by their variances. Blocks that requests share hide some of the room; that must be part of the deviation
// of the length, which is 0 when the length is not known.
func KVTail(blockSize, room, length, deviation float64) float64 {
	most := max(0, blockSize-1)
	even, variance := most/2, blockSize*blockSize/12
	if !(room > 0 && length > 0 && deviation > 0) {
		return even
	}
	weight := variance / (variance + deviation*deviation)
	return min(max(0, weight*(room-length)+(1-weight)*even), most)
}

// KVTailError is the standard deviation of KVTail in tokens; that of the length is 0 when the length is not known.
func KVTailError(blockSize, deviation float64) float64 {
	even := blockSize / math.Sqrt(12)
	if !(deviation > 0) {
		return even
	}
	return even * deviation / math.Hypot(even, deviation)
}

func (p KVPool) groups() float64 { return max(1, p.Groups) }

// Partial is how many of a running request's blocks in a group are not full, and so without a hash: all but one in b when lengths are even over a
// block of b tokens; all when the empty room shows that they are not.
func (p KVPool) Partial() float64 {
	even := (p.BlockSize - 1) / 2
	if even <= 0 {
		return 0
	}
	return 1 - max(0, 1-math.Abs(p.Tail-even)/even)/p.BlockSize
}

// CachedOf is how many cached blocks nobody holds when so many blocks have content that can be found, held ones among them.
func (p KVPool) CachedOf(resident float64) float64 {
	full := p.Held - p.Awaiting - p.Drafts - p.Running*p.groups()*p.Partial()
	return min(max(0, resident-max(0, full)), max(0, p.Blocks-p.Held))
}

// CachedAfter is how many cached blocks nobody holds after an engine has written so many tokens since it began with an empty pool: as
// many as there is room for once the pool has been filled, since engines take blocks without content first.
func (p KVPool) CachedAfter(written float64) float64 {
	return min(max(0, written/p.BlockSize-p.Held), max(0, p.Blocks-p.Held))
}

// Fragmentation is the share of the pool that serves no tokens, now or later: 1 - (live + cached and useful + free) / pool. Free blocks
// are no loss, whoever has an idle pool wants it that way. Dead blocks are one only while the pool is pressed, that is while blocks are
// evicted, requests wait for blocks or are preempted: otherwise they are as good as free. Unattributed blocks count for half, and known
// is how much of the pool is not of them.
func (u KVUse) Fragmentation(pressed bool) (score, known float64) {
	total := u.Total()
	if total <= 0 {
		return 0, 0
	}
	lost := u.TailWaste + u.Reserved + u.Pinned
	if pressed {
		lost += u.CachedDead + u.Unattributed/2
	}
	known = 1
	if pressed {
		known -= u.Unattributed / total
	}
	return lost / total, known
}
