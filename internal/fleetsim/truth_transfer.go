package fleetsim

// TransferSums are the truth of disaggregated serving. What prefill workers do is counted there, transfers at the decode worker.
type TransferSums struct {
	Prefills      int64 `json:"prefills"`       // prompts computed for another worker
	ExpiredLeases int64 `json:"expired_leases"` // of these, given up because nobody fetched them in time

	Fetched int64   `json:"fetched"` // transfers that succeeded
	Failed  int64   `json:"failed"`
	Tokens  int64   `json:"tokens"` // of Fetched, in whole blocks
	Bytes   float64 `json:"bytes"`

	Seconds          float64 `json:"seconds"`            // of Fetched, start to end
	WaitSeconds      float64 `json:"wait_seconds"`       // both sides ready, links taken
	BlockWaitSeconds float64 `json:"block_wait_seconds"` // prompt computed, no blocks on the decode worker
	ExposedSeconds   float64 `json:"exposed_seconds"`    // in the time to first token and not overlapped

	Retries      int64   `json:"retries"`
	Stalls       int64   `json:"stalls"`
	StallSeconds float64 `json:"stall_seconds"`

	LocalTokens   int64 `json:"local_tokens"`   // prompt tokens not fetched because the decode worker had them cached
	LastTokens    int64 `json:"last_tokens"`    // last prompt tokens that decode workers compute as a matter of course
	LocalPrefills int64 `json:"local_prefills"` // requests that decode workers prefill: short prompts, KV that was lost
	LeakedTokens  int64 `json:"leaked_tokens"`  // prompt tokens that decode workers computed beyond LastTokens, recomputation included

	RDMA   TransportSums `json:"rdma"`
	TCP    TransportSums `json:"tcp"`
	NVLink TransportSums `json:"nvlink"`
	Local  TransportSums `json:"local"`
}

// TransportSums are the successful transfers over one transport.
type TransportSums struct {
	Transfers   int64   `json:"transfers"`
	Bytes       float64 `json:"bytes"`
	Seconds     float64 `json:"seconds"`
	Descriptors int64   `json:"descriptors"`
}

// FaultSums are what went wrong.
type FaultSums struct {
	Restarts       int64   `json:"restarts"`
	DownSeconds    float64 `json:"down_seconds"`    // of worker time without a process, up to now
	LostRequests   int64   `json:"lost_requests"`   // went down with a worker, not sent again
	ResentRequests int64   `json:"resent_requests"` // went down with a worker, sent again
	FailedRequests int64   `json:"failed_requests"` // ended with an error because their KV could not be had
}

// observe counts a transfer that ended.
func (s *TransferSums) observe(t *TransferTruth) {
	s.Retries += int64(t.Retries)
	s.Stalls += int64(t.Stalls)
	s.StallSeconds += t.StallSeconds
	s.ExposedSeconds += t.ExposedSeconds
	s.BlockWaitSeconds += t.PostedSeconds - t.QueuedSeconds
	s.WaitSeconds += max(t.StartSeconds-t.PostedSeconds, 0)
	if t.Failed {
		s.Failed++
		return
	}
	seconds := t.EndSeconds - t.StartSeconds
	s.Fetched++
	s.Tokens += int64(t.Tokens)
	s.Bytes += t.Bytes
	s.Seconds += seconds
	if by := s.of(t.Transport); by != nil {
		by.Transfers++
		by.Bytes += t.Bytes
		by.Seconds += seconds
		by.Descriptors += int64(t.Descriptors)
	}
}

// of is the part of one transport.
func (s *TransferSums) of(t Transport) *TransportSums {
	switch t {
	case RDMA:
		return &s.RDMA
	case TCP:
		return &s.TCP
	case NVLink:
		return &s.NVLink
	case Local:
		return &s.Local
	}
	return nil
}

func (s *TransferSums) add(o *TransferSums) {
	s.Prefills += o.Prefills
	s.ExpiredLeases += o.ExpiredLeases
	s.Fetched += o.Fetched
	s.Failed += o.Failed
	s.Retries += o.Retries
	s.Tokens += o.Tokens
	s.Bytes += o.Bytes
	s.Seconds += o.Seconds
	s.WaitSeconds += o.WaitSeconds
	s.BlockWaitSeconds += o.BlockWaitSeconds
	s.ExposedSeconds += o.ExposedSeconds
	s.Stalls += o.Stalls
	s.StallSeconds += o.StallSeconds
	s.LocalTokens += o.LocalTokens
	s.LastTokens += o.LastTokens
	s.LocalPrefills += o.LocalPrefills
	for _, t := range []Transport{RDMA, TCP, NVLink, Local} {
		a, b := s.of(t), o.of(t)
		a.Transfers += b.Transfers
		a.Bytes += b.Bytes
		a.Seconds += b.Seconds
		a.Descriptors += b.Descriptors
	}
}

func (s *FaultSums) add(o *FaultSums) {
	s.Restarts += o.Restarts
	s.DownSeconds += o.DownSeconds
	s.LostRequests += o.LostRequests
	s.ResentRequests += o.ResentRequests
	s.FailedRequests += o.FailedRequests
}

// leaked counts the prompt tokens that a decode worker computed beyond the last ones.
func (w *worker) leaked() int64 {
	if w.role != Decode {
		return 0
	}
	t := &w.truth.sums
	return max(t.PrefillTokens-t.Transfers.LastTokens, 0)
}
