package fleetsim

import "fmt"

// A model of which half of the layers attend to a sliding window has two KV cache groups: each token takes a slot in a page of either, and
// the pages come from one pool. Both are as large, for half of the layers. The group of the window lets go of pages that no further token
// needs; they stay cached, like any other, until their room is wanted (as vLLM does, vllm/v1/core/single_type_kv_cache_manager.py). A
// request has found what both groups have: of a prefix all pages, and of the window before its end.

// windowSpace keeps the window's contents apart from those of the other group in the pool; it is taken off in what is published.
const windowSpace = 0x3317_d0c0_0000_0000

// windowGroup is the index of the group in events; the other one is 0.
const windowGroup = 1

// Kinds of attention, as vLLM names them.
const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_window"
)

// windowPages are the pages of a request in the group of the window.
type windowPages struct {
	first  int     // position of the first that is held
	blocks []int32 // from there on
}

func (p *windowPages) end() int { return p.first + len(p.blocks) }

// groupPages counts pages of the group of the window.
type groupPages struct {
	held, shared, cached int // held once, held again, with content and held by nobody
}

// validateWindow checks what goes with a window.
func (p *Pool) validateWindow() error {
	switch {
	case p.SlidingWindow == 0:
		return nil
	case p.SlidingWindow < 0:
		return fmt.Errorf("sliding_window: must be at least 0, is %d", p.SlidingWindow)
	case p.Engine != VLLM:
		return fmt.Errorf("sliding_window: must be 0 with engine %s, is %d", p.Engine, p.SlidingWindow)
	case p.Role != Aggregated:
		return fmt.Errorf("sliding_window: must be 0 with role %s, is %d", p.Role, p.SlidingWindow)
	case p.Speculative.Tokens > 0:
		return fmt.Errorf("sliding_window: must be 0 with speculative.tokens %d, is %d", p.Speculative.Tokens, p.SlidingWindow)
	}
	return nil
}

// groups is how many KV cache groups there are.
func (p *Pool) groups() int {
	if p.SlidingWindow > 0 {
		return 2
	}
	return 1
}

// sequencePages is how many pages a sequence of so many tokens takes at most.
func (p *Pool) sequencePages(tokens int) int {
	pages := (tokens + p.BlockSize - 1) / p.BlockSize
	if p.SlidingWindow == 0 {
		return pages
	}
	return pages + min(pages, (p.SlidingWindow-1+p.MaxBatchedTokens+p.BlockSize-1)/p.BlockSize+1)
}

// sequenceTokens is how many tokens of sequences of the greatest length have room in the pool (kv_cache_size_tokens of vLLM).
func (p *Pool) sequenceTokens() int {
	if p.SlidingWindow == 0 {
		return p.KVBlocks * p.BlockSize
	}
	return int(float64(p.KVBlocks) / float64(p.sequencePages(p.MaxModelTokens)) * float64(p.MaxModelTokens))
}

// reach is how many pages before a page its computation reads.
func (s *scheduler) reach() int { return (s.window - 2 + s.blockSize) / s.blockSize }

// slide gives back the pages that are out of the window once so many tokens are computed.
func (s *scheduler) slide(r *request, computed int) {
	if s.window == 0 {
		return
	}
	w := &r.inWindow
	passed := max(0, computed-s.window+1)/s.blockSize - w.first
	if passed <= 0 {
		return
	}
	s.pool.ledger.sync()
	s.pool.release(w.blocks[:passed])
	w.first += passed
	w.blocks = w.blocks[:copy(w.blocks, w.blocks[passed:])]
}

// holdWindow makes a request hold pages of the window up to a position.
func (s *scheduler) holdWindow(r *request, pages int) {
	if s.window == 0 {
		return
	}
	for r.inWindow.end() < pages {
		id := s.pool.take()
		s.pool.blocks[id].window = true
		s.pool.ledger.inWindow(id)
		s.pool.windowed.held++
		r.inWindow.blocks = append(r.inWindow.blocks, id)
	}
}

// storeWindow gives the full page of the window at a position its content. It tells whether that had been here not long ago.
func (s *scheduler) storeWindow(r *request, i int, follow bool) (again bool) {
	if s.window == 0 || i < r.inWindow.first {
		return false
	}
	id, hash := r.inWindow.blocks[i-r.inWindow.first], r.blockHash(i, s.blockSize)^windowSpace
	s.pool.store(id, hash)
	return s.pool.ledger.stored(id, hash, follow)
}

// inWindow notes that a block is of the group of a sliding window.
func (k *kvLedger) inWindow(id int32) {
	if k != nil {
		k.pages[id].window = true
	}
}

// windowHit shortens a hit of so many pages to what the window has too, and returns the pages of the window before its end.
func (s *scheduler) windowHit(r *request, hit int) (int, []int32) {
	s.hitWindow = s.hitWindow[:0]
	if s.window == 0 {
		return hit, nil
	}
	end, run := hit, 0 // pages there are from the right, without a gap, up to end
	for i := hit - 1; i >= 0 && run < s.reach(); i-- {
		id := s.pool.lookup(r.blockHash(i, s.blockSize) ^ windowSpace)
		if id == none {
			end, run = i, 0
			s.hitWindow = s.hitWindow[:0]
			continue
		}
		s.hitWindow = append(s.hitWindow, id)
		run++
	}
	for i, j := 0, len(s.hitWindow)-1; i < j; i, j = i+1, j-1 {
		s.hitWindow[i], s.hitWindow[j] = s.hitWindow[j], s.hitWindow[i]
	}
	return end, s.hitWindow
}

// claimWindow makes a request hold the pages of the window that it found.
func (s *scheduler) claimWindow(r *request, hit int) {
	if s.window == 0 {
		return
	}
	for _, id := range s.hitWindow {
		s.pool.touch(id)
	}
	r.inWindow = windowPages{first: hit - len(s.hitWindow), blocks: append([]int32(nil), s.hitWindow...)}
}

// windowNeed is how many pages of the window a request takes at most that has found so many pages.
func (s *scheduler) windowNeed(r *request, hit int) int {
	if s.window == 0 {
		return 0
	}
	need := min(s.blocksFor(r.tokens())-hit, s.reach()+s.blocksFor(s.budget)+1)
	for _, id := range s.hitWindow {
		if s.pool.blocks[id].refs == 0 {
			need++
		}
	}
	return need
}

// measureWindow divides the pages of the group of the window as they are now; cached ones are open.
func (w *worker) measureWindow() (p KVPool) {
	s := &w.sched
	tokens := s.liveTokens()
	for i := range s.running {
		tokens -= s.running[i].req.inWindow.first * s.blockSize
	}
	g := &s.pool.windowed
	p.Live = float64(tokens)/float64(s.blockSize) - float64(g.shared)
	p.TailWaste = float64(g.held) - p.Live
	p.CachedOpen = float64(g.cached)
	return p
}
