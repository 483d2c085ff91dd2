package fleetsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// split is a fleet of prefill and decode workers of a small deployment.
func split(engineName string, prefill, decode int, requests ...Request) Config {
	cfg := DefaultConfig()
	cfg.StepNoise = 0
	cfg.Workload = Script(requests)
	cfg.Link.Noise = 0
	p := DefaultPool()
	p.Model, p.TensorParallel, p.Engine = "llama-3-8b", 2, engineName
	p.MaxBatchedTokens, p.MaxNumSeqs, p.MaxModelTokens, p.KVBlocks = 256, 8, 1024, 400
	d := p
	p.Name, p.Role, p.Workers = "p", Prefill, prefill
	d.Name, d.Role, d.Workers = "d", Decode, decode
	cfg.Pools = []Pool{p, d}
	return cfg
}

// same compares two times, s.
func same(t *testing.T, name string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-8*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: got %.9f, want %.9f", name, got, want)
	}
}

// observed is everything the hooks saw.
type observed struct {
	steps     []StepTruth
	requests  []RequestTruth
	transfers []TransferTruth
}

func observe(cfg *Config) *observed {
	o := &observed{}
	cfg.OnStep = func(s StepTruth) { o.steps = append(o.steps, s) }
	cfg.OnRequest = func(r RequestTruth) { o.requests = append(o.requests, r) }
	cfg.OnTransfer = func(x TransferTruth) { o.transfers = append(o.transfers, x) }
	return o
}

// One prompt of 100 tokens (7 blocks) and 3 output tokens: a prefill step on worker 0, a transfer, and on worker 1 the last prompt token
// with the first output token, then two decodes.
func TestVLLMHandOverFollowedByHand(t *testing.T) {
	cfg := split(VLLM, 1, 1, Request{PromptTokens: 100, OutputTokens: 3})
	o := observe(&cfg)
	f := start(t, cfg)
	finish(t, f)
	if len(o.steps) != 4 || len(o.transfers) != 1 || len(o.requests) != 1 {
		t.Fatalf("%d steps, %d transfers, %d requests", len(o.steps), len(o.transfers), len(o.requests))
	}
	x, r := o.transfers[0], o.requests[0]
	kv := f.model.KVBytesPerToken("")
	if x.Source != 0 || x.Destination != 1 || x.Tokens != 112 || x.Bytes != 112*kv || x.Ranks != 2 || x.Descriptors != 7*32*2*2 || x.Transport != RDMA {
		t.Errorf("transfer: %+v", x)
	}
	prefilled := o.steps[0].StartSeconds + o.steps[0].Seconds
	length := 1.5e-3 + 112*kv/(2*45e9)
	same(t, "posted", x.PostedSeconds, prefilled)
	same(t, "end", x.EndSeconds, prefilled+length)
	same(t, "exposed", x.ExposedSeconds, length)
	same(t, "decode starts", o.steps[1].StartSeconds, x.EndSeconds)
	same(t, "first token", r.FirstTokenSeconds, o.steps[1].StartSeconds+o.steps[1].Seconds)
	same(t, "last token", r.LastTokenSeconds, o.steps[3].StartSeconds+o.steps[3].Seconds)
	if o.steps[1].PrefillTokens != 1 || o.steps[1].PrefillContext != 100 || o.steps[2].DecodeSequences != 1 || o.steps[3].DecodeContext != 102 {
		t.Errorf("steps: %+v", o.steps[1:])
	}
	if r.Worker != 1 || r.PrefillWorker != 0 || r.RemoteTokens != 100 || r.CachedTokens != 0 || r.OutputTokens != 3 {
		t.Errorf("request: %+v", r)
	}
	same(t, "prefill stage", r.Stages.Prefill, o.steps[0].Seconds)
	same(t, "transfer stage", r.Stages.Transfer, length)
	same(t, "join stage", r.Stages.Join, o.steps[1].Seconds)
	same(t, "decode stage", r.Stages.Decode, o.steps[2].Seconds+o.steps[3].Seconds)

	truth, p, d := f.Truth(), f.PoolTruth(0), f.PoolTruth(1)
	if truth.ArrivedRequests != 1 || truth.FinishedRequests != 1 || truth.PromptTokens != 100 || truth.OutputTokens != 3 {
		t.Errorf("fleet: %+v", truth)
	}
	if p.PrefillTokens != 100 || p.DecodeTokens != 0 || p.OutputTokens != 0 || p.Transfers.Prefills != 1 {
		t.Errorf("prefill pool: %+v", p)
	}
	if d.PrefillTokens != 1 || d.DecodeTokens != 2 || d.Transfers.LastTokens != 1 || d.Transfers.LeakedTokens != 0 || d.Transfers.Fetched != 1 || d.TTFT.Count != 1 {
		t.Errorf("decode pool: %+v", d)
	}
}

// The same with SGLang: the first token comes with the KV, two decodes are left.
func TestSGLangHandOverFollowedByHand(t *testing.T) {
	cfg := split(SGLang, 1, 1, Request{PromptTokens: 100, OutputTokens: 3})
	o := observe(&cfg)
	f := start(t, cfg)
	finish(t, f)
	if len(o.steps) != 3 || len(o.transfers) != 1 || len(o.requests) != 1 {
		t.Fatalf("%d steps, %d transfers, %d requests", len(o.steps), len(o.transfers), len(o.requests))
	}
	r := o.requests[0]
	same(t, "first token", r.FirstTokenSeconds, o.transfers[0].EndSeconds)
	same(t, "last token", r.LastTokenSeconds, o.steps[2].StartSeconds+o.steps[2].Seconds)
	if o.steps[1].DecodeSequences != 1 || o.steps[1].DecodeContext != 101 || o.steps[2].DecodeContext != 102 {
		t.Errorf("steps: %+v", o.steps[1:])
	}
	if truth := f.Truth(); truth.OutputTokens != 3 || truth.ITL.Count != 2 || truth.PrefillTokens != 100 || truth.Transfers.LeakedTokens != 0 {
		t.Errorf("truth: %+v", truth)
	}
}

// An answer of one token is over with the hand-over.
func TestAnswersOfOneToken(t *testing.T) {
	for _, name := range []string{VLLM, SGLang, TensorRTLLM} {
		f := start(t, split(name, 1, 1, Request{PromptTokens: 64, OutputTokens: 1}))
		finish(t, f)
		if truth := f.Truth(); truth.FinishedRequests != 1 || truth.OutputTokens != 1 || truth.ITL.Count != 0 || truth.Goodput.Both != 1 {
			t.Errorf("%s: %+v", name, truth)
		}
		checkAllBlocks(t, f, true)
	}
}

// Blocks the decode worker has cached are not fetched.
func TestCachedPrefixIsNotFetched(t *testing.T) {
	once := Request{PromptTokens: 100, OutputTokens: 2, PrefixID: 7, PrefixTokens: 96}
	again := once
	again.At = time.Second
	for _, name := range []string{VLLM, SGLang} {
		cfg := split(name, 1, 1, once, again)
		o := observe(&cfg)
		f := start(t, cfg)
		finish(t, f)
		if o.transfers[0].Tokens != 112 || o.transfers[1].Tokens != 16 || o.requests[1].RemoteTokens != 4 || o.requests[1].CachedTokens != 96 {
			t.Errorf("%s: %+v %+v", name, o.transfers, o.requests[1])
		}
		if got := f.Truth().Transfers.LocalTokens; got != 96 {
			t.Errorf("%s: %d tokens were found on the decode worker, want 96", name, got)
		}
	}
}

// checkAllBlocks holds every pool to its books; drained pools must be empty.
func checkAllBlocks(t *testing.T, f *Fleet, drained bool) {
	t.Helper()
	checkAwake(t, f)
	checkRequests(t, f)
	for _, w := range f.workers {
		checkBlocks(t, w)
		pinned := 0
		for _, h := range w.handoffs {
			if h.pinned != nil {
				pinned += h.pinned.pages()
			}
		}
		if pinned != w.pinnedBlocks {
			t.Fatalf("worker %d: %d pages pinned, %d counted", w.index, pinned, w.pinnedBlocks)
		}
		p := w.sched.pool
		if drained && (p.free != p.size || w.load() != 0 || len(w.handoffs) != 0 || w.pinned != 0 || w.bootstrapping != 0) {
			t.Fatalf("worker %d: %d of %d pages free, load %d, %d hand-overs, %d pinned", w.index, p.free, p.size, w.load(), len(w.handoffs), w.pinned)
		}
		if drained && (len(w.egress.waiting) != 0 || len(w.ingress.waiting) != 0 || w.egress.busy || w.ingress.busy) {
			t.Fatalf("worker %d: links are not free", w.index)
		}
	}
}

// traffic is n random requests with shared prefixes, and their prompt and output tokens together.
func traffic(seed uint64, n int, gap time.Duration) (requests Script, prompt, output int64) {
	random := rand.New(rand.NewPCG(seed, 3))
	for i := range n {
		r := Request{
			At: time.Duration(i) * gap, PromptTokens: 1 + random.IntN(600), OutputTokens: 1 + random.IntN(60), PrefixID: uint64(1 + random.IntN(4)),
		}
		r.PrefixTokens = min(r.PromptTokens, 200)
		prompt, output = prompt+int64(r.PromptTokens), output+int64(r.OutputTokens)
		requests = append(requests, r)
	}
	return requests, prompt, output
}

// Random traffic through fleets short of blocks: nothing is lost or made twice on the way.
func TestTokensAndBlocksAreConserved(t *testing.T) {
	for seed := range uint64(4) {
		for _, name := range []string{VLLM, SGLang, TensorRTLLM} {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				requests, prompt, output := traffic(seed, 200, 4*time.Millisecond)
				cfg := split(name, 2, 3)
				cfg.Workload, cfg.Seed, cfg.StepNoise, cfg.Link.Noise = requests, seed, 0.02, 0.15
				cfg.Router = []Router{RoundRobin, LeastLoaded, PrefixAware, Random}[seed]
				cfg.Pools[0].KVBlocks, cfg.Pools[1].KVBlocks = 120, 70+20*int(seed)
				o := observe(&cfg)
				f := start(t, cfg)
				for !f.Done() {
					advance(t, f, f.Now()+20*time.Millisecond)
					checkAllBlocks(t, f, false)
				}
				checkAllBlocks(t, f, true)
				checkConservation(t, f, o, prompt, output)
			})
		}
	}
}

func checkConservation(t *testing.T, f *Fleet, o *observed, prompt, output int64) {
	t.Helper()
	n := int64(len(o.requests))
	truth, p, d := f.Truth(), f.PoolTruth(0), f.PoolTruth(1)
	if n != 200 || truth.FinishedRequests != n || truth.ArrivedRequests != n || truth.PromptTokens != prompt || truth.OutputTokens != output {
		t.Fatalf("%d requests: %+v", n, truth)
	}
	x := truth.Transfers
	if d.Preemptions == 0 || x.LocalTokens == 0 || x.WaitSeconds == 0 {
		t.Errorf("the run did not exercise everything: %d preemptions, %+v", d.Preemptions, x)
	}
	if x.Prefills != n || x.Fetched != n || x.Failed != 0 || x.ExpiredLeases != 0 {
		t.Errorf("hand-overs: %+v", x)
	}
	// What the prefill side did not find cached it computed, once plus recomputation.
	if got := p.PrefillTokens - p.RecomputedTokens; got < prompt-p.CachedTokens || got > prompt-p.CachedTokens+p.Preemptions {
		t.Errorf("prefill side computed %d of %d prompt tokens, %d cached, %d preemptions", got, prompt, p.CachedTokens, p.Preemptions)
	}
	// The decode side computes the last prompt token, if anything, and what a preemption takes away.
	first := int64(0)
	if f.workers[0].firstToken {
		first = n
	}
	if x.LastTokens != n-first || x.LeakedTokens < d.RecomputedTokens || x.LeakedTokens > d.RecomputedTokens+d.Preemptions {
		t.Errorf("decode side: %d last tokens, %d leaked with %d recomputed", x.LastTokens, x.LeakedTokens, d.RecomputedTokens)
	}
	if lost := output - n - d.DecodeTokens; lost < 0 || lost > d.Preemptions {
		t.Errorf("%d decodes for %d tokens of %d requests, %d preemptions", d.DecodeTokens, output, n, d.Preemptions)
	}
	var tokens, remote int64
	var bytes float64
	for _, t := range o.transfers {
		tokens += int64(t.Tokens)
		bytes += t.Bytes
	}
	kv := f.model.KVBytesPerToken("")
	for _, r := range o.requests {
		remote += int64(r.RemoteTokens)
		s := r.Stages
		sum := s.Queue + s.Prefill + s.BlockWait + s.LinkWait + s.Transfer + s.Join + s.Decode
		same(t, "stages", sum, r.LastTokenSeconds-r.ArrivalSeconds)
		if min(s.Queue, s.Prefill, s.BlockWait, s.LinkWait, s.Transfer, s.Join, s.Decode) < 0 {
			t.Errorf("a stage is negative: %+v", r)
		}
	}
	if tokens != x.Tokens || bytes != x.Bytes || bytes != float64(tokens)*kv || remote+x.LocalTokens != prompt || tokens < remote || tokens > remote+15*n {
		t.Errorf("moved %d tokens (%d in the sums) and %g bytes for %d remote of %d prompt tokens", tokens, x.Tokens, bytes, remote, prompt)
	}
}
