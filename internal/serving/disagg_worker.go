package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// rehearsed is a request in a rehearsal; times in s.
type rehearsed struct {
	arrival float64
	prompt  float64 // tokens, cached ones left out
	context float64 // tokens of the whole prompt
	output  float64 // tokens
	leaked  bool    // its prompt is computed by the decode worker

	first, last float64 // first and last token
	ready       float64 // its KV is at the decode worker
}

// seat is a request that waits, is prefilled or decodes on a worker. Requests go by their place in the rehearsal: without pointers, the garbage
// collector has nothing to follow and nothing to be told of when seats move.
type seat struct {
	request int32
	left    float64 // prompt tokens to compute
	end     float64 // worker's clock at which its last token is due
}

// desk is a worker in a rehearsal: it runs step after step, decodes first and prompts with what is left of the token budget, first
// come, first served, as engines with continuous batching and chunked prefill do.
type desk struct {
	now  float64
	busy float64 // s
	load int     // how many requests are there

	cost    StepCost
	budget  float64
	seats   float64 // most requests at once
	kv      float64 // most tokens of context at once; 0: no limit
	prefill bool    // requests leave with their first token

	requests []rehearsed
	clock    float64 // steps that decoded
	queue    []seat
	served   int    // of the queue, those that wait no more
	prompts  []seat // admitted, prompt not finished
	decodes  seatHeap
	context  float64     // tokens that running requests hold
	tokens   *tokenTimes // told of decoded tokens and how long each took, where somebody asks
}

// clear makes the desk one of an idle worker, with the room that it has for requests.
func (d *desk) clear() {
	*d = desk{queue: d.queue[:0], prompts: d.prompts[:0], decodes: d.decodes[:0]}
}

// submit hands a request over at its time; until then the worker has been advanced.
func (d *desk) submit(v visit) {
	if d.load == 0 {
		d.now = max(d.now, v.at)
	}
	d.load++
	d.queue = append(d.queue, seat{request: v.request, left: max(1, v.tokens)})
}

// advance runs all steps that begin before until.
func (d *desk) advance(until float64) {
	for d.now < until && d.load > 0 {
		if d.served < len(d.queue) {
			d.admit()
		}
		if len(d.prompts) == 0 && len(d.decodes) > 0 {
			d.decodeOnly(until)
			continue
		}
		d.step()
	}
}

// admit takes waiting requests in while there are seats and blocks. One alone is always taken.
func (d *desk) admit() {
	for ; d.served < len(d.queue); d.served++ {
		s := d.queue[d.served]
		need := d.requests[s.request].context + 1
		running := float64(len(d.prompts) + len(d.decodes))
		if running >= d.seats || running > 0 && d.kv > 0 && d.context+need > d.kv {
			return
		}
		d.context += need
		d.prompts = append(d.prompts, s)
	}
	d.queue, d.served = d.queue[:0], 0
}

// decodeOnly runs steps in which nothing changes but the clock: up to the next answer that ends, or to until.
func (d *desk) decodeOnly(until float64) {
	n := float64(len(d.decodes))
	steps := max(1, math.Ceil(d.decodes[0].end-d.clock))
	t := d.cost.Seconds(0, n, d.context)
	if steps > 1 {
		if room := math.Ceil((until - d.now) / t); room < steps {
			steps = max(1, room)
		}
		if steps > 1 {
			t = d.cost.Seconds(0, n, d.context+n*(steps-1)/2)
		}
	}
	d.pass(t*steps, n*steps, t, steps)
	d.retire()
}

// step runs one step with prefill.
func (d *desk) step() {
	n := float64(len(d.decodes))
	left := max(1, d.budget-n)
	var tokens float64
	done := 0
	for i := range d.prompts {
		s := &d.prompts[i]
		take := min(left, s.left)
		s.left -= take
		left -= take
		tokens += take
		if s.left > 0 {
			break
		}
		done++
		if left <= 0 {
			break
		}
	}
	t := d.cost.Seconds(tokens, n, d.context)
	d.pass(t, n, t, 1)
	for i := range done {
		d.firstToken(d.prompts[i])
	}
	d.prompts = append(d.prompts[:0], d.prompts[done:]...)
	d.retire()
}

// pass lets time go by: seconds in all, in which so many tokens were decoded, each in each s.
func (d *desk) pass(seconds, tokens, each, steps float64) {
	d.now += seconds
	d.busy += seconds
	if tokens <= 0 {
		return
	}
	d.clock += steps
	d.context += tokens
	if d.tokens != nil {
		d.tokens.add(each, tokens)
	}
}

// firstToken takes note that a prompt is computed.
func (d *desk) firstToken(s seat) {
	r := &d.requests[s.request]
	r.first = d.now
	if d.prefill || r.output <= 1 {
		r.last = d.now
		d.context -= r.context + 1
		d.load--
		return
	}
	s.end = d.clock + r.output - 1
	d.decodes.push(s)
}

// retire lets go of the requests whose last token has come.
func (d *desk) retire() {
	for len(d.decodes) > 0 && d.decodes[0].end <= d.clock {
		r := &d.requests[d.decodes.pop().request]
		r.last = d.now
		d.context = max(0, d.context-r.context-r.output)
		d.load--
	}
}

// seatHeap is a binary heap by the clock at which requests end. container/heap would allocate for every request.
type seatHeap []seat

func (h *seatHeap) push(s seat) {
	all := append(*h, s)
	for i := len(all) - 1; i > 0; {
		up := (i - 1) / 2
		if all[up].end <= all[i].end {
			break
		}
		all[up], all[i] = all[i], all[up]
		i = up
	}
	*h = all
}

// pop takes out the first to end.
func (h *seatHeap) pop() seat {
	all := *h
	first, n := all[0], len(all)-1
	all[0] = all[n]
	all = all[:n]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < n && all[down].end < all[least].end {
				least = down
			}
		}
		if least == i {
			break
		}
		all[i], all[least] = all[least], all[i]
		i = least
	}
	*h = all
	return first
}
