package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// Request is one arrival: what a client sends and how much the model will answer.
type Request struct {
	At           time.Duration // simulated time of arrival
	PromptTokens int
	OutputTokens int // tokens until the model stops by itself

	// FrontEnd is how long the request was on its way from the client before At.
	FrontEnd time.Duration

	// PrefixID names a prompt prefix of PrefixTokens tokens shared with all requests of the same ID; 0 is no shared prefix.
	PrefixID     uint64
	PrefixTokens int

	// HashIDs names the content of the prompt in pieces of HashTokens tokens, each ID standing for everything up to and including
	// its piece (the form of the Mooncake traces).
	HashIDs    []uint64
	HashTokens int
}

// RequestTruth is what really happened to one finished request, times since the start of the simulation.
type RequestTruth struct {
	Worker                int     `json:"worker"`
	ArrivalSeconds        float64 `json:"arrival_seconds"`
	FrontEndSeconds       float64 `json:"front_end_seconds"` // between the client and the arrival
	FirstScheduledSeconds float64 `json:"first_scheduled_seconds"`
	FirstTokenSeconds     float64 `json:"first_token_seconds"`
	LastTokenSeconds      float64 `json:"last_token_seconds"`
	PromptTokens          int     `json:"prompt_tokens"`
	CachedTokens          int     `json:"cached_tokens"`
	OutputTokens          int     `json:"output_tokens"`
	Preemptions           int     `json:"preemptions"`
}

// request is an arrival inside a worker.
type request struct {
	Request
	unique uint64 // identity of everything that is not shared

	blocks    []int32
	stored    int // leading blocks already in the prefix cache
	computed  int // tokens with keys and values in the cache
	reached   int // most tokens it ever had computed: below that, computing is done again
	generated int // tokens sampled so far
	decoding  bool
	limit     int // most tokens it may generate

	cachedTokens int // prefix hit when first scheduled
	preemptions  int
	unreported   int // preemptions the engine has not counted yet: their events travel with the next token

	queued         time.Duration // seen by the engine core
	firstScheduled time.Duration
	firstToken     time.Duration
	lastToken      time.Duration
}

// tokens is the length of prompt and answer so far: what must be in the cache before the next token can be sampled.
func (r *request) tokens() int { return r.PromptTokens + r.generated }

// blockHash identifies the content of the i-th block together with everything before it.
func (r *request) blockHash(i, blockSize int) uint64 {
	end := (i + 1) * blockSize
	if end <= r.PrefixTokens {
		return mix(r.PrefixID, uint64(i))
	}
	if piece := i * blockSize / max(r.HashTokens, 1); end <= r.PromptTokens && piece < len(r.HashIDs) {
		return mix(r.HashIDs[piece]^hashIDSpace, uint64(i))
	}
	return mix(r.unique, uint64(i))
}

// hashIDSpace keeps trace identifiers, which start at 0, apart from prefix and request identifiers.
const hashIDSpace = 0x9d5c_0000_0000_0000

// mix hashes two words (the finaliser of SplitMix64 over their combination).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// told is what the engine knows of the request now.
func (r *request) told() *engine.Request {
	return &engine.Request{
		Arrival: r.At, Queued: r.queued, FirstScheduled: r.firstScheduled, FirstToken: r.firstToken, LastToken: r.lastToken,
		PromptTokens: r.PromptTokens, CachedTokens: r.cachedTokens, GeneratedTokens: r.generated, NaturalTokens: r.OutputTokens,
		Preemptions: r.preemptions,
	}
}

func (r *request) truth(worker int) RequestTruth {
	return RequestTruth{
		Worker:                worker,
		ArrivalSeconds:        r.At.Seconds(),
		FrontEndSeconds:       r.FrontEnd.Seconds(),
		FirstScheduledSeconds: r.firstScheduled.Seconds(),
		FirstTokenSeconds:     r.firstToken.Seconds(),
		LastTokenSeconds:      r.lastToken.Seconds(),
		PromptTokens:          r.PromptTokens,
		CachedTokens:          r.cachedTokens,
		OutputTokens:          r.generated,
		Preemptions:           r.preemptions,
	}
}
