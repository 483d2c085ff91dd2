package fleetsim

// RequestTruth is what really happened to one finished request, times since the start of the simulation.
type RequestTruth struct {
	Request               uint64  `json:"request"`           // number in order of arrival, from 0
	Worker                int     `json:"worker"`            // that answered
	PrefillWorker         int     `json:"prefill_worker"`    // that computed the prompt
	FrontEndSeconds       float64 `json:"front_end_seconds"` // between the client and the arrival
	ArrivalSeconds        float64 `json:"arrival_seconds"`
	FirstScheduledSeconds float64 `json:"first_scheduled_seconds"`
	FirstTokenSeconds     float64 `json:"first_token_seconds"`
	LastTokenSeconds      float64 `json:"last_token_seconds"`
	PromptTokens          int     `json:"prompt_tokens"`
	CachedTokens          int     `json:"cached_tokens"` // on the worker that computed the prompt
	RemoteTokens          int     `json:"remote_tokens"` // whose KV was fetched
	OutputTokens          int     `json:"output_tokens"`
	Preemptions           int     `json:"preemptions"`
	Attempt               int     `json:"attempt"` // times it had been sent before

	Stages Stages `json:"stages"`
	RequestShares
}

// Stages are the parts of a request's time, in seconds; they add up to arrival to last token.
type Stages struct {
	Queue     float64 `json:"queue"`      // arrival to first scheduled, lost attempts included
	Prefill   float64 `json:"prefill"`    // to the first token of the worker that computed the prompt
	BlockWait float64 `json:"block_wait"` // for blocks on the decode worker
	LinkWait  float64 `json:"link_wait"`  // for the links
	Transfer  float64 `json:"transfer"`   // after the prefill
	Join      float64 `json:"join"`       // to the client's first token: a seat in the decode batch, the last prompt token, lost KV
	Decode    float64 `json:"decode"`     // to the last token
}

// truth is what happened to a request that has ended on the given worker.
func (r *request) truth(worker int) RequestTruth {
	prompt := r.prefillSide()
	t := RequestTruth{
		Request: r.number, Worker: worker, PrefillWorker: worker,
		FrontEndSeconds:       r.FrontEnd.Seconds(),
		ArrivalSeconds:        r.At.Seconds(),
		FirstScheduledSeconds: prompt.firstScheduled.Seconds(),
		FirstTokenSeconds:     r.firstToken.Seconds(),
		LastTokenSeconds:      r.lastToken.Seconds(),
		PromptTokens:          r.PromptTokens,
		CachedTokens:          prompt.cachedTokens,
		RemoteTokens:          r.remoteTokens,
		OutputTokens:          r.generated,
		Preemptions:           r.preemptions,
		Attempt:               r.attempt,
		RequestShares:         r.shares,
	}
	s, end := &t.Stages, r.firstToken
	s.Queue = (prompt.firstScheduled - r.At).Seconds()
	s.Decode = (r.lastToken - r.firstToken).Seconds()
	h := r.hand
	if h == nil {
		s.Prefill = (r.firstToken - r.firstScheduled).Seconds()
		return t
	}
	t.PrefillWorker = h.source.index
	t.Preemptions += prompt.preemptions
	t.add(&prompt.shares)
	s.Prefill = (h.prefilled - prompt.firstScheduled).Seconds()
	ready := h.prefilled
	if x := h.transfer; x != nil {
		started := min(x.started, x.ended)
		s.BlockWait = (x.posted - h.prefilled).Seconds()
		s.LinkWait = (started - x.posted).Seconds()
		s.Transfer = (x.ended - started).Seconds()
		ready = x.ended
	}
	s.Join = (end - ready).Seconds()
	return t
}

// prefillSide is the request on the worker that computed its prompt.
func (r *request) prefillSide() *request {
	if r.hand != nil {
		return r.hand.prompt
	}
	return r
}

func (r *RequestShares) add(o *RequestShares) {
	r.PrefillSeconds += o.PrefillSeconds
	r.DecodeSeconds += o.DecodeSeconds
	r.PrefillJoules += o.PrefillJoules
	r.DecodeJoules += o.DecodeJoules
}
