package fleetsim

// TransferTruth is one fetch of a request's KV; times since the start of the simulation.
type TransferTruth struct {
	Source      int    `json:"source"`      // prefill worker
	Destination int    `json:"destination"` // decode worker
	Request     uint64 `json:"request"`     // number of the request in order of arrival, from 0

	QueuedSeconds float64 `json:"queued_seconds"` // the decode worker knew of it: waits for blocks until posted
	PostedSeconds float64 `json:"posted_seconds"` // both sides were ready: waits for the links until started
	StartSeconds  float64 `json:"start_seconds"`  // of the first attempt
	EndSeconds    float64 `json:"end_seconds"`

	Tokens      int       `json:"tokens"` // moved, in whole blocks
	Bytes       float64   `json:"bytes"`  // over all ranks
	Descriptors int       `json:"descriptors"`
	Ranks       int       `json:"ranks"`
	Transport   Transport `json:"transport"`

	Stalls       int     `json:"stalls"` // of pieces on ranks, all attempts
	StallSeconds float64 `json:"stall_seconds"`
	Retries      int     `json:"retries"`
	Failed       bool    `json:"failed"`

	// ExposedSeconds is the part of the time to first token that waited for the links and the transfer, with nothing computed.
	ExposedSeconds float64 `json:"exposed_seconds"`
}
