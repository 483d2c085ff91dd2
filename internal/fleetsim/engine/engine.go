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
	Rank        int    // data-parallel rank, from 0
	Role        string // aggregated, prefill or decode

	BlockSize        int // tokens per KV block
	Blocks           int // KV blocks, the one never used included
	MaxModelTokens   int
	MaxBatchedTokens int
	MaxNumSeqs       int
	TensorParallel   int
	MemoryShare      float64 // of the GPU memory that the engine may take, 0..1
	PrefixCaching    bool
	CacheDataType    string // of the KV cache; "" is the model's own
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

	PrefillTokens   int // prompt tokens computed
	DecodeSequences int

	Outputs        int // tokens produced
	CreditedPrompt int // computed prompt tokens of the requests that got their first token in this step
	Preemptions    int // of requests that produced a token again in this step

	Drafted, Accepted int // speculative tokens proposed and kept
	Drafts            int // sequences that had a draft

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

// Transfer is one fetch of KV as the fetching engine sees it.
type Transfer struct {
	Seconds     float64 // from the post to the completion
	PostSeconds float64 // of posting it
	Bytes       float64
	Descriptors int
	Tokens      int
	Failed      bool
}

// Book keeps one engine core's statistics. It is not safe for concurrent use.
type Book interface {
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
	// Transferred is told of a fetch of KV that ended.
	Transferred(*Transfer)
	// Expired is told that n requests' KV was given up because nobody fetched it in time.
	Expired(n int)
	// WritePage writes the page of metrics.
	WritePage(w io.Writer) error
	// ContentType is the media type of that page.
	ContentType() string
}
