package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// nixlConnector is what vLLM's prefill and decode workers are started with.
const nixlConnector = "NixlConnector"

// engineName is the name of a pool's engine among the books.
func (c *Config) engineName(p *Pool) string {
	name := p.Engine
	if name == TensorRTLLM {
		name = engine.NameTensorRT
	}
	if c.FrontEnd == engine.NameDynamo {
		name = engine.NameDynamo + "-" + name
	}
	return name
}

// engineFacts are what the processes of a pool know of themselves.
func engineFacts(p *Pool, gpu physics.GPU, model physics.Model, start time.Time) engine.Facts {
	f := engine.Facts{
		Start: start, ServedModel: model.ServedName, Version: p.EngineVersion, Role: string(p.Role),
		BlockSize: p.BlockSize, Blocks: p.KVBlocks, MaxModelTokens: p.MaxModelTokens,
		MaxBatchedTokens: p.MaxBatchedTokens, MaxNumSeqs: p.MaxNumSeqs, TensorParallel: p.TensorParallel,
		MemoryBytes: gpu.Memory, MemoryShare: gpuMemoryUtilization, PrefixCaching: p.PrefixCaching, CacheDataType: p.KVPrecision,
		SpeculativeTokens: p.Speculative.Tokens, MaxAdapters: p.MaxAdapters, ResidencySample: p.ResidencySample,
	}
	if p.SlidingWindow > 0 {
		f.SequenceTokens = p.sequenceTokens()
	}
	if p.Engine == VLLM && p.Role != Aggregated {
		f.KVConnector = nixlConnector
	}
	return f
}

// openBook opens the book of a worker's process, which has just started or forgets what it has counted.
func (f *Fleet) openBook(w *worker) error {
	book, err := engine.New(f.cfg.engineName(&f.cfg.Pools[w.pool]), w.facts)
	if err != nil {
		return err
	}
	w.book = book
	return nil
}

// tellLookups tells the engine what was looked up since the last time.
func (w *worker) tellLookups() {
	l := w.lookup
	w.lookup = engine.Lookup{}
	l.Queries += w.sched.lookups.queries
	l.Hits += w.sched.lookups.hits
	w.book.Planned(l)
}

// tellIdling lets a decode worker that waits for KV and has nothing to compute show that: engines go through steps without work then.
func (w *worker) tellIdling(now time.Duration) {
	if w.arriving.len()+len(w.awaiting) > 0 {
		w.book.Step(&engine.Step{End: now, State: w.state()})
	}
}

// state is the scheduler's state between two steps. Where the decode worker fetches, it has one queue for requests without blocks,
// whatever they wait for; where the prefill worker sends, that holds requests back until they have blocks there.
func (w *worker) state() engine.State {
	pool := w.sched.pool
	s := engine.State{
		Running: len(w.sched.running), Waiting: w.sched.waiting.len() - w.sched.deferred + w.landing.len(), Deferred: w.sched.deferred,
		UsedBlocks: pool.size - pool.free, FreeBlocks: pool.free, CachedBlocks: pool.cached,
		RunningTokens: w.sched.tokens, RunningPrefills: len(w.sched.running) - w.sched.decodes,
		PrefillPinned: w.pinned, PinnedBlocks: w.pinnedBlocks,
		AwaitingBlocks: w.arriving.len(), AwaitingKV: len(w.awaiting),
	}
	w.sched.listAdapters(&s)
	switch {
	case !w.push:
		s.Waiting += s.AwaitingBlocks
		s.Deferred += s.AwaitingKV
	case w.role == Prefill:
		s.Deferred += w.bootstrapping
	}
	return s
}
