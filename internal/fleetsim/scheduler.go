package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// scheduler decides, as vLLM V1 does, which requests compute how many tokens in a step: running requests in order of admission
// (decodes need one token each, so in practice they go first), then waiting ones as token budget, sequence limit and blocks allow.
type scheduler struct {
	budget     int // max_num_batched_tokens
	maxSeqs    int // max_num_seqs
	maxTokens  int // longest context
	maxChunk   int // most tokens of one prompt in a step (long_prefill_token_threshold); 0: no limit
	scheduling Scheduling
	drafts     int // tokens proposed for each decode and step
	blockSize  int
	pool       *blockPool

	waiting  queue
	deferred int // of the waiting, held back in the last plan by the limit on adapters
	running  []sequence
	decodes  int // of the running, sequences that decode
	context  int // tokens with keys and values of these decodes
	tokens   int // tokens with keys and values of all running requests, shared ones counted for each
	adapters adapterSlots
	meter    decodeMeter

	// Of the step planned or executed.
	now         time.Duration // when it was planned
	work        physics.Work
	preemptions int
	lookups     struct{ queries, hits int }

	hit     []int32    // scratch of cachedPrefix
	skipped []*request // scratch of planWaiting
	spare   [][]int32  // block lists of requests that left
}

// plan settles the work of a step that starts now.
func (s *scheduler) plan(now time.Duration) {
	s.now = now
	s.work = physics.Work{}
	s.preemptions = 0
	s.lookups.queries, s.lookups.hits = 0, 0
	if s.scheduling == PrefillFirst {
		before := len(s.running)
		s.planWaiting(s.budget)
		if s.work.PrefillTokens > 0 {
			s.pause(s.running[:before])
		} else {
			s.planRunning()
		}
	} else {
		left := s.planRunning()
		// Blocks that were just taken from a preempted request are not given to new ones.
		if s.preemptions == 0 {
			s.planWaiting(left)
		}
	}
	s.work.Adapters = s.adapters.distinct(s.running)
}

// planRunning schedules requests already admitted and returns the budget left.
func (s *scheduler) planRunning() int {
	left, rows, missed := s.budget, 0, 0
	for i := 0; i < len(s.running); i++ {
		q := &s.running[i]
		q.tokens = 0
		if q.left == 0 {
			r := q.req
			tokens := s.chunk(r, left)
			if tokens == 0 {
				continue
			}
			if !s.makeRoom(r, s.blocksFor(r.computed+tokens)-len(r.blocks)) {
				break
			}
			s.schedule(q, tokens)
			left -= tokens
			continue
		}
		tokens := 1
		if s.drafts > 0 {
			tokens = min(1+s.drafts, s.maxTokens-q.context())
		}
		if tokens = min(tokens, left); tokens == 0 {
			missed += q.context()
			s.miss(q)
			continue
		}
		if int(q.room) < tokens && !s.extend(q, tokens) {
			break
		}
		if q.fill <= 1 {
			s.fill(q)
		}
		if q.late {
			s.meter.start(&q.req.shares)
		}
		q.tokens = int32(tokens)
		left -= tokens
		rows += tokens
		s.work.DecodeSequences++
	}
	s.work.DecodeContext = float64(s.context - missed + rows)
	if s.drafts > 0 {
		s.work.DecodeTokens = rows
	}
	return left
}

// chunk is how many tokens of its prompt a request computes with the given budget left; 0: not now.
func (s *scheduler) chunk(r *request, left int) int {
	tokens := r.tokens() - r.computed
	if s.maxChunk > 0 {
		tokens = min(tokens, s.maxChunk)
	}
	if tokens > left && (s.scheduling == WholePrompts || s.scheduling == PrefillFirst) {
		return 0
	}
	return min(tokens, left)
}

// pause leaves sequences out of a step.
func (s *scheduler) pause(sequences []sequence) {
	for i := range sequences {
		q := &sequences[i]
		q.tokens = 0
		if q.left > 0 {
			s.miss(q)
		}
	}
}

// miss notes that a decode is not part of a step: its next token comes late, and the step costs it nothing.
func (s *scheduler) miss(q *sequence) {
	if !q.late {
		q.late = true
		q.req.lastToken = s.now
		s.meter.stop(&q.req.shares)
	}
}

// extend gives a decode blocks for the tokens of the step; false if the request itself had to go.
func (s *scheduler) extend(q *sequence, tokens int) bool {
	need := s.blocksFor(tokens - int(q.room))
	if !s.makeRoom(q.req, need) {
		return false
	}
	for range need {
		q.req.blocks = append(q.req.blocks, s.pool.take())
	}
	q.room += int32(need * s.blockSize)
	return true
}

// fill publishes the block that a decode completes in this step, and those that accepted proposals have completed since the last.
func (s *scheduler) fill(q *sequence) {
	full := q.req.stored
	for ; q.fill <= 1; q.fill += int32(s.blockSize) {
		full++
	}
	s.storeUpTo(q.req, full)
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
		if !q.late {
			s.meter.stop(&q.req.shares)
		}
	}
	s.adapters.stop(q.req.Adapter)
	s.tokens -= q.req.computed
}

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
	for _, id := range hit {
		s.pool.touch(id)
	}
	if r.blocks == nil && len(s.spare) > 0 {
		r.blocks = s.spare[len(s.spare)-1]
		s.spare = s.spare[:len(s.spare)-1]
	}
	r.blocks = append(r.blocks[:0], hit...)
	r.stored = len(hit)
	s.tokens += r.computed
	s.adapters.start(r.Adapter)
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
		s.pool.store(r.blocks[r.stored], hash, shareable || r.preemptions > 0)
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
