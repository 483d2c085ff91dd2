package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// Turnover is which requests joined a worker's batch in a window, and which left it.
type Turnover struct {
	Came, CameTokens float64 // requests that got their first token, and the tokens of their prompts, cached ones too
	Left, LeftTokens float64 // requests that finished, and the tokens of their prompts and answers
}

// Batch follows the context of a worker's running requests: what came and was generated, less what left with those that finished. Counters
// begin at any time, and clients go away without a word, so that levels are known but for a constant each. It is taken to be what brings them
// to the expected ones, on average over many windows. The zero value is a batch of which nothing is known.
type Batch struct {
	requests, tokens level
	windows          float64
}

// level is a sum of changes, and what has to be added to it.
type level struct{ sum, offset float64 }

func (l *level) at() float64 { return l.sum + l.offset }

// expect brings it nearer to an expected one by a share of the distance.
func (l *level) expect(at, share float64) { l.offset += share * (at - l.at()) }

// known is the tokens of one request, on average; each where the level is too low to divide by.
func (b *Batch) known(each float64) float64 {
	if b.requests.at() < 1 || b.tokens.at() <= 0 {
		return each
	}
	return b.tokens.at() / b.requests.at()
}

// expect brings both levels nearer to those of that many requests, each of which holds so many tokens.
func (b *Batch) expect(requests, each, share float64) {
	b.requests.expect(requests, share)
	b.tokens.expect(requests*each, share)
}

// move takes a window in, in whose steps that many sequences decoded on average. A level of requests that is far from it is that of an engine which has
// begun anew, or of clients that went away, and is given up.
func (b *Batch) move(w Work, t Turnover, decoding, each float64) {
	middle := b.requests.at() + (t.Came-t.Left)/2
	b.requests.sum += t.Came - t.Left
	b.tokens.sum += t.CameTokens + w.FirstTokens + w.DecodeTokens - t.LeftTokens
	if middle < decoding/2 || middle > 2*decoding {
		b.windows = 0
	}
	b.windows++
	b.expect(decoding, each, max(1/b.windows, 1-forgetting))
}

// Read is how many tokens of context the steps of a window read for the sequences that they decoded, summed over the steps; 0 without steps.
//
// Levels before and after a window say little of what was between: where answers take as long as the window, most of what ran in it came
// in it. So sequences are told apart: those that came, with prompts of known length and no answer yet, and those that were there, with what
// they held then. The same looking back: those that finished, of known length, and those that stayed. It is the mean of both.
func (b *Batch) Read(w Work, t Turnover, s *Stays) float64 {
	each, decoding := s.Context(), 0.0
	if w.Steps > 0 {
		decoding = w.batch()
	}
	if b.windows == 0 {
		b.expect(decoding, each, 1)
	}
	before := b.known(each)
	b.move(w, t, decoding, each)
	after := b.known(each)
	if !(w.Steps > 0) {
		return 0
	}
	in := s.within(w.Steps)
	forward := in.read(w.DecodeTokens, t.Came, t.CameTokens, in.grown, before+in.since)
	backward := in.read(w.DecodeTokens, t.Left, t.LeftTokens, -in.grown, after-in.until)
	return (forward + backward) / 2
}

// Stays is how many steps requests stay in a batch, and what they hold meanwhile.
type Stays struct {
	answers [stayPoints]float64 // tokens, equally likely lengths of answers
	context float64
}

// stayPoints is how many lengths of answers stand for their distribution.
const stayPoints = 48

// NewStays reads lengths of prompts and of answers, taken to be independent; ok is false where either is not known.
func NewStays(prompt, output Lengths) (s Stays, ok bool) {
	if !(prompt.Mean > 0) || !(output.Mean >= 1) || !output.Seen() {
		return Stays{}, false
	}
	var total, sum, squares float64
	for _, c := range output.Counts {
		total += max(c, 0)
	}
	for i := range s.answers {
		s.answers[i] = output.quantile((float64(i)+0.5)/stayPoints, total)
		sum += s.answers[i]
	}
	for i := range s.answers {
		s.answers[i] *= output.Mean * stayPoints / sum
		squares += square(s.answers[i])
	}
	s.context = prompt.Mean + squares/(2*output.Mean*stayPoints)
	return s, true
}

// Context is how many tokens a decoding sequence holds, on average over steps.
func (s *Stays) Context() float64 { return s.context }

// part is what sequences do in a window of so many steps, by whether they come in it or were there before. Looking back from its end, "came" is
// finished and "before" is after.
type part struct {
	tokens       float64 // that one which comes at any time of it decodes in it
	grown        float64 // the sum over these of its answer so far
	since, until float64 // by how much the mean context of those that were there is above that at the window's begin, and below that at its end
}

// read is the context read for so many tokens, of which those of the sequences that came had tokens in all, and others had each.
func (p part) read(decoded, came, tokens, grown, others float64) float64 {
	theirs := p.tokens * came
	if theirs > decoded { // bursts
		return decoded * (p.tokens*tokens + grown*came) / theirs
	}
	return p.tokens*tokens + grown*came + (decoded-theirs)*others
}

// within integrates over when sequences come in a window, and over how far those have come that are there at its begin: a sequence is met with a
// probability in proportion to its length, and equally likely at any token of it. Those with much to come decode most of the window's tokens, and have
// a shorter answer so far than others.
func (s *Stays) within(steps float64) (p part) {
	var weight, age, rest, squares, aged, rested float64
	for _, o := range s.answers {
		var mean, square, product float64 // of min(rest, steps), over rests up to o; of its square, and of it times the rest
		if o <= steps {
			p.tokens += o - o*o/(2*steps)
			p.grown += (o*o - 2*o*o*o/(3*steps)) / 2
			mean, square, product = o/2, o*o/3, o*o/3
		} else {
			p.tokens += steps / 2
			p.grown += steps * steps / 6
			mean, square = steps-steps*steps/(2*o), steps*steps-2*steps*steps*steps/(3*o)
			product = (steps*steps*steps/3 + steps*(o*o-steps*steps)/2) / o
		}
		weight += o
		age += o * o / 2
		rest += o * mean
		squares += o * square
		aged += o * (o*mean - product)
		rested += o * product
	}
	p.tokens /= stayPoints
	p.grown /= stayPoints
	progress := squares / 2 / rest
	p.since = aged/rest - age/weight + progress
	p.until = age/weight - rested/rest + progress
	return p
}
