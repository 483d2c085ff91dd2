package serving

import "math"

// KVGroup is a KV cache group of a model whose layers differ: layers of one kind, whose blocks hold the same tokens as those of the other
// groups. The blocks of all groups are of one size in bytes and come from one pool.
type KVGroup struct {
	BlockSize float64 // tokens
	Window    float64 // tokens that attention reaches back; 0 is all of them
	Within    float64 // mean tokens of a running request that the window reaches, see MeanWithin; 0 follows from the mean length
	State     bool    // it keeps one block for the state of a sequence, which is full at any length
	Resident  float64 // blocks with content, held or not
}

// footprint is how many blocks a sequence holds of so many tokens, of which tail tokens of room are empty in its last one.
func (g KVGroup) footprint(length, tail float64) float64 {
	switch {
	case g.State:
		return 1
	case g.Window > 0 && g.Within > 0:
		length = min(length, g.Within)
	case g.Window > 0:
		length = min(length, g.Reach())
	}
	return (length + tail) / g.BlockSize
}

// Reach is how many tokens of a long sequence the blocks of a window hold: it begins anywhere in its first block.
func (g KVGroup) Reach() float64 { return g.Window - 1 + (g.BlockSize-1)/2 }

// MeanWithin is the mean of min(length, most) over a histogram of lengths, to each of which more is added; all lengths in a bucket are
// equally likely. It is 0 for an empty histogram. Short sequences do not fill a window that a sequence of the mean length does.
func MeanWithin(bounds, counts []float64, more, most float64) float64 {
	n, sum, low := 0.0, 0.0, 0.0
	for i, c := range counts {
		high := math.Inf(1)
		if i < len(bounds) {
			high = bounds[i]
		}
		if c > 0 {
			n += c
			sum += c * meanBelow(low+more, high+more, most)
		}
		low = high
	}
	if n <= 0 {
		return 0
	}
	return sum / n
}

// meanBelow is the mean of min(x, most) for x even between low and high.
func meanBelow(low, high, most float64) float64 {
	switch {
	case low >= most || math.IsInf(high, 1):
		return min(low, most)
	case high <= most:
		return (low + high) / 2
	}
	return ((low+most)/2*(most-low) + most*(high-most)) / (high - low)
}

// KVFootprint is how many blocks of all groups a prompt of so many tokens takes.
func KVFootprint(groups []KVGroup, tokens float64) float64 {
	n := 0.0
	for _, g := range groups {
		n += math.Ceil(g.footprint(tokens, 0))
	}
	return n
}

// KVHeld tells how many of the blocks that requests hold are of each group. What a window or a state takes follows from the number of
// requests and their length; groups that keep everything have the rest, in equal parts: what requests share there nobody needs to know.
// tail is the mean room that a request leaves empty in its last block. Without a length a window is taken to be full.
func KVHeld(groups []KVGroup, held, running, length, tail float64) []float64 {
	out := make([]float64, len(groups))
	bounded, whole := 0.0, 0.0
	if length <= 0 {
		length = math.MaxFloat64
	}
	for i, g := range groups {
		if g.Window <= 0 && !g.State {
			whole++
			continue
		}
		out[i] = running * g.footprint(length, tail)
		bounded += out[i]
	}
	scale := 1.0
	if bounded > 0 && (bounded > held || whole == 0) {
		scale = held / bounded
	}
	for i, g := range groups {
		if g.Window <= 0 && !g.State {
			out[i] = (held - scale*bounded) / whole
		} else {
			out[i] *= scale
		}
	}
	return out
}

// KVGroupUse divides the blocks of a group: held ones by tokens and the rest of last blocks, and cached ones, which nobody holds.
type KVGroupUse struct{ Live, TailWaste, Cached float64 }

// Use divides a group of which so many blocks are held by running requests that leave tail tokens of room empty each; partial is how many
// of a request's blocks are not full.
func (g KVGroup) Use(held, running, tail, partial float64) (u KVGroupUse) {
	if g.State {
		tail, partial = 0, 0
	}
	u.TailWaste = min(held, running*tail/g.BlockSize)
	u.Live = held - u.TailWaste
	u.Cached = max(0, g.Resident-max(0, held-running*partial))
	return u
}
