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

	// PrefixID names a prompt prefix of PrefixTokens tokens shared with all requests of the same ID; 0 is no shared prefix.
	PrefixID     uint64
	PrefixTokens int

	// HashIDs names the content of the prompt in pieces of HashTokens tokens, each ID standing for everything up to and including
	// its piece (the form of the Mooncake traces).
	HashIDs    []uint64
	HashTokens int

	Adapter int // LoRA adapter, from 1; 0: as Config.Adapters says

	// FrontEnd is how long the request was on its way from the client before At.
	FrontEnd time.Duration
}

// request is an arrival inside a worker.
type request struct {
	Request
	number  uint64 // in order of arrival, from 0
	attempt int    // times it was sent before
	unique  uint64 // identity of everything that is not shared
	counted bool   // as an arrival
	resend  bool   // its client may send it again
	begun   bool   // its client has had a first token, of whichever attempt
	hand    *handoff

	blocks    []int32
	inWindow  windowPages
	nameless  int  // pages held beside the blocks
	named     int  // most pages that are held as blocks
	stored    int  // leading pages already in the prefix cache
	looked    bool // its prompt has been looked up in the prefix cache
	computed  int  // tokens with keys and values in the cache
	reached   int  // most tokens it ever had computed: below that, computing is done again
	generated int  // tokens sampled so far
	decoding  bool
	limit     int // most tokens it may generate

	shares       RequestShares
	cachedTokens int // prefix hit when first scheduled
	remoteTokens int // prompt tokens whose KV comes from another worker
	preemptions  int
	unreported   int // preemptions the engine has not counted yet: their events travel with the next token

	sent           time.Duration // by its client; later than At if it was sent before
	arrived        time.Duration // at this worker's API server
	queued         time.Duration // seen by the engine core
	firstScheduled time.Duration
	firstToken     time.Duration
	lastToken      time.Duration
}

// again is the request as its client sent it.
func (r *request) again() *request {
	return &request{
		Request: r.Request, number: r.number, attempt: r.attempt, unique: r.unique,
		counted: r.counted, resend: r.resend, begun: r.begun, sent: r.sent,
	}
}

// computedPrompt is how many of its prompt tokens are computed on this worker until its first token.
func (r *request) computedPrompt() int { return max(r.PromptTokens-r.cachedTokens-r.remoteTokens, 1) }

// tokens is the length of prompt and answer so far: what must be in the cache before the next token can be sampled.
func (r *request) tokens() int { return r.PromptTokens + r.generated }

// blockHash identifies the content of the i-th block together with everything before it.
func (r *request) blockHash(i, blockSize int) uint64 {
	hash := r.textHash(i, blockSize)
	if r.Adapter != 0 {
		hash = mix(hash, adapterSpace^uint64(r.Adapter))
	}
	return hash
}

// textHash is blockHash without the adapter, with which the same text has other keys and values.
func (r *request) textHash(i, blockSize int) uint64 {
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

// tell writes down what the engine knows of the request now.
func (r *request) tell(t *engine.Request) *engine.Request {
	*t = engine.Request{
		Arrival: r.arrived, Queued: r.queued, FirstScheduled: r.firstScheduled, FirstToken: r.firstToken, LastToken: r.lastToken,
		PromptTokens: r.PromptTokens, CachedTokens: r.cachedTokens, RemoteTokens: r.remoteTokens,
		GeneratedTokens: r.generated, NaturalTokens: r.OutputTokens,
		Preemptions: r.preemptions, Adapter: adapterName(r.Adapter),
	}
	return t
}
