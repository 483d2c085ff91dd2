package fleetsim

// planEach is planRunning where a decode may be left out of a step, or have more than one token in it.
func (s *scheduler) planEach() int {
	left, rows, missed := s.budget, 0, 0
	for i := 0; i < len(s.running); i++ {
		q := &s.running[i]
		if q.end == 0 {
			tokens, ok := s.continuePrompt(i, left)
			if !ok {
				break
			}
			left -= tokens
			continue
		}
		// No token lies beyond the longest context.
		tokens := min(1+s.drafts, s.maxTokens-s.clock-q.ahead, left)
		if tokens == 0 {
			missed += s.clock + q.ahead
			s.miss(q)
			continue
		}
		if !s.attend(i, tokens) {
			break
		}
		if q.late {
			s.meter.start(&q.req.shares)
		}
		q.tokens = tokens
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

// planPromptsOrDecodes lets waiting prompts go first, alone.
func (s *scheduler) planPromptsOrDecodes() {
	before := len(s.running)
	s.planWaiting(s.budget)
	if s.work.PrefillTokens > 0 {
		s.pause(s.running[:before])
	} else {
		s.planEach()
	}
}

// pause leaves sequences out of a step.
func (s *scheduler) pause(sequences []sequence) {
	for i := range sequences {
		q := &sequences[i]
		q.tokens = 0
		if q.end != 0 {
			s.miss(q)
		}
	}
}

// miss notes that a decode is not part of a step: its next token comes late, and the step costs it nothing.
func (s *scheduler) miss(q *sequence) {
	q.tokens = 0
	if !q.late {
		q.late = true
		s.late++
		q.req.lastToken = s.now
		s.meter.stop(&q.req.shares)
	}
}

// shift moves a decode by tokens beyond its one in the step, -1 for one it did not get.
func (s *scheduler) shift(i, tokens int) {
	q := &s.running[i]
	q.ahead += tokens
	q.end -= tokens
	s.due[i] -= tokens
	s.nextEnd = min(s.nextEnd, q.end)
}

// scheduled says whether a running sequence is part of the step.
func (s *scheduler) scheduled(q *sequence) bool {
	return q.tokens > 0 || (q.end != 0 && s.uniform)
}
