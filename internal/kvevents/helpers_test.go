package kvevents

import (
	"fmt"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
)

// list is a sink that writes down what it is given.
type list struct{ calls []string }

func (l *list) At(s float64) { l.calls = append(l.calls, fmt.Sprintf("at %v", s)) }
func (l *list) Store(e kvcache.Stored) {
	l.calls = append(l.calls, fmt.Sprintf("store %x parent %x %v, %d tokens, %v group %d secondary %v",
		slices.Clone(e.Hashes), e.Parent, e.HasParent, e.Tokens, e.Tier, e.Group, e.Secondary))
}
func (l *list) Remove(hashes []uint64, t kvcache.Tier, group int) {
	l.calls = append(l.calls, fmt.Sprintf("remove %x %v group %d", hashes, t, group))
}
func (l *list) Clear()    { l.calls = append(l.calls, "clear") }
func (l *list) EndBatch() { l.calls = append(l.calls, "end") }

func ptr[T any](v T) *T { return &v }

// wires are all the wire forms that engines have had.
func wires() map[string]stream.Wire {
	all := map[string]stream.Wire{}
	for _, d := range []stream.Dialect{stream.VLLM, stream.SGLang, stream.TensorRTLLM} {
		for _, f := range []stream.Form{stream.FormMap, stream.FormArray, stream.FormMapBatch} {
			for _, h := range []stream.HashForm{stream.HashNative, stream.HashUnsigned, stream.HashSigned, stream.HashBytes} {
				for fields := range 12 {
					for _, noRank := range []bool{false, true} {
						w := stream.Wire{Dialect: d, Form: f, Hashes: h, Fields: fields, NoRank: noRank}
						if w.Validate() == nil {
							all[fmt.Sprintf("%v %v %v %d fields, no rank %v", d, f, h, fields, noRank)] = w
						}
					}
				}
			}
		}
	}
	return all
}

// everything is a batch that uses every field.
func everything() stream.KVBatch {
	return stream.KVBatch{Time: 1764067200.25, Rank: ptr(3), Events: []stream.KVEvent{
		{
			Kind: stream.BlockStored, Hashes: []uint64{1, 1 << 63, 0xfedcba9876543210}, Parent: ptr(uint64(0xffffffffffffffff)),
			Tokens: tokens(48), BlockSize: 16, LoRA: &stream.LoRA{ID: 7, Name: "tuned"}, Medium: "GPU",
			Extra: [][]stream.ExtraKey{{{Value: "tuned"}}, nil, {{Value: "image", Offset: ptr(3)}}}, Group: ptr(0), SpecKind: "full_attention",
			Locality: "LOCAL", Ownership: "tier", Session: "s", CacheSalt: "salt",
		},
		{Kind: stream.BlockStored, Hashes: []uint64{2}, Tokens: tokens(16), BlockSize: 16},
		{Kind: stream.BlockRemoved, Hashes: []uint64{1, 1 << 63}, Medium: "GPU", Group: ptr(0), Locality: "LOCAL"},
		{Kind: stream.BlockRemoved},
		{Kind: stream.AllBlocksCleared},
	}}
}

func tokens(n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i) * 40503 % 151_936
	}
	return all
}
