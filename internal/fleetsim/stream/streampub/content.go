package main

import (
	"math/rand/v2"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

// totals are what a subscriber must find once every gap is mended.
type totals struct {
	Messages uint64 `json:"messages"`
	Dropped  uint64 `json:"dropped"`

	Stored  int    `json:"stored"`
	Removed int    `json:"removed"`
	Cleared int    `json:"cleared"`
	Blocks  int    `json:"blocks"`
	Tokens  uint64 `json:"token_sum"`
	// Hashes is the exclusive or of the low 64 bits of all hashes, parents included.
	Hashes uint64 `json:"hash_xor"`

	WallTime      float64 `json:"wall_time"`
	PrefillTokens int     `json:"prefill_tokens"`
	DecodeTokens  int     `json:"decode_kv_tokens"`
}

func (t *totals) addBatch(b stream.KVBatch) {
	t.Messages++
	for _, e := range b.Events {
		switch e.Kind {
		case stream.BlockStored:
			t.Stored++
		case stream.BlockRemoved:
			t.Removed++
		default:
			t.Cleared++
		}
		t.Blocks += len(e.Hashes)
		for _, h := range e.Hashes {
			t.Hashes ^= h
		}
		if e.Parent != nil {
			t.Hashes ^= *e.Parent
		}
		for _, id := range e.Tokens {
			t.Tokens += uint64(id)
		}
	}
}

func (t *totals) addPass(p stream.ForwardPass) {
	t.Messages++
	t.WallTime += p.WallTime
	t.PrefillTokens += p.Scheduled.PrefillTokens
	t.DecodeTokens += p.Scheduled.DecodeKVTokens
}

const blockSize = 16

func randomBatch(rng *rand.Rand) stream.KVBatch {
	b := stream.KVBatch{Time: 1764067200 + rng.Float64()}
	for range rng.IntN(5) {
		b.Events = append(b.Events, randomEvent(rng))
	}
	return b
}

func randomEvent(rng *rand.Rand) stream.KVEvent {
	e := stream.KVEvent{Medium: []string{"GPU", "CPU", ""}[rng.IntN(3)]}
	if rng.IntN(2) == 0 {
		group := rng.IntN(3)
		e.Group = &group
	}
	switch n := rng.IntN(20); {
	case n == 0:
		return stream.KVEvent{Kind: stream.AllBlocksCleared}
	case n < 7:
		e.Kind = stream.BlockRemoved
		e.Hashes = []uint64{rng.Uint64()}
		return e
	}
	blocks := 1 + rng.IntN(20)
	e.BlockSize = blockSize
	for range blocks {
		e.Hashes = append(e.Hashes, rng.Uint64()>>rng.IntN(64))
	}
	for range blocks * blockSize {
		e.Tokens = append(e.Tokens, rng.Uint32N(1<<rng.IntN(31)+1))
	}
	if rng.IntN(2) == 0 {
		parent := rng.Uint64()
		e.Parent = &parent
	}
	decorate(&e, rng, blocks)
	return e
}

// decorate sets the fields that only some requests have.
func decorate(e *stream.KVEvent, rng *rand.Rand, blocks int) {
	if rng.IntN(3) == 0 {
		e.LoRA = &stream.LoRA{ID: rng.Int64N(1 << 40), Name: "adapter"}
		e.Extra = make([][]stream.ExtraKey, blocks)
		offset := rng.IntN(blockSize)
		e.Extra[0] = []stream.ExtraKey{{Value: "adapter"}, {Value: "image", Offset: &offset}}
	}
	if rng.IntN(3) == 0 {
		e.SpecKind, e.Window = "sliding_window", 1<<rng.IntN(20)
	}
	if rng.IntN(4) == 0 {
		e.Locality, e.Ownership, e.Session, e.CacheSalt = "REMOTE", "tier", "session", "salt"
	}
}

func randomPass(rng *rand.Rand) stream.ForwardPass {
	return stream.ForwardPass{
		// A multiple of 2^-10, so that sums are exact in any order.
		WallTime: float64(1+rng.IntN(100)) / 1024,
		Scheduled: stream.ScheduledRequests{
			Prefills: rng.IntN(4), PrefillTokens: rng.IntN(8192), PrefillVariance: rng.Float64() * 1e6, PrefillKVTokens: rng.IntN(1 << 20),
			Decodes: rng.IntN(256), DecodeKVTokens: rng.IntN(1 << 33), DecodeVariance: rng.Float64() * 1e9,
		},
		Queued: stream.QueuedRequests{
			Prefills: rng.IntN(64), PrefillTokens: rng.IntN(1 << 20), PrefillVariance: rng.Float64(), Decodes: rng.IntN(4),
			DecodeKVTokens: rng.IntN(1 << 16), DecodeVariance: rng.Float64(),
		},
	}
}
