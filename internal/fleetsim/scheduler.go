package fleetsim

import (
	"math"
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
	window     int // tokens of a sliding window that half of the layers attend to; 0: none does
	pool       *blockPool
	access     func(hash uint64, hit bool) // sees lookups; nil unless somebody listens

	waiting  queue
	deferred int // of the waiting, held back in the last plan by the limit on adapters
	running  []sequence
	due      []int // of each running sequence: the clock when the plan has to look at it
	clock    int   // steps of decodes
	nextEnd  int   // no decode ends before the clock shows this
	decodes  int   // of the running, sequences that decode
	late     int   // of these, sequences that missed a step since their last token
	context  int   // tokens with keys and values of these decodes
	tokens   int   // tokens with keys and values of all running requests, shared ones counted for each
	adapters adapterSlots
	meter    decodeMeter

	// Of the step planned or executed.
	now         time.Duration // when it was planned
	uniform     bool          // every decode has one token in it
	work        physics.Work
	preemptions int
	lookups     struct{ queries, hits int }

	hit       []int32    // scratch of cachedPrefix
	hitWindow []int32    // of the window before the end of hit
	skipped   []*request // scratch of planWaiting
	spare     [][]int32  // block lists of requests that left
}

// always is due in every step: a request that does not decode yet.
const always = math.MinInt

// decodesAll says that the step to be planned holds every decode with one token: prompts under way are the newest requests then and
// take what the decodes leave, and nobody is late.
func (s *scheduler) decodesAll() bool {
	if s.drafts > 0 || s.maxChunk > 0 || s.scheduling == PrefillFirst || s.late > 0 {
		return false
	}
	for i := s.decodes; i < len(s.running); i++ {
		if s.running[i].end != 0 {
			return false
		}
	}
	return true
}

// open begins a step without work.
func (s *scheduler) open(now time.Duration) {
	s.now = now
	s.work = physics.Work{}
	s.preemptions = 0
	s.lookups.queries, s.lookups.hits = 0, 0
}

// plan settles the work of the step just opened. It may be repeated while that is empty.
func (s *scheduler) plan() {
	before := s.preemptions
	s.uniform = s.decodesAll()
	if s.scheduling == PrefillFirst {
		s.planPromptsOrDecodes()
	} else {
		var left int
		if s.uniform {
			left = s.planRunning()
		} else {
			left = s.planEach()
		}
		// Blocks that were just taken from a preempted request are not given to new ones.
		if s.preemptions == before {
			s.planWaiting(left)
		}
	}
	s.work.Adapters = s.adapters.distinct(s)
}

// planRunning schedules requests already admitted and returns the budget left.
func (s *scheduler) planRunning() int {
	left := s.budget - s.decodes
	for i := 0; i < len(s.due); i++ {
		if s.due[i] > s.clock {
			continue
		}
		if s.due[i] == always {
			tokens, ok := s.continuePrompt(i, left)
			if !ok {
				break
			}
			left -= tokens
		} else if !s.extend(i) {
			break
		}
	}
	s.work.DecodeSequences = s.decodes
	s.work.DecodeContext = float64(s.context + s.decodes)
	return left
}

// continuePrompt schedules what fits of a prompt under way, or of a recomputation; false if the request had to go.
func (s *scheduler) continuePrompt(i, left int) (int, bool) {
	q := &s.running[i]
	q.tokens = 0
	tokens := s.chunk(q.req, left)
	if tokens == 0 {
		return 0, true
	}
	s.slide(q.req, q.req.computed)
	if !s.makeRoom(q.req, s.blocksFor(q.req.computed+tokens)-q.req.pages()) {
		return 0, false
	}
	s.schedule(q, tokens)
	return tokens, true
}

// extend gives a decode that is due, and has one token in the step, the page it needs.
func (s *scheduler) extend(i int) bool {
	if s.publishesAtOnce() {
		return s.attend(i, 1)
	}
	r := s.running[i].req // all its pages are full
	if !s.makeRoom(r, 1) {
		return false
	}
	full := r.pages()
	s.hold(r, full+1)
	s.storeUpTo(r, full)
	s.due[i] += s.blockSize
	return true
}

// attend gives a decode pages for the tokens of the step where it has none left, and publishes the pages it completes; false if the
// request had to go.
func (s *scheduler) attend(i, tokens int) bool {
	q := &s.running[i]
	r, computed := q.req, s.clock+q.ahead
	pages := s.blocksFor(computed + tokens)
	s.slide(r, computed)
	if !s.makeRoom(r, pages-r.pages()) {
		return false
	}
	s.hold(r, pages)
	s.storeUpTo(r, (computed+1)/s.blockSize)
	s.due[i] = s.nextDue(q)
	return true
}

// nextDue is the clock when a decode next needs a page, or completes one that has to be published at once.
func (s *scheduler) nextDue(q *sequence) int {
	r := q.req
	due := r.pages()*s.blockSize - q.ahead
	if s.publishesAtOnce() {
		due = min(due, (r.stored+1)*s.blockSize-1-q.ahead)
	}
	return due
}

// publishesAtOnce says that decodes publish a page in the step that completes it. Otherwise they do so when they need the next one: as
// only they can ask for it again, nobody can tell.
func (s *scheduler) publishesAtOnce() bool {
	return s.pool.events != nil || s.pool.ledger != nil || s.drafts > 0 || s.window > 0 || s.blockSize == 1
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

// makeRoom frees pages, so many for each group, for a running request by preempting the newest ones; false if the request itself had
// to go.
func (s *scheduler) makeRoom(r *request, need int) bool {
	if s.window > 0 {
		need *= 2
	}
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
	r := s.running[last].req
	s.leave(&s.running[last], s.now)
	s.running[last] = sequence{}
	s.running, s.due = s.running[:last], s.due[:last]
	s.identify(r)
	s.release(r)
	r.computed, r.decoding = 0, false
	r.preemptions++
	r.unreported++
	s.preemptions++
	s.waiting.pushFront(r)
}

// startDecoding makes a request whose whole past is computed one of the decodes.
func (s *scheduler) startDecoding(i int) {
	q := &s.running[i]
	r := q.req
	r.decoding = true
	s.slide(r, r.computed)
	q.ahead, q.end = r.computed-s.clock, s.clock+r.limit-r.generated
	s.due[i] = s.nextDue(q)
	s.nextEnd = min(s.nextEnd, q.end)
	s.decodes++
	s.context += r.computed
	s.meter.start(&r.shares)
}

// leave brings a request that leaves the running set up to date; last is when its latest token came.
func (s *scheduler) leave(q *sequence, last time.Duration) {
	r := q.req
	if q.end != 0 {
		q.settle(s.clock, last)
		s.decodes--
		s.context -= r.computed
		if q.late {
			s.late--
		} else {
			s.meter.stop(&r.shares)
		}
		if !s.publishesAtOnce() {
			s.storeUpTo(r, r.computed/s.blockSize)
		}
	}
	s.tokens -= r.computed
	s.adapters.stop(r.Adapter)
}

// schedule adds a prompt, or a part of it, to the step: gives the request its pages and publishes the ones this step fills. They
// become findable before they are computed: a request admitted later in the same step may already share them.
func (s *scheduler) schedule(q *sequence, tokens int) {
	r := q.req
	q.tokens = tokens
	s.hold(r, s.blocksFor(r.computed+tokens))
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

// finish removes the requests that are done (indices into the running set in rising order) and frees what they hold.
func (s *scheduler) finish(done []int) {
	if len(done) == 0 {
		return
	}
	kept := done[0]
	for n, i := range done {
		s.release(s.running[i].req)
		next := len(s.running)
		if n+1 < len(done) {
			next = done[n+1]
		}
		copy(s.due[kept:], s.due[i+1:next])
		kept += copy(s.running[kept:], s.running[i+1:next])
	}
	clear(s.running[kept:])
	s.running, s.due = s.running[:kept], s.due[:kept]
}

func (s *scheduler) blocksFor(tokens int) int { return (tokens + s.blockSize - 1) / s.blockSize }
