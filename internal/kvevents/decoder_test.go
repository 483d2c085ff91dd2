package kvevents

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
)

// TestEveryWireFormSaysTheSame decodes one batch in all forms that engines have had.
func TestEveryWireFormSaysTheSame(t *testing.T) {
	want := []string{
		"at 1.76406720025e+09",
		"store [1 8000000000000000 fedcba9876543210] parent ffffffffffffffff true, 16 tokens, device group 0 secondary false",
		"store [2] parent 0 false, 16 tokens, device group 0 secondary false",
		"remove [1 8000000000000000] device group 0",
		"remove [] device group 0",
		"clear",
		"end",
	}
	all := wires()
	require.Greater(t, len(all), 50)
	for name, w := range all {
		var d Decoder
		var got list
		r, err := d.Decode(stream.AppendKVBatch(nil, everything(), w), &got)
		require.NoError(t, err, name)
		require.Equal(t, want, got.calls, name)
		rank := 3
		if w.NoRank {
			rank = -1
		}
		require.Equal(t, Report{Events: 5, Rank: rank}, r, name)
	}
}

func TestMedia(t *testing.T) {
	for medium, want := range map[string]kvcache.Tier{
		"": kvcache.GPU, "GPU": kvcache.GPU, "CPU": kvcache.CPU, "CPU_PINNED": kvcache.CPU, "DISK": kvcache.Disk, "STORAGE": kvcache.Disk,
		"EXTERNAL": kvcache.External, "TAPE": kvcache.External,
	} {
		var d Decoder
		var got list
		_, err := d.Decode(stream.AppendKVBatch(nil, stream.KVBatch{Events: []stream.KVEvent{
			{Kind: stream.BlockRemoved, Hashes: []uint64{1}, Medium: medium},
		}}, stream.Wire{}), &got)
		require.NoError(t, err)
		assert.Equal(t, "remove [1] "+want.String()+" group 0", got.calls[1], medium)
	}
}

// TestTheFullAttentionGroupStandsForTheSequence: hybrid models have groups that drop blocks out of their window.
func TestTheFullAttentionGroupStandsForTheSequence(t *testing.T) {
	var d Decoder
	var got list
	stored := func(group int, kind string) stream.KVEvent {
		return stream.KVEvent{Kind: stream.BlockStored, Hashes: []uint64{1}, BlockSize: 16, Group: ptr(group), SpecKind: kind}
	}
	_, err := d.Decode(stream.AppendKVBatch(nil, stream.KVBatch{Events: []stream.KVEvent{
		stored(2, "sliding_window"), stored(1, "sliding_window_mla"), stored(3, "full_attention"), stored(1, "sliding_window"), stored(3, "full_attention"),
	}}, stream.Wire{}), &got)
	require.NoError(t, err)
	for i, secondary := range []string{"false", "false", "false", "true", "false"} {
		assert.Contains(t, got.calls[1+i], "secondary "+secondary, i)
	}
}

func TestWithoutABlockSizeTokensAreShared(t *testing.T) {
	var d Decoder
	var got list
	_, err := d.Decode(stream.AppendKVBatch(nil, stream.KVBatch{Events: []stream.KVEvent{
		{Kind: stream.BlockStored, Hashes: []uint64{1, 2}, Tokens: tokens(64), Medium: "CPU"},
	}}, stream.Wire{}), &got)
	require.NoError(t, err)
	assert.Contains(t, got.calls[1], "32 tokens, host")
}

// TestABadEventCostsItself: the events around it are taken.
func TestABadEventCostsItself(t *testing.T) {
	good := stream.AppendKVBatch(nil, stream.KVBatch{Events: []stream.KVEvent{{Kind: stream.AllBlocksCleared}}}, stream.Wire{})
	good = good[1+9+1 : len(good)-1] // the event alone
	tagged := func(tag string, fields ...any) []byte {
		b := msgp.AppendMapHeader(nil, uint32(1+len(fields)/2))
		b = msgp.AppendString(msgp.AppendString(b, "type"), tag)
		for _, f := range fields {
			b, _ = msgp.AppendIntf(b, f)
		}
		return b
	}
	for name, tt := range map[string]struct {
		event []byte
		want  Report
	}{
		"no struct":          {msgp.AppendInt(nil, 7), Report{Events: 2, Malformed: 1, Rank: -1}},
		"another kind":       {tagged("BlockPinned", "block_hashes", "x"), Report{Events: 2, Malformed: 1, Rank: -1}},
		"unknown kind":       {tagged("BlockPinned", "reason", "x"), Report{Events: 3, Foreign: 1, Rank: -1}},
		"no hashes":          {tagged("BlockStored", "block_size", 16), Report{Events: 2, Malformed: 1, Rank: -1}},
		"hashes of text":     {tagged("BlockRemoved", "block_hashes", []any{"x"}), Report{Events: 2, Malformed: 1, Rank: -1}},
		"short digest":       {tagged("BlockRemoved", "block_hashes", []any{[]byte("1234567")}), Report{Events: 2, Malformed: 1, Rank: -1}},
		"negative group":     {tagged("BlockRemoved", "block_hashes", []any{1}, "group_idx", -1), Report{Events: 2, Malformed: 1, Rank: -1}},
		"large group":        {tagged("BlockRemoved", "block_hashes", []any{1}, "group_idx", 1<<20), Report{Events: 2, Malformed: 1, Rank: -1}},
		"an unknown field":   {tagged("AllBlocksCleared", "why", map[string]any{"a": []any{1, 2.5, nil}}), Report{Events: 3, Rank: -1}},
		"tokens of pairs":    {tagged("BlockStored", "block_hashes", []any{1}, "token_ids", []any{[]any{1, 2}, []any{3, 4}}), Report{Events: 3, Rank: -1}},
		"an empty array":     {msgp.AppendArrayHeader(nil, 0), Report{Events: 2, Malformed: 1, Rank: -1}},
		"another tag's type": {append(msgp.AppendArrayHeader(nil, 1), 0x01), Report{Events: 2, Malformed: 1, Rank: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := msgp.AppendFloat64(msgp.AppendArrayHeader(nil, 2), 1)
			b = msgp.AppendArrayHeader(b, 3)
			b = append(append(append(b, good...), tt.event...), good...)
			var d Decoder
			var got list
			r, err := d.Decode(b, &got)
			require.NoError(t, err)
			assert.Equal(t, tt.want, r)
			assert.Equal(t, "clear", got.calls[1])
			assert.Equal(t, []string{"clear", "end"}, got.calls[len(got.calls)-2:])
		})
	}
}

func TestABatchThatIsNone(t *testing.T) {
	huge := []byte{0xdd, 0xff, 0xff, 0xff, 0xff} // an array of 2^32-1
	for name, tt := range map[string]struct {
		payload []byte
		want    string
	}{
		"empty":            {nil, "batch: msgp: too few bytes left to read object"},
		"garbage":          {[]byte{0xc1, 0xff, 0x00, 0xc1}, "batch: msgp: unrecognized type prefix 0xc1"},
		"one element":      {[]byte{0x91, 0x01}, "batch must have at least 2 elements, got 1"},
		"no time":          {[]byte{0x81, 0xa1, 'x', 0x01}, "batch has no time"},
		"announced":        {huge, "batch: a length exceeds the message"},
		"events announced": {append([]byte{0x92, 0x01}, huge...), "events: a length exceeds the message"},
		"map announced":    {[]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0x01}, "batch: a length exceeds the message"},
	} {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			_, err := d.Decode(tt.payload, &list{})
			assert.EqualError(t, err, tt.want)
		})
	}
	whole := stream.AppendKVBatch(nil, everything(), stream.Wire{})
	for n := range len(whole) - 10 {
		var d Decoder
		_, err := d.Decode(whole[:n], &list{})
		require.Error(t, err, n)
	}
}

func TestTooManyHashesAreMalformed(t *testing.T) {
	hashes := make([]uint64, maxHashes+1)
	var d Decoder
	r, err := d.Decode(stream.AppendKVBatch(nil, stream.KVBatch{Events: []stream.KVEvent{
		{Kind: stream.BlockRemoved, Hashes: hashes}, {Kind: stream.BlockRemoved, Hashes: hashes[1:]},
	}}, stream.Wire{}), &list{})
	require.NoError(t, err)
	assert.Equal(t, Report{Events: 1, Malformed: 1, Rank: -1}, r)
	assert.LessOrEqual(t, cap(d.event.hashes), 2*maxHashes)
}

// TestEventsBeforeTheTime: the order of a map's keys is nobody's promise.
func TestEventsBeforeTheTime(t *testing.T) {
	b := msgp.AppendMapHeader(nil, 3)
	b = msgp.AppendArrayHeader(msgp.AppendString(b, "events"), 1)
	b = msgp.AppendString(msgp.AppendArrayHeader(b, 1), "AllBlocksCleared")
	b = msgp.AppendString(msgp.AppendString(b, "extra"), "x")
	b = msgp.AppendFloat64(msgp.AppendString(b, "ts"), 5)
	var d Decoder
	var got list
	r, err := d.Decode(b, &got)
	require.NoError(t, err)
	assert.Equal(t, []string{"at 5", "clear", "end"}, got.calls)
	assert.Equal(t, 1, r.Events)
}

// groupSink keeps the events of blocks that were stored.
type groupSink struct {
	list
	stored []kvcache.Stored
}

func (g *groupSink) Store(e kvcache.Stored) {
	e.Hashes = nil
	g.stored = append(g.stored, e)
}

// TestGroupsAndAdapters decodes what tells of a group and an adapter, in the forms that have it.
func TestGroupsAndAdapters(t *testing.T) {
	one := func(group int, kind string, window int64, lora *stream.LoRA) stream.KVEvent {
		return stream.KVEvent{
			Kind: stream.BlockStored, Hashes: []uint64{1}, Tokens: tokens(16), BlockSize: 16, Medium: "GPU", LoRA: lora, Group: &group,
			SpecKind: kind, Window: int(window),
		}
	}
	batch := stream.KVBatch{Events: []stream.KVEvent{
		one(0, "full_attention", 0, &stream.LoRA{ID: 7, Name: "tuned"}),
		one(1, "sliding_window", 1024, &stream.LoRA{ID: 8}),
		one(2, "mamba", 0, nil),
		one(3, "chunked_local_attention", 512, nil),
	}}
	want := []kvcache.Stored{
		{Tokens: 16, Adapter: "tuned"},
		{Tokens: 16, Group: 1, Secondary: true, Kind: kvcache.SlidingWindow, Window: 1024, Adapter: "8"},
		{Tokens: 16, Group: 2, Secondary: true, Kind: kvcache.Mamba},
		{Tokens: 16, Group: 3, Secondary: true, Kind: kvcache.SlidingWindow, Window: 512},
	}
	for _, form := range []stream.Form{stream.FormMap, stream.FormArray} {
		var d Decoder
		var got groupSink
		r, err := d.Decode(stream.AppendKVBatch(nil, batch, stream.Wire{Dialect: stream.VLLM, Form: form, Fields: 11}), &got)
		require.NoError(t, err)
		assert.Zero(t, r.Malformed)
		assert.Equal(t, want, got.stored, "%v", form)
	}
}

func TestNamesOfAdaptersAreBounded(t *testing.T) {
	var d Decoder
	for i := range 3 * maxNames {
		d.lora = fmt.Appendf(d.lora[:0], "adapter-%d", i)
		assert.Equal(t, fmt.Sprintf("adapter-%d", i), d.adapter())
	}
	assert.Len(t, d.names, maxNames)
	d.lora = append(d.lora[:0], "adapter-0"...)
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.adapter() }))
}
