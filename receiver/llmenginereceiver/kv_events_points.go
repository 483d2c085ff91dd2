package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// points writes what a stream of KV events says.
func (s *kvSnapshot) points(w *pointWriter, connected bool) {
	w.flag(signal.SourceConnected, signal.AttrSource, signal.SourceKVEvents, connected)
	if !s.started {
		return
	}
	for _, c := range []struct {
		outcome string
		n       uint64
	}{
		{"taken", s.counts.taken}, {"replayed", s.counts.replayed}, {"duplicate", s.counts.duplicate}, {"malformed", s.counts.malformed},
		{"misframed", s.counts.misframed}, {"foreign", s.counts.foreign}, {"refused", s.counts.refused}, {"replay_failed", s.counts.replayFailed},
	} {
		w.messages(signal.SourceKVEvents, c.outcome, c.n)
	}
	w.count(signal.SourceLost, signal.AttrSource, signal.SourceKVEvents, s.counts.lost)
	w.flag(signal.KVEventsKnown, "", "", s.state.Known)
	w.count(signal.KVEventGaps, "", "", s.totals.Gaps)
	w.count(signal.KVEventResyncs, "", "", s.totals.Resyncs)
	w.count(signal.KVUnknownRemovals, "", "", s.totals.UnknownRemovals)
	s.blocks(w)
	s.groups(w)
	s.adapters(w)
	s.reuse(w)
}

// messages writes a count of messages that is not 0, and that of those taken.
func (w *pointWriter) messages(source, outcome string, n uint64) {
	if n == 0 && outcome != "taken" {
		return
	}
	p := w.number(signal.SourceMessages, signal.AttrSource, source)
	p.Attributes().PutStr(signal.AttrOutcome, outcome)
	p.SetIntValue(int64(n))
}

// blocks writes what there is of tiers: the GPU's, and others once they were used.
func (s *kvSnapshot) blocks(w *pointWriter) {
	t := &s.totals
	each := func(write func(tier kvcache.Tier, name string)) {
		for i := range kvcache.Tiers {
			if tier := kvcache.Tier(i); tier == kvcache.GPU || t.Stored[i]+t.Removed[i] > 0 {
				write(tier, tier.String())
			}
		}
	}
	each(func(i kvcache.Tier, tier string) {
		w.count(signal.KVBlockStored, signal.AttrCacheTier, tier, t.Stored[i])
	})
	each(func(i kvcache.Tier, tier string) {
		w.count(signal.KVBlockRemoved, signal.AttrCacheTier, tier, t.Removed[i])
	})
	each(func(i kvcache.Tier, tier string) {
		if s.state.KnownTiers[i] {
			w.count(signal.KVBlockResident, signal.AttrCacheTier, tier, uint64(max(0, t.Resident[i])))
		}
	})
	each(func(i kvcache.Tier, tier string) {
		h := t.Residence[i]
		w.histogram(signal.KVBlockResidence, signal.AttrCacheTier, tier, h.Bounds, h.Counts, h.Sum)
	})
}

// reuse writes what there is of prompts. A stack depth that is beyond the last bound has no value, so the histogram has no sum.
func (s *kvSnapshot) reuse(w *pointWriter) {
	t := &s.totals
	w.histogram(signal.KVReuseDistance, "", "", t.Reuse.Bounds, t.Reuse.Counts, -1)
	w.histogram(signal.KVReuseGap, "", "", t.ReuseGap.Bounds, t.ReuseGap.Counts, t.ReuseGap.Sum)
	w.count(signal.KVReuseTokens, "", "", t.HitTokens)
	for i, n := range t.StoredTokens {
		if n > 0 {
			w.count(signal.KVStoredTokens, signal.AttrMissCause, kvcache.Cause(i).String(), n)
		}
	}
	w.count(signal.KVRegretTokens, "", "", t.RegretTokens)
	w.number(signal.KVSamplingRate, "", "").SetDoubleValue(s.state.SamplingRate)
	w.number(signal.KVSeenHorizon, "", "").SetDoubleValue(s.state.SeenHorizon)
}

// routed writes the tokens that workers of the fleet held, and of those that another one did why they were not here.
func (s *kvSnapshot) routed(w *pointWriter) {
	w.count(signal.KVHeldTokens, "", "", s.totals.HeldTokens)
	w.count(signal.KVHolderTokens, "", "", s.totals.HolderTokens)
	for i, n := range s.totals.RoutedTokens {
		if cause := kvcache.Cause(i); n > 0 || cause == kvcache.Compulsory {
			w.count(signal.KVRoutingTokens, signal.AttrMissCause, cause.String(), n)
		}
	}
}
