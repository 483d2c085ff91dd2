package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// scheduler decides, as vLLM V1 does, which requests compute how many tokens in a step: running requests in order of admission
// (decodes need one token each, so in practice they go first), then waiting ones as token budget, sequence limit and blocks allow.
type scheduler struct {
	budget    int // max_num_batched_tokens
	maxSeqs   int // max_num_seqs
	blockSize int
	pool      *blockPool

	waiting queue
	running []sequence
	decodes int // of these, sequences that decode
	context int // tokens with keys and values of these decodes
	tokens  int // tokens with keys and values of all running requests, shared ones counted for each
	meter   decodeMeter

	// Of the step planned or executed.
	now         time.Duration // when it was planned
	work        physics.Work
	preemptions int
	lookups     struct{ queries, hits int }

	hit   []int32   // scratch of cachedPrefix
	spare [][]int32 // block lists of requests that left
}

// plan settles the work of a step that starts now.
func (s *scheduler) plan(now time.Duration) {
	s.now = now
	s.work = physics.Work{}
	s.preemptions = 0
	s.lookups.queries, s.lookups.hits = 0, 0
	left := s.planRunning()
	// Blocks that were just taken from a preempted request are not given to new ones.
	if s.preemptions == 0 {
		s.planWaiting(left)
	}
}

// planRunning schedules requests already admitted and returns the budget left.
func (s *scheduler) planRunning() int {
	left := s.budget
	for i := 0; i < len(s.running); i++ {
		q := &s.running[i]
		q.tokens = 0
		if left == 0 {
			continue
		}
		if q.left == 0 {
			r := q.req
			tokens := min(r.tokens()-r.computed, left)
			if !s.makeRoom(r, s.blocksFor(r.computed+tokens)-len(r.blocks)) {
				break
			}
			s.schedule(q, tokens)
			left -= tokens
			continue
		}
		if q.room == 0 && !s.extend(q) {
			break
		}
		if q.fill == 1 {
			s.fill(q)
		}
		q.tokens = 1
		left--
		s.work.DecodeSequences++
	}
	s.work.DecodeContext = float64(s.context + s.work.DecodeSequences)
	return left
}

// extend gives a decode a further block; false if the request itself had to go.
func (s *scheduler) extend(q *sequence) bool {
	if !s.makeRoom(q.req, 1) {
		return false
	}
	q.req.blocks = append(q.req.blocks, s.pool.take())
	q.room += int32(s.blockSize)
	return true
}

// fill publishes the block that a decode completes in this step.
func (s *scheduler) fill(q *sequence) {
	s.storeUpTo(q.req, q.req.stored+1)
	q.fill += int32(s.blockSize)
}

// makeRoom frees blocks for a running request by preempting the newest ones; false if the request itself had to go.
func (s *scheduler) makeRoom(r *request, need int) bool {
	for need > s.pool.free {
		last := len(s.running) - 1
		victim := s.running[last].req
		s.preempt(last)
		if victim == r {
			return false
		}
	}
	return true
}

// preempt returns the newest running request to the head of the queue; its cache entries stay until evicted, the rest is computed
// again.
func (s *scheduler) preempt(last int) {
	q := &s.running[last]
	r := q.req
	s.leave(q, s.now)
	s.running[last] = sequence{}
	s.running = s.running[:last]
	s.pool.expose(r.blocks)
	s.pool.release(r.blocks)
	r.blocks, r.stored, r.computed, r.decoding = r.blocks[:0], 0, 0, false
	r.preemptions++
	r.unreported++
	s.preemptions++
	s.waiting.pushFront(r)
}

// startDecoding makes a request whose whole past is computed one of the decodes.
func (s *scheduler) startDecoding(q *sequence) {
	q.startDecoding(s.blockSize)
	s.decodes++
	s.context += q.req.computed
	s.meter.start(&q.req.shares)
}

// leave brings a request that leaves the running set up to date; last is when its latest token came.
func (s *scheduler) leave(q *sequence, last time.Duration) {
	if q.req.decoding {
		q.settle(last)
		s.decodes--
		s.context -= q.req.computed
		s.meter.stop(&q.req.shares)
	}
	s.tokens -= q.req.computed
}

// planWaiting admits requests in order of arrival until something runs out.
func (s *scheduler) planWaiting(left int) {
	for left > 0 && s.waiting.len() > 0 && len(s.running) < s.maxSeqs {
		r := s.waiting.front()
		hit := s.cachedPrefix(r)
		if !s.fits(r, hit) {
			return
		}
		s.waiting.popFront()
		s.admit(r, hit)
		tokens := min(r.tokens()-r.computed, left)
		s.schedule(&s.running[len(s.running)-1], tokens)
		left -= tokens
	}
}

// admit moves a request into the running set with the blocks it found cached.
func (s *scheduler) admit(r *request, hit []int32) {
	for _, id := range hit {
		s.pool.touch(id)
	}
	if r.blocks == nil && len(s.spare) > 0 {
		r.blocks = s.spare[len(s.spare)-1]
		s.spare = s.spare[:len(s.spare)-1]
	}
	r.blocks = append(r.blocks[:0], hit...)
	r.stored = len(hit)
	r.computed = len(hit) * s.blockSize
	s.tokens += r.computed
	if r.preemptions == 0 {
		s.lookups.queries += r.tokens()
		s.lookups.hits += r.computed
		r.cachedTokens = r.computed
		r.firstScheduled = s.now
	}
	s.running = append(s.running, sequence{req: r})
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
	return s.hit
}

// fits asks whether the whole prompt would find blocks now, not only its first chunk (scheduler_reserve_full_isl of vLLM). Hit
// blocks that nobody holds count too: they leave the free list.
func (s *scheduler) fits(r *request, hit []int32) bool {
	need := s.blocksFor(r.tokens()) - len(hit)
	for _, id := range hit {
		if s.pool.blocks[id].refs == 0 {
			need++
		}
	}
	return need <= s.pool.free
}

// schedule adds a prompt, or a part of it, to the step: gives the request its blocks and publishes the ones this step fills. Blocks
// become findable before they are computed: a request admitted later in the same step may already share them.
func (s *scheduler) schedule(q *sequence, tokens int) {
	r := q.req
	q.tokens = int32(tokens)
	for end := s.blocksFor(r.computed + tokens); len(r.blocks) < end; {
		r.blocks = append(r.blocks, s.pool.take())
	}
	s.storeUpTo(r, (r.computed+tokens)/s.blockSize)

	w := &s.work
	n, before := float64(tokens), float64(r.computed)
	w.PrefillTokens += tokens
	w.PrefillSequences++
	w.PrefillContext += n*before + n*(n+1)/2
	if r.computed+tokens == r.tokens() {
		w.PrefillOutputs++
	}
}

// storeUpTo publishes the blocks of a request up to the given number.
func (s *scheduler) storeUpTo(r *request, full int) {
	from := r.stored
	for ; r.stored < full; r.stored++ {
		hash, shareable := r.blockContent(r.stored, s.blockSize)
		s.pool.store(r.blocks[r.stored], hash, shareable || r.preemptions > 0 || r.resend)
	}
	if s.pool.caching {
		s.pool.events.stored(r, from, full)
	}
}

// finish removes the requests that are done (indices into the running set in rising order) and frees their blocks.
func (s *scheduler) finish(done []int) {
	if len(done) == 0 {
		return
	}
	for _, i := range done {
		r := s.running[i].req
		s.pool.release(r.blocks)
		s.spare = append(s.spare, r.blocks)
		r.blocks = nil
	}
	kept := done[0]
	for i := done[0]; i < len(s.running); i++ {
		if len(done) > 0 && i == done[0] {
			done = done[1:]
			continue
		}
		s.running[kept] = s.running[i]
		kept++
	}
	clear(s.running[kept:])
	s.running = s.running[:kept]
}

func (s *scheduler) blocksFor(tokens int) int { return (tokens + s.blockSize - 1) / s.blockSize }
