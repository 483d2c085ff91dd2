package fleetsim

import "time"

// sequence is a request in the running set. Decodes get a token in every step, so that their state is a distance from the scheduler's
// clock, which counts those steps; settle brings the request itself up to date.
type sequence struct {
	req    *request
	tokens int  // computed in this step; not kept for decodes of which none can be left out
	ahead  int  // of a decode: tokens with keys and values less the clock
	end    int  // of a decode: the clock when its last token has come; 0: it does not decode yet
	late   bool // it missed a step: the request says when its last token came
}

// settle writes the state of a decode back to its request; last is when its latest token came unless it is late.
func (q *sequence) settle(clock int, last time.Duration) {
	r := q.req
	r.computed = clock + q.ahead
	r.generated = r.computed + 1 - r.PromptTokens
	r.reached = max(r.reached, r.computed)
	if !q.late {
		r.lastToken = last
	}
}
