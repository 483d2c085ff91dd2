package fleetsim

// Of the pages a request holds, the leading ones that another request may share are blocks with an identity, the others a number of
// nameless pages. Once a request has been preempted, or its client may send it again, it looks for its own content again: then all
// are blocks. So they are when events are published or the cache is audited, which need to name every page.

// shareableBlocks is how many leading blocks other requests can have too.
func (r *request) shareableBlocks(blockSize int) int {
	n := r.PrefixTokens / blockSize
	if len(r.HashIDs) > 0 {
		covered := (len(r.HashIDs)*r.HashTokens + blockSize - 1) / blockSize
		n = max(n, min(r.PromptTokens/blockSize, covered))
	}
	return n
}

// pages is how many pages the request holds.
func (r *request) pages() int { return len(r.blocks) + r.nameless }

// hold makes a request hold the given number of pages. The caller has checked that so many are free.
func (s *scheduler) hold(r *request, pages int) {
	for len(r.blocks) < min(pages, r.named) {
		r.blocks = append(r.blocks, s.pool.take())
	}
	if more := pages - r.pages(); more > 0 {
		s.pool.takePages(more)
		r.nameless += more
	}
	s.holdWindow(r, pages)
}

// name settles how many of a request's pages are blocks.
func (s *scheduler) name(r *request) {
	if s.pool.events != nil || s.pool.ledger != nil || s.window > 0 || r.preemptions > 0 || r.resend {
		r.named = s.blocksFor(s.maxTokens)
	} else {
		r.named = r.shareableBlocks(s.blockSize)
	}
}

// storeUpTo publishes the full pages of a request up to the given number.
func (s *scheduler) storeUpTo(r *request, full int) {
	from := r.stored
	r.stored = max(from, full)
	if !s.pool.caching {
		return
	}
	for i := from; i < min(full, len(r.blocks)); i++ {
		hash := r.blockHash(i, s.blockSize)
		s.pool.store(r.blocks[i], hash)
		follow := s.pool.ledger != nil && (r.preemptions > 0 || r.resend || i < r.shareableBlocks(s.blockSize))
		again := s.pool.ledger.stored(r.blocks[i], hash, follow)
		if again = s.storeWindow(r, i, follow) || again; again {
			s.pool.ledger.regret()
		}
	}
	s.pool.events.stored(r, from, full)
	if s.window > 0 {
		s.pool.events.storedIn(windowGroup, r, max(from, r.inWindow.first), full)
	}
}

// release gives back everything a request holds, the end of its content first; what it published stays cached until evicted.
func (s *scheduler) release(r *request) {
	s.pool.ledger.sync()
	s.pool.releasePages(r.nameless, max(0, r.stored-len(r.blocks)))
	s.pool.release(r.blocks)
	if cap(r.blocks) > 0 {
		s.spare = append(s.spare, r.blocks[:0])
	}
	r.blocks, r.nameless, r.stored = nil, 0, 0
	s.pool.release(r.inWindow.blocks)
	r.inWindow = windowPages{}
}

// identify makes the full pages of a request blocks, so that it can find them again.
func (s *scheduler) identify(r *request) {
	if !s.pool.caching {
		return
	}
	if s.pool.ledger != nil {
		for i, id := range r.blocks[:r.stored] {
			if s.pool.ledger.follow(id, r.blockHash(i, s.blockSize)) {
				s.pool.ledger.regret()
			}
		}
		for i := r.inWindow.first; i < min(r.stored, r.inWindow.end()); i++ {
			s.pool.ledger.follow(r.inWindow.blocks[i-r.inWindow.first], r.blockHash(i, s.blockSize)^windowSpace)
		}
	}
	for i := len(r.blocks); i < r.stored; i++ {
		r.blocks = append(r.blocks, s.pool.adopt(r.blockHash(i, s.blockSize)))
		r.nameless--
	}
}
