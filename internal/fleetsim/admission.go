package fleetsim

// planWaiting admits requests in order of arrival until something runs out. Those whose adapter finds no slot are passed over and keep
// their place.
func (s *scheduler) planWaiting(left int) {
	s.skipped = s.skipped[:0]
	for left > 0 && s.waiting.len() > 0 && len(s.running) < s.maxSeqs {
		r := s.waiting.front()
		if !s.adapters.admits(r.Adapter) {
			s.waiting.popFront()
			s.skipped = append(s.skipped, r)
			continue
		}
		hit := s.cachedPrefix(r)
		r.computed = len(hit) * s.blockSize
		tokens := s.chunk(r, left)
		if tokens == 0 || !s.fits(r, hit) {
			r.computed = 0
			break
		}
		s.waiting.popFront()
		s.admit(r, hit)
		s.schedule(&s.running[len(s.running)-1], tokens)
		left -= tokens
	}
	s.deferred = len(s.skipped)
	for i := len(s.skipped) - 1; i >= 0; i-- {
		s.waiting.pushFront(s.skipped[i])
	}
	clear(s.skipped)
}

// admit moves a request into the running set with the blocks it found cached.
func (s *scheduler) admit(r *request, hit []int32) {
	s.claim(r, hit)
	if r.preemptions == 0 {
		s.lookups.queries += r.tokens()
		s.lookups.hits += r.computed
		r.cachedTokens = r.computed
		r.firstScheduled = s.now
	}
	s.seat(r)
}

// claim makes a request hold the blocks it found cached. Its first lookup is the one that is audited: a request that comes back, preempted
// or because its KV could not be had, looks for what it had.
func (s *scheduler) claim(r *request, hit []int32) {
	if !r.looked {
		r.looked = true
		s.pool.ledger.looked(r, hit, s.pool)
		s.tellAccesses(r, len(hit))
	}
	for _, id := range hit {
		s.pool.touch(id)
	}
	s.claimWindow(r, len(hit))
	s.name(r)
	if r.named > 0 && len(s.spare) > 0 {
		r.blocks = s.spare[len(s.spare)-1]
		s.spare = s.spare[:len(s.spare)-1]
	}
	r.blocks = append(r.blocks, hit...)
	r.stored = len(hit)
}

// seat adds a request to the running set.
func (s *scheduler) seat(r *request) {
	s.tokens += r.computed
	s.adapters.start(r.Adapter)
	s.running = append(s.running, sequence{req: r})
	s.due = append(s.due, always)
}

// cachedPrefix finds the longest run of cached blocks from the start. The last token is always computed, to have something to
// sample from: a prompt that is cached completely loses its last block.
func (s *scheduler) cachedPrefix(r *request) []int32 {
	s.hit = s.hit[:0]
	if !s.pool.caching {
		return nil
	}
	for i := range (r.tokens() - 1) / s.blockSize {
		id := s.pool.lookup(r.blockHash(i, s.blockSize))
		if id == none {
			break
		}
		s.hit = append(s.hit, id)
	}
	end, _ := s.windowHit(r, len(s.hit))
	s.hit = s.hit[:end]
	return s.hit
}

// fits asks whether the whole prompt would find pages now, not only its first chunk (scheduler_reserve_full_isl of vLLM). Hit
// blocks that nobody holds count too: they leave the free list.
func (s *scheduler) fits(r *request, hit []int32) bool {
	need := s.blocksFor(r.tokens()) - len(hit)
	for _, id := range hit {
		if s.pool.blocks[id].refs == 0 {
			need++
		}
	}
	return need+s.windowNeed(r, len(hit)) <= s.pool.free
}

// tellAccesses reports the full blocks of a prompt, of which the first were found.
func (s *scheduler) tellAccesses(r *request, hits int) {
	if s.access == nil {
		return
	}
	for i := range r.PromptTokens / s.blockSize {
		s.access(r.blockHash(i, s.blockSize), i < hits)
	}
}
