package stream

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ptr[T any](v T) *T { return &v }

// goldenBatch has every event and most fields, the extremes of a hash among them.
func goldenBatch() KVBatch {
	return KVBatch{Time: 1764067200.5, Rank: ptr(1), Events: []KVEvent{
		{
			Kind: BlockStored, Hashes: []uint64{1<<64 - 2, 7}, Parent: ptr(uint64(3)), Tokens: []uint32{1, 200, 70000, 151643}, BlockSize: 2,
			LoRA: &LoRA{ID: 5, Name: "tuned"}, Medium: "GPU", Extra: [][]ExtraKey{{{Value: "tuned"}}, nil}, Group: ptr(0), SpecKind: "full_attention",
		},
		{Kind: BlockStored, Hashes: []uint64{9}, Tokens: []uint32{4, 5}, BlockSize: 2, Medium: "GPU"},
		{Kind: BlockRemoved, Hashes: []uint64{9}, Medium: "GPU", Group: ptr(0)},
		{Kind: AllBlocksCleared},
	}}
}

func goldenPass() ForwardPass {
	return ForwardPass{
		Worker: "w0", Rank: 1, Counter: 300, WallTime: 0.025,
		Scheduled: ScheduledRequests{
			Prefills: 1, PrefillTokens: 512, PrefillVariance: 4.5, PrefillKVTokens: 128, Decodes: 8, DecodeKVTokens: 9000, DecodeVariance: 0.5,
		},
		Queued: QueuedRequests{Prefills: 2, PrefillTokens: 700, PrefillVariance: 2.25, Decodes: 1, DecodeKVTokens: 40},
	}
}

// goldens reads what the encoder the engines use made of the same content.
func goldens(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("testdata/msgspec-0.22.0.txt")
	require.NoError(t, err)
	found := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if name, payload, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			found[name] = payload
		}
	}
	return found
}

func TestPayloadsEqualThoseOfTheEnginesEncoder(t *testing.T) {
	want := goldens(t)
	require.Len(t, want, 4)
	sglang := KVBatch{Time: 1, Rank: ptr(0), Events: []KVEvent{
		{
			Kind: BlockStored, Hashes: []uint64{1<<64 - 2, 7}, Parent: ptr(uint64(3)), Tokens: []uint32{1}, BlockSize: 1, Medium: "GPU",
			CacheSalt: "salt", LoRA: &LoRA{ID: 5}, Group: ptr(3),
		},
		{Kind: BlockRemoved, Hashes: []uint64{1<<64 - 2}},
	}}
	got := map[string][]byte{
		"vllm-array": AppendKVBatch(nil, goldenBatch(), Wire{Form: FormArray}),
		"vllm-map":   AppendKVBatch(nil, goldenBatch(), Wire{}),
		"sglang-map": AppendKVBatch(nil, sglang, Wire{Dialect: SGLang}),
		"vllm-pass":  AppendForwardPass(nil, goldenPass(), VLLMPasses, false),
	}
	for name, payload := range got {
		assert.Equal(t, want[name], hex.EncodeToString(payload), name)
	}
}
