package fleetsim

import "time"

// sequence is a request in the running set. What a decode changes in every step lies here, side by side, so that a step over a full
// batch touches little memory; settle brings the request itself up to date.
type sequence struct {
	req    *request
	tokens int32 // computed in this step; 0: not scheduled
	left   int32 // tokens it may still generate; 0: it does not decode yet, the request says how far it is
	fill   int32 // tokens until the block being written is full
	room   int32 // tokens its blocks still take
	late   bool  // it missed a step: the request says when its last token came
}

// startDecoding turns a request whose whole past is computed into a decode.
func (q *sequence) startDecoding(blockSize int) {
	r := q.req
	r.decoding = true
	q.left = int32(r.limit - r.generated)
	q.fill = int32((r.stored+1)*blockSize - r.computed)
	q.room = int32(len(r.blocks)*blockSize - r.computed)
}

// context is the number of tokens with keys and values of a decode.
func (q *sequence) context() int { return q.req.PromptTokens + q.generated() - 1 }

// generated is the number of tokens a decode has produced.
func (q *sequence) generated() int { return q.req.limit - int(q.left) }

// settle writes the state of a decode back to its request; last is when its latest token came unless it is late.
func (q *sequence) settle(last time.Duration) {
	r := q.req
	r.generated = q.generated()
	r.computed = r.tokens() - 1
	r.reached = max(r.reached, r.computed)
	if !q.late {
		r.lastToken = last
	}
}
