package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// chunk is the work of one request in one step.
type chunk struct {
	req    *request
	tokens int
	decode bool // one further token of a sequence whose whole past is cached; everything else computes prompt or recomputes
}

// scheduler decides, as vLLM V1 does, which requests compute how many tokens in a step: running requests in order of admission
// (decodes need one token each, so in practice they go first), then waiting ones as token budget, sequence limit and blocks allow.
type scheduler struct {
	budget    int // max_num_batched_tokens
	maxSeqs   int // max_num_seqs
	blockSize int
	pool      *blockPool

	waiting queue
	running []*request
	chunks  []chunk // the step being planned or executed

	preemptions int // in the step just planned
	lookups     struct{ queries, hits int }
}

// plan fills chunks for a step that starts now.
func (s *scheduler) plan(now time.Duration) {
	s.chunks = s.chunks[:0]
	s.preemptions = 0
	s.lookups.queries, s.lookups.hits = 0, 0
	left := s.planRunning()
	// Blocks that were just taken from a preempted request are not given to new ones.
	if s.preemptions == 0 {
		s.planWaiting(now, left)
	}
}

// planRunning schedules requests already admitted and returns the budget left.
func (s *scheduler) planRunning() int {
	left := s.budget
	for i := 0; i < len(s.running) && left > 0; i++ {
		r := s.running[i]
		tokens := min(r.tokens()-r.computed, left)
		if !s.makeRoom(r, tokens) {
			break
		}
		s.schedule(r, tokens)
		left -= tokens
	}
	return left
}

// makeRoom frees blocks for a running request by preempting the newest ones; false if the request itself had to go.
func (s *scheduler) makeRoom(r *request, tokens int) bool {
	need := s.blocksFor(r.computed+tokens) - len(r.blocks)
	for need > s.pool.free {
		last := len(s.running) - 1
		victim := s.running[last]
		s.running = s.running[:last]
		s.preempt(victim)
		if victim == r {
			return false
		}
	}
	return true
}

// preempt returns a request to the head of the queue; its cache entries stay until evicted, the rest is computed again.
func (s *scheduler) preempt(r *request) {
	s.pool.release(r.blocks)
	r.blocks, r.stored, r.computed, r.decoding = r.blocks[:0], 0, 0, false
	r.preemptions++
	r.unreported++
	s.preemptions++
	s.waiting.pushFront(r)
}

// planWaiting admits requests in order of arrival until something runs out.
func (s *scheduler) planWaiting(now time.Duration, left int) {
	for left > 0 && s.waiting.len() > 0 && len(s.running) < s.maxSeqs {
		r := s.waiting.front()
		hit := s.cachedPrefix(r)
		if !s.fits(r, hit) {
			return
		}
		for _, id := range hit {
			s.pool.touch(id)
		}
		r.blocks = append(r.blocks, hit...)
		r.stored = len(hit)
		r.computed = len(hit) * s.blockSize
		if r.preemptions == 0 {
			s.lookups.queries += r.tokens()
			s.lookups.hits += r.computed
			r.cachedTokens = r.computed
			r.firstScheduled = now
		}
		s.waiting.popFront()
		s.running = append(s.running, r)
		tokens := min(r.tokens()-r.computed, left)
		s.schedule(r, tokens)
		left -= tokens
	}
}

// cachedPrefix finds the longest run of cached blocks from the start. The last token is always computed, to have something to
// sample from: a prompt that is cached completely loses its last block.
func (s *scheduler) cachedPrefix(r *request) []int32 {
	if !s.pool.caching {
		return nil
	}
	var hit []int32
	for i := range (r.tokens() - 1) / s.blockSize {
		id := s.pool.lookup(r.blockHash(i, s.blockSize))
		if id == none {
			break
		}
		hit = append(hit, id)
	}
	return hit
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

// schedule gives the request its blocks, publishes the ones this step fills, and adds it to the step. Blocks become findable
// before they are computed: a request admitted later in the same step may already share them.
func (s *scheduler) schedule(r *request, tokens int) {
	for end := s.blocksFor(r.computed + tokens); len(r.blocks) < end; {
		r.blocks = append(r.blocks, s.pool.take())
	}
	from, full := r.stored, (r.computed+tokens)/s.blockSize
	for ; r.stored < full; r.stored++ {
		s.pool.store(r.blocks[r.stored], r.blockHash(r.stored, s.blockSize))
	}
	if s.pool.caching {
		s.pool.events.stored(r, from, full)
	}
	s.chunks = append(s.chunks, chunk{req: r, tokens: tokens, decode: r.decoding})
}

// finish removes the requests that are done from the running set and frees their blocks.
func (s *scheduler) finish(done func(*request) bool) {
	kept := s.running[:0]
	for _, r := range s.running {
		if done(r) {
			s.pool.release(r.blocks)
			continue
		}
		kept = append(kept, r)
	}
	clear(s.running[len(kept):])
	s.running = kept
}

func (s *scheduler) blocksFor(tokens int) int { return (tokens + s.blockSize - 1) / s.blockSize }

// work sums up what the planned step costs.
func (s *scheduler) work() physics.Work {
	var w physics.Work
	for _, c := range s.chunks {
		r := c.req
		if c.decode {
			w.DecodeSequences++
			w.DecodeContext += float64(r.computed + 1)
			continue
		}
		n, before := float64(c.tokens), float64(r.computed)
		w.PrefillTokens += c.tokens
		w.PrefillSequences++
		w.PrefillContext += n*before + n*(n+1)/2
		if r.computed+c.tokens == r.tokens() {
			w.PrefillOutputs++
		}
	}
	return w
}

// queue is a first-in-first-out queue that can also take a request back at its head.
type queue struct {
	items []*request
	head  int
}

func (q *queue) len() int        { return len(q.items) - q.head }
func (q *queue) front() *request { return q.items[q.head] }
func (q *queue) push(r *request) { q.items = append(q.items, r) }

func (q *queue) popFront() {
	q.items[q.head] = nil
	q.head++
	if q.head > 64 && q.head*2 > len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
}

func (q *queue) pushFront(r *request) {
	if q.head == 0 {
		q.items = append(q.items, nil)
		copy(q.items[1:], q.items)
		q.items[0] = r
		return
	}
	q.head--
	q.items[q.head] = r
}
