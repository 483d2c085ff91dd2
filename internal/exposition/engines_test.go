package exposition

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// played is an engine whose page is written by the simulator's book of it.
type played struct {
	name, version, frontEnd, role string
	ranks                         int // 0: one, without a joint page
}

func (p played) String() string {
	parts := []string{p.name}
	for _, s := range []string{p.version, p.frontEnd, p.role} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if p.ranks > 1 {
		parts = append(parts, fmt.Sprintf("dp%d", p.ranks))
	}
	return strings.Join(parts, "-")
}

func enginesPlayed() []played {
	return []played{
		{name: "vllm", version: "0.6.6"}, {name: "vllm", version: "0.8.5"}, {name: "vllm", version: "0.9.2"}, {name: "vllm", version: "0.11.0"},
		{name: "vllm", version: "0.16.0"}, {name: "vllm", version: "0.24.0", frontEnd: "rust"}, {name: "vllm", version: "0.30.0", frontEnd: "rust"},
		{name: "vllm", version: "0.32.0"}, {name: "vllm", version: "0.32.0", role: "decode", ranks: 2},
		{name: "sglang", version: "0.4.10"}, {name: "sglang", version: "0.5.5", role: "prefill"}, {name: "sglang", version: "0.5.22"},
		{name: "sglang", version: "0.5.22", role: "prefill"}, {name: "sglang", version: "0.5.22", role: "decode", ranks: 2},
		{name: "tensorrt_llm", version: "1.0.0"}, {name: "tensorrt_llm", version: "1.2.0"}, {name: "tensorrt_llm", version: "1.3.0"}, {name: "tensorrt_llm", version: "1.4.0"},
		{name: "dynamo-vllm", role: "prefill"}, {name: "dynamo-sglang", role: "decode"}, {name: "dynamo-tensorrt_llm"},
	}
}

// What the played engines have done: requests of 300 prompt tokens, of which 64 were cached and 36 fetched, and 3 output tokens.
const (
	playedRequests  = 5
	playedPrompt    = playedRequests * 300
	playedCached    = playedRequests * 64
	playedFetched   = playedRequests * 36
	playedGenerated = playedRequests * 3
	playedStep      = 20 * time.Millisecond
	playedCapacity  = 100 * 16
)

func (p played) page(t testing.TB) engine.Page {
	t.Helper()
	var books []engine.Book
	for rank := range max(p.ranks, 1) {
		f := engine.Facts{
			Start: start(), ServedModel: "org/model", Version: p.version, FrontEnd: p.frontEnd, Role: p.role, Rank: rank, Ranks: p.ranks,
			BlockSize: 16, Blocks: 101, MaxModelTokens: 2048, MaxBatchedTokens: 512, MaxNumSeqs: 8, TensorParallel: 2, MemoryBytes: 80e9,
			MemoryShare: 0.9, PrefixCaching: true, SpeculativeTokens: 2, MaxAdapters: 4, ResidencySample: 0.5, KVConnector: "NixlConnector",
			Effort: engine.Effort{TokenFLOPs: 100, ContextFLOPs: 2, WeightBytes: 1000, CacheBytes: 10},
		}
		b, err := engine.New(p.name, f)
		require.NoError(t, err)
		books = append(books, b)
	}
	var page engine.Page = books[0]
	if p.ranks > 1 {
		var err error
		page, err = engine.Join(books...)
		require.NoError(t, err)
	}
	for _, b := range books {
		work(b)
	}
	return page
}

// work lets a book see its requests one after the other.
func work(b engine.Book) {
	state := engine.State{
		Running: 3, Waiting: 4, Deferred: 2, UsedBlocks: 25, CachedBlocks: 15, FreeBlocks: 75, RunningTokens: 390,
		RunningAdapters: []string{"chat", "sql"}, WaitingAdapters: []string{"law"},
		PrefillPinned: 5, AwaitingBlocks: 6, AwaitingKV: 7, RunningPrefills: 1,
	}
	now := time.Duration(0)
	for i := range playedRequests {
		r := engine.Request{
			Arrival: now, Queued: now + time.Millisecond, FirstScheduled: now + 2*time.Millisecond, PromptTokens: 300, CachedTokens: 64,
			RemoteTokens: 36, GeneratedTokens: 3, NaturalTokens: 3 + i%2, Preemptions: i % 2,
		}
		b.Planned(engine.Lookup{Queries: 300, Hits: 64, RemoteQueries: 236, RemoteHits: 36})
		now += playedStep
		r.FirstToken = now
		b.FirstToken(&r)
		b.Step(&engine.Step{
			End: now, Seconds: playedStep.Seconds(), PrefillTokens: 200, PrefillSequences: 1, PrefillContext: 40000, Outputs: 1,
			CreditedPrompt: 200, Preemptions: i % 2, State: state,
		})
		for j := range 2 {
			now += playedStep
			r.LastToken = now
			b.Intervals(playedStep, 1)
			if j == 1 {
				b.Finished(&r)
			}
			b.Step(&engine.Step{
				End: now, Seconds: playedStep.Seconds(), DecodeSequences: 1, DecodeContext: 301, Outputs: 1, Drafts: 1, Drafted: 2,
				Accepted: 1, State: state,
			})
		}
	}
	// Ten more steps of others reach the log interval of engines that renew their figures only when they log.
	for range 40 {
		now += playedStep
		b.Step(&engine.Step{End: now, Seconds: playedStep.Seconds(), DecodeSequences: 1, DecodeContext: 301, State: state})
	}
	b.Transferred(&engine.Transfer{Seconds: 0.02, PostSeconds: 0.002, Bytes: 1 << 20, Descriptors: 64, Tokens: 36})
	b.Sent(&engine.Transfer{Seconds: 0.01, BootstrapSeconds: 0.003, AllocSeconds: 0.004, Bytes: 5e8})
	b.Expired(2)
	b.Evicted(&engine.Eviction{Lifetime: 10 * time.Second, Idle: time.Second, Gaps: []time.Duration{2 * time.Second}})
}

// written returns the page and whether it is OpenMetrics.
func writtenPage(t testing.TB, p engine.Page) (page []byte, openMetrics bool) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, p.WritePage(&b))
	return body(b.String()), strings.HasPrefix(p.ContentType(), "application/openmetrics-text")
}

// TestEnginesGolden reads a page of every engine and version that the simulator plays: nothing is unknown, dropped or doubled, and
// what comes out is written down.
func TestEnginesGolden(t *testing.T) {
	for _, p := range enginesPlayed() {
		t.Run(p.String(), func(t *testing.T) {
			page, openMetrics := writtenPage(t, p.page(t))
			b := newBook(t, func(s *Settings) { s.Vocabulary = NewVocabulary(signal.PresetFull) })
			md, report, err := b.Scrape(page, openMetrics, start().Add(100*time.Second), "")
			require.NoError(t, err)
			assert.Empty(t, report.Drift)
			assert.Zero(t, report.BadHistograms+report.RejectedBad+report.BrokenLines+report.RejectedLimit)
			checkSound(t, md)
			points := 0
			for _, rm := range md.ResourceMetrics().All() {
				for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
					points += checkMetric(t, m)
				}
			}
			assert.LessOrEqual(t, points, maxPointsPerWorker*md.ResourceMetrics().Len())
			compareGolden(t, filepath.Join("testdata", "engines", p.String()+".golden"), text(md))
		})
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}
