// Package engine plays the front ends of serving engines: a Book keeps the statistics that its engine keeps, with that engine's
// habits, and writes them as that engine writes them. It knows nothing of scheduling or of what a step costs.
package engine

import (
	"io"
	"time"
)

// Facts are what an engine process knows of itself from its start on.
type Facts struct {
	Start       time.Time // of the process
	ServedModel string
	Version     string // release whose page is spoken; "" is the Book's default
	FrontEnd    string // of vLLM: "" or "python", or "rust"
	Rank        int    // data-parallel rank, from 0
	Ranks       int    // data-parallel ranks of the deployment; 0 is 1
	Role        string // aggregated, prefill or decode; "" is aggregated

	BlockSize        int // tokens per KV block
	Blocks           int // KV blocks, the one never used included
	SequenceTokens   int // of sequences of the greatest length that the blocks have room for; 0: blocks times their size
	MaxModelTokens   int
	MaxBatchedTokens int
	MaxNumSeqs       int
	TensorParallel   int
	MemoryBytes      float64 // of one GPU; 0 is not known
	MemoryShare      float64 // of the GPU memory that the engine may take, 0..1
	PrefixCaching    bool
	CacheDataType    string // of the KV cache; "" is the model's own

	// How the process was started, as far as its page shows it.
	APIServers        int     // processes that share the HTTP port; 0 is 1
	KVConnector       string  // what moves KV between engines, NixlConnector; "" for none
	SpeculativeTokens int     // drafted per sequence and step; 0 without speculative decoding
	MaxAdapters       int     // LoRA adapters that may run together; 0 without LoRA
	ResidencySample   float64 // share of KV blocks whose residency is observed, 0..1; 0 without
	Effort            Effort  // by which the process estimates its own work; zero without
}

// State is the scheduler's state at the end of a step.
type State struct {
	Running  int
	Waiting  int // for scheduling capacity
	Deferred int // held back for another reason: KV on its way, no LoRA slot

	UsedBlocks   int // held by requests
	CachedBlocks int // held by nobody, content still findable
	FreeBlocks   int // held by nobody, CachedBlocks included

	RunningTokens int // tokens with KV of all running requests

	// Adapters of the requests that run and wait, each once, in order of their names.
	RunningAdapters, WaitingAdapters []string

	// Disaggregated serving.
	PrefillPinned   int // requests prefilled here whose KV has not been fetched yet (prefill)
	AwaitingBlocks  int // requests that wait for blocks before their KV can come (decode)
	AwaitingKV      int // requests whose KV is on its way (decode)
	PinnedBlocks    int // blocks of PrefillPinned
	RunningPrefills int // requests whose prompt is being computed
}

// Step is one finished engine step.
type Step struct {
	End     time.Duration // since the start of the simulation
	Seconds float64

	PrefillTokens    int // prompt tokens computed
	PrefillSequences int // requests these belong to; 0 is not known
	DecodeSequences  int

	PrefillContext float64 // sum over the prompt tokens of the tokens they attend to, tokens^2
	DecodeContext  float64 // tokens that the decoding sequences attend to

	Outputs        int // tokens produced
	CreditedPrompt int // computed prompt tokens of the requests that got their first token in this step
	Preemptions    int // of requests that produced a token again in this step

	Drafted, Accepted int   // speculative tokens proposed and kept
	Drafts            int   // sequences that had a draft
	AcceptedAt        []int // of Accepted, by position in the draft; nil if not known

	State
}

// Lookup is what the scheduler asked the prefix caches for while it planned a step, in tokens.
type Lookup struct {
	Queries, Hits             int // cache of this engine
	RemoteQueries, RemoteHits int // KV of another engine
}

// Request is what an engine knows of a request; times since the start of the simulation.
type Request struct {
	Arrival        time.Duration // at the API server
	Queued         time.Duration // seen by the engine core
	FirstScheduled time.Duration
	FirstToken     time.Duration
	LastToken      time.Duration

	PromptTokens    int
	CachedTokens    int // found in the prefix cache of this engine when first scheduled
	RemoteTokens    int // fetched from another engine
	GeneratedTokens int
	NaturalTokens   int // length at which the model stops by itself
	Preemptions     int
	Adapter         string // LoRA adapter, "" for none
	Aborted         bool
}

// computed is the part of the prompt that was neither cached nor fetched, in tokens.
func (r *Request) computed() int { return max(r.PromptTokens-r.CachedTokens-r.RemoteTokens, 0) }

// Transfer is one fetch of KV by a decode engine from a prefill engine.
type Transfer struct {
	Seconds            float64 // from the post to the completion
	PostSeconds        float64 // of posting it
	BootstrapSeconds   float64 // from the meeting of the two engines' requests to the post
	AllocSeconds       float64 // of waiting for blocks to receive it
	Bytes              float64
	Descriptors        int
	Tokens             int
	Failed             bool
	NotificationFailed bool // the KV came, the word of it to the other side did not
}

// Eviction is a cached KV block that was taken for other content.
type Eviction struct {
	Lifetime time.Duration   // since its allocation
	Idle     time.Duration   // since its last use
	Gaps     []time.Duration // between its uses, the last few
}

// Page is a page of metrics.
type Page interface {
	// WritePage writes the page.
	WritePage(w io.Writer) error
	// ContentType is the media type of that page.
	ContentType() string
	// Endpoints are the paths that the HTTP server answers, that page's among them.
	Endpoints() []Endpoint
}

// Book keeps one engine core's statistics. It is not safe for concurrent use.
type Book interface {
	Page
	// Planned is told what a step looked up, whether or not the step then has work.
	Planned(Lookup)
	// Step is told of every finished step, after the tokens it produced.
	Step(*Step)
	// FirstToken is told when a request gets its first token.
	FirstToken(*Request)
	// Intervals is told that n sequences got a further token that long after their previous one.
	Intervals(d time.Duration, n int)
	// Finished is told of a request's last token, or of its end without one.
	Finished(*Request)
	// Transferred is told of a fetch of KV by this engine that ended.
	Transferred(*Transfer)
	// Sent is told of a fetch of this engine's KV by another one that ended.
	Sent(*Transfer)
	// Expired is told that n requests' KV was given up because nobody fetched it in time.
	Expired(n int)
	// Evicted is told of a cached block that was taken for other content.
	Evicted(*Eviction)
}
