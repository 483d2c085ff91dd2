package kvevents

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
)

// FuzzDecode feeds a decoder and an index with anything. Whatever comes, the decoder keeps within its bounds and the index agrees
// with itself and stays within its memory.
func FuzzDecode(f *testing.F) {
	for _, w := range wires() {
		if w.Fields == 0 || w.Fields == 6 {
			f.Add(stream.AppendKVBatch(nil, everything(), w))
		}
	}
	f.Add([]byte{0xc1, 0xff, 0x00, 0xc1})
	set := kvcache.Settings{
		MemoryLimit: kvcache.MinMemory, Horizon: time.Minute, ExactBlocks: 1 << 10, SampledBlocks: 1 << 8, MaxDistance: 1 << 12,
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d Decoder
		x := kvcache.NewIndex(set, true)
		for range 2 {
			r, _ := d.Decode(payload, x)
			require.LessOrEqual(t, r.Events+r.Malformed, 2*len(payload))
		}
		require.LessOrEqual(t, cap(d.event.hashes), 2*maxHashes)
		total, state := x.Totals(), x.State()
		require.LessOrEqual(t, state.Bytes, set.MemoryLimit)
		var resident int64
		for _, n := range total.Resident {
			require.GreaterOrEqual(t, n, int64(0))
			resident += n
		}
		require.LessOrEqual(t, int64(state.Blocks), resident)
		require.False(t, resident == 0 && state.Blocks > 0)
	})
}
