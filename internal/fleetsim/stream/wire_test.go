package stream

import (
	"bytes"
	"io"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"
)

// decode reads a payload with a decoder that shares no code with the encoder.
func decode(t *testing.T, payload []byte) any {
	t.Helper()
	d := msgpack.NewDecoder(bytes.NewReader(payload))
	v, err := d.DecodeInterface()
	require.NoError(t, err)
	_, err = d.DecodeInterface()
	require.ErrorIs(t, err, io.EOF, "bytes after the payload")
	return plain(v)
}

// plain makes every number that fits an int64, whatever its width on the wire.
func plain(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = plain(x[k])
		}
	case []any:
		for i := range x {
			x[i] = plain(x[i])
		}
	case float64, string, []byte, nil, bool:
	default:
		n := reflect.ValueOf(v)
		if n.CanInt() {
			return n.Int()
		}
		if n.Uint() <= math.MaxInt64 {
			return int64(n.Uint())
		}
		return n.Uint()
	}
	return v
}

func events(t *testing.T, batch KVBatch, w Wire) []any {
	t.Helper()
	require.NoError(t, w.Validate())
	decoded := decode(t, AppendKVBatch(nil, batch, w))
	if m, ok := decoded.(map[string]any); ok {
		return m["events"].([]any)
	}
	return decoded.([]any)[1].([]any)
}

func TestPositionalEventsGrowWithTheRevision(t *testing.T) {
	for _, c := range []struct {
		wire            Wire
		stored, removed int
	}{
		{Wire{Form: FormArray, Fields: 5}, 6, 2},
		{Wire{Form: FormArray, Fields: 6}, 7, 3},
		{Wire{Form: FormArray, Fields: 7}, 8, 3},
		{Wire{Form: FormArray, Fields: 9}, 10, 4},
		{Wire{Form: FormArray}, 12, 4},
		{Wire{Form: FormArray, Dialect: SGLang, Fields: 5}, 6, 2},
		{Wire{Form: FormArray, Dialect: SGLang}, 7, 3},
	} {
		got := events(t, goldenBatch(), c.wire)
		require.Len(t, got, 4)
		assert.Len(t, got[0], c.stored, "%+v", c.wire)
		assert.Len(t, got[1], c.stored, "%+v: unset fields keep their place", c.wire)
		assert.Len(t, got[2], c.removed, "%+v", c.wire)
		assert.Equal(t, []any{"AllBlocksCleared"}, got[3])
	}
}

func TestMapEventsLeaveOutWhatIsUnset(t *testing.T) {
	got := events(t, goldenBatch(), Wire{})
	assert.Equal(t, map[string]any{
		"type": "BlockStored", "block_hashes": []any{int64(9)}, "parent_block_hash": nil, "token_ids": []any{int64(4), int64(5)},
		"block_size": int64(2), "lora_id": nil, "medium": "GPU", "lora_name": nil,
	}, got[1])
	sglang := events(t, KVBatch{Events: []KVEvent{{Kind: BlockStored, Hashes: []uint64{1}, LoRA: &LoRA{ID: 4, Name: "a"}}}}, Wire{Dialect: SGLang})
	assert.Equal(t, map[string]any{
		"type": "BlockStored", "block_hashes": []any{int64(1)}, "parent_block_hash": nil, "token_ids": []any{}, "block_size": int64(0),
		"lora_id": nil, "lora_name": "a",
	}, sglang[0], "SGLang leaves medium out and names the adapter only")
}

func TestFieldsThatOneDialectHas(t *testing.T) {
	batch := KVBatch{Events: []KVEvent{{
		Kind: BlockStored, Window: 4096, SpecKind: "sliding_window", Locality: "LOCAL", Ownership: "tier", Session: "s", CacheSalt: "salt",
		Extra: [][]ExtraKey{{{Value: "image", Offset: ptr(3)}, {Value: "salt"}}},
	}}}
	vllm := events(t, batch, Wire{})[0].(map[string]any)
	assert.Equal(t, int64(4096), vllm["kv_cache_spec_sliding_window"])
	assert.Equal(t, "sliding_window", vllm["kv_cache_spec_kind"])
	assert.Equal(t, "tier", vllm["ownership"])
	assert.Equal(t, "s", vllm["session_id"])
	assert.Equal(t, []any{[]any{[]any{"image", int64(3)}, "salt"}}, vllm["extra_keys"])
	assert.NotContains(t, vllm, "cache_salt")
	trt := events(t, batch, Wire{Dialect: TensorRTLLM})[0].(map[string]any)
	assert.Equal(t, "LOCAL", trt["locality"])
	assert.NotContains(t, trt, "ownership")
	assert.NotContains(t, trt, "session_id")
	sglang := events(t, batch, Wire{Dialect: SGLang})[0].(map[string]any)
	assert.Equal(t, "salt", sglang["cache_salt"])
	assert.NotContains(t, sglang, "extra_keys")
}

func TestHashForms(t *testing.T) {
	const hash = 1<<63 + 5
	signed := int64(-1<<63 + 5)
	digest := Digest(hash)
	for _, c := range []struct {
		wire Wire
		want any
	}{
		{Wire{}, uint64(hash)},
		{Wire{Hashes: HashSigned}, signed},
		{Wire{Hashes: HashBytes}, digest[:]},
		{Wire{Dialect: SGLang}, signed},
		{Wire{Dialect: TensorRTLLM}, signed},
		{Wire{Dialect: SGLang, Hashes: HashUnsigned}, uint64(hash)},
	} {
		batch := KVBatch{Events: []KVEvent{{Kind: BlockStored, Hashes: []uint64{hash}, Parent: ptr(uint64(hash))}}}
		e := events(t, batch, c.wire)[0].(map[string]any)
		assert.Equal(t, []any{c.want}, e["block_hashes"], "%+v", c.wire)
		assert.Equal(t, c.want, e["parent_block_hash"], "%+v", c.wire)
	}
	assert.Equal(t, []byte{0x80, 0, 0, 0, 0, 0, 0, 5}, digest[24:])
	assert.NotEqual(t, Digest(1), Digest(2))
}

func TestBatchEnvelopes(t *testing.T) {
	batch := KVBatch{Time: 2.5}
	assert.Equal(t, []any{2.5, []any{}, nil}, decode(t, AppendKVBatch(nil, batch, Wire{})))
	assert.Equal(t, []any{2.5, []any{}}, decode(t, AppendKVBatch(nil, batch, Wire{Dialect: SGLang, Form: FormArray, Fields: 5, NoRank: true})))
	assert.Equal(t, map[string]any{"ts": 2.5, "events": []any{}}, decode(t, AppendKVBatch(nil, batch, Wire{Form: FormMapBatch})))
	batch.Rank = ptr(3)
	assert.Equal(t, []any{2.5, []any{}, int64(3)}, decode(t, AppendKVBatch(nil, batch, Wire{})))
	assert.Equal(t, map[string]any{"ts": 2.5, "events": []any{}, "data_parallel_rank": int64(3)},
		decode(t, AppendKVBatch(nil, batch, Wire{Form: FormMapBatch})))
}

func TestWiresThatNeverWere(t *testing.T) {
	for want, w := range map[string]Wire{
		"wire dialect: must be vllm, sglang or tensorrt_llm, got Dialect(9)":              {Dialect: 9},
		"wire hashes: must be native, unsigned, signed or bytes, got HashForm(7)":         {Hashes: 7},
		"wire form: tensorrt_llm never sent array":                                        {Dialect: TensorRTLLM, Form: FormArray},
		"wire form: sglang never sent map_batch":                                          {Dialect: SGLang, Form: FormMapBatch},
		"wire form: vllm never sent Form(5)":                                              {Form: 5},
		"wire fields: must be 0, or for vllm in array form 5 to 11, got 12 in array form": {Form: FormArray, Fields: 12},
		"wire fields: must be 0, or for sglang in array form 5 to 6, got 4 in array form": {Dialect: SGLang, Form: FormArray, Fields: 4},
		"wire fields: must be 0, or for vllm in array form 5 to 11, got 7 in map form":    {Fields: 7},
		"wire no_rank: holds for a positional batch only, got form map_batch":             {Form: FormMapBatch, NoRank: true},
	} {
		assert.EqualError(t, w.Validate(), want)
	}
}

func TestForwardPassForms(t *testing.T) {
	pass := goldenPass()
	scheduled := map[string]any{
		"num_prefill_requests": int64(1), "sum_prefill_tokens": int64(512), "var_prefill_length": 4.5, "sum_prefill_kv_tokens": int64(128),
		"num_decode_requests": int64(8), "sum_decode_kv_tokens": int64(9000), "var_decode_kv_tokens": 0.5,
	}
	queued := map[string]any{
		"num_prefill_requests": int64(2), "sum_prefill_tokens": int64(700), "var_prefill_length": 2.25,
		"num_decode_requests": int64(1), "sum_decode_kv_tokens": int64(40), "var_decode_kv_tokens": 0.0,
	}
	want := map[string]any{
		"version": int64(1), "worker_id": "w0", "dp_rank": int64(1), "counter_id": int64(300), "wall_time": 0.025,
		"scheduled_requests": scheduled, "queued_requests": queued,
	}
	assert.Equal(t, want, decode(t, AppendForwardPass(nil, pass, DynamoPasses, false)))
	assert.Equal(t, want, decode(t, AppendForwardPass(nil, pass, SGLangPasses, false)))
	want["timing_scope"] = "execute_model_cuda"
	assert.Equal(t, want, decode(t, AppendForwardPass(nil, pass, VLLMPasses, false)))
	pass.Version = 2
	assert.Equal(t, []any{
		int64(2), "w0", int64(1), int64(300), 0.025,
		[]any{int64(1), int64(512), 4.5, int64(128), int64(8), int64(9000), 0.5},
		[]any{int64(2), int64(700), 2.25, int64(1), int64(40), 0.0},
	}, decode(t, AppendForwardPass(nil, pass, DynamoPasses, true)))
}
