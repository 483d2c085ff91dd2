package kvcache

// growth is what a run is to the sequence above it.
type growth int

const (
	request growth = iota // a request that found the sequence in the cache
	chunk                 // the next chunk of the prompt that was being computed
	output                // tokens generated at its end
)

// Hits emit no event: a run below a sequence shows that somebody found it. But the engine also stores blocks below a sequence while
// it computes that very request. Such a run starts at a block that nothing was stored below yet, soon after it: a block of output
// takes Tokens steps, and a chunk of a prompt one.
//
// SGLang stores output when the request ends (cache_finished_req in sglang/srt/mem_cache/radix_cache.py), in as many blocks as there are
// and after any time. There, the first run below a prompt is its output, and one below output is the next request. SGLang is known by
// its events of one block each (before 0.5.23), else by their form.
const (
	outputBlocks    = 2   // an output run has at most so many (more than 1 with speculative decoding)
	secondsPerToken = 0.3 // of a slow decode
	leastPause      = 1.0 // seconds
	mostOutputPause = 30.0
)

func (x *Index) growth(parent uint32) growth {
	p := x.slots.at(parent)
	if p.flags&flagChild != 0 {
		return request
	}
	pause := seconds(x.tick - p.at)
	if x.outputAtEnd {
		switch {
		case pause <= leastPause:
			return chunk
		case p.flags&flagOutput == 0:
			return output
		}
		return request
	}
	if len(x.run.hashes) <= outputBlocks && pause <= min(max(leastPause, secondsPerToken*float64(x.run.first.Tokens)), mostOutputPause) {
		return output
	}
	if pause <= leastPause {
		return chunk
	}
	return request
}
