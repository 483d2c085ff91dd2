package engine

import (
	"bytes"
	"testing"
	"time"
)

// facts are those of a small worker.
func facts() Facts {
	return Facts{
		Start: time.Unix(1732500000, 0), ServedModel: "org/model", BlockSize: 16, Blocks: 101, MaxModelTokens: 2048,
		MaxBatchedTokens: 512, MaxNumSeqs: 8, TensorParallel: 2, MemoryShare: 0.9, PrefixCaching: true,
	}
}

// everything are facts of a worker with all options on.
func everything() Facts {
	f := facts()
	f.KVConnector, f.SpeculativeTokens, f.MaxAdapters, f.ResidencySample = connectorNIXL, 2, 4, 0.5
	f.Effort = Effort{TokenFLOPs: 100, ContextFLOPs: 2, WeightBytes: 1000, CacheBytes: 10}
	return f
}

func newBook(t testing.TB, name string, f Facts) Book {
	t.Helper()
	b, err := New(name, f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pageOf(t testing.TB, p Page) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.WritePage(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// requests answered by feed, and what they add up to.
const (
	fedRequests  = 5
	fedPrompt    = 5 * 300
	fedCached    = 5 * 64
	fedRemote    = 5 * 36
	fedComputed  = 5 * 200
	fedGenerated = 5 * 3
	fedSteps     = 5 * 3
	fedStep      = 20 * time.Millisecond
)

// feed lets a book see five requests of 300 prompt tokens, one after the other: 64 tokens cached, 36 fetched, 200 computed in one
// step, and two further tokens in a step each. Every second one reaches its limit. Then what else there is to tell.
func feed(b Book) {
	now := time.Duration(0)
	for i := range fedRequests {
		r := Request{Arrival: now, Queued: now + time.Millisecond, FirstScheduled: now + 2*time.Millisecond,
			PromptTokens: 300, CachedTokens: 64, RemoteTokens: 36, GeneratedTokens: 3, NaturalTokens: 3 + i%2, Preemptions: i % 2}
		b.Planned(Lookup{Queries: 300, Hits: 64, RemoteQueries: 236, RemoteHits: 36})
		now += fedStep
		r.FirstToken = now
		b.FirstToken(&r)
		b.Step(&Step{End: now, Seconds: fedStep.Seconds(), PrefillTokens: 200, PrefillSequences: 1, PrefillContext: 40000, Outputs: 1,
			CreditedPrompt: 200, Preemptions: i % 2, State: fedState()})
		for j := range 2 {
			now += fedStep
			r.LastToken = now
			b.Intervals(fedStep, 1)
			if j == 1 {
				b.Finished(&r)
			}
			b.Step(&Step{End: now, Seconds: fedStep.Seconds(), DecodeSequences: 1, DecodeContext: 301, Outputs: 1,
				Drafts: 1, Drafted: 2, Accepted: 1, State: fedState()})
		}
	}
	b.Transferred(&Transfer{Seconds: 0.02, PostSeconds: 0.002, Bytes: 1 << 20, Descriptors: 64, Tokens: 36})
	b.Transferred(&Transfer{Failed: true})
	b.Transferred(&Transfer{Seconds: 0.02, Bytes: 1 << 20, Descriptors: 64, NotificationFailed: true})
	b.Sent(&Transfer{Seconds: 0.01, BootstrapSeconds: 0.003, AllocSeconds: 0.004, Bytes: 5e8})
	b.Expired(2)
	b.Evicted(&Eviction{Lifetime: 10 * time.Second, Idle: time.Second, Gaps: []time.Duration{2 * time.Second, 3 * time.Second}})
	b.Evicted(&Eviction{Lifetime: 20 * time.Second, Idle: 2 * time.Second, Gaps: []time.Duration{4 * time.Second}})
}

// fedState is the state at the end of every step of feed.
func fedState() State {
	return State{
		Running: 3, Waiting: 4, Deferred: 2, UsedBlocks: 25, CachedBlocks: 15, FreeBlocks: 75, RunningTokens: 390,
		RunningAdapters: []string{"chat", "sql"}, WaitingAdapters: []string{"law"},
		PrefillPinned: 5, AwaitingBlocks: 6, AwaitingKV: 7, RunningPrefills: 1,
	}
}
