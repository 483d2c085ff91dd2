package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/kvevents"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// recordedCache is the recording of a real vLLM on a CPU with a small cache: what it published while it was under load, its page at
// three moments when it was idle, and what its answers told of each request (prompt, completion and cached tokens).
const recordedCache = "../engines/recordings/vllm-0.32.0-cpu-kvevents"

// TestARecordedEngine passes what a real engine said through decoders, index and processors. What the processor makes of it agrees with
// the engine's own counters and with what the client knows.
func TestARecordedEngine(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(recordedCache, name))
		require.NoError(t, err)
		return b
	}
	var meta struct {
		Snapshots []struct {
			File     string `json:"file"`
			Requests int    `json:"client_requests_completed"`
			Messages int    `json:"messages"`
		} `json:"snapshots"`
	}
	require.NoError(t, json.Unmarshal(read("meta.json"), &meta))
	var requests [][3]int
	require.NoError(t, json.Unmarshal(read("requests.json"), &requests))
	frames := read("kv-events.frames")
	frame := func() []byte {
		n := int(binary.BigEndian.Uint32(frames))
		b := frames[4 : 4+n]
		frames = frames[4+n:]
		return b
	}

	born := regexp.MustCompile(`(?m)^process_start_time_seconds (\S+)$`).FindSubmatch(read(meta.Snapshots[0].File))
	require.NotNil(t, born)
	seconds, err := strconv.ParseFloat(string(born[1]), 64)
	require.NoError(t, err)
	start := time.Unix(int64(seconds)+60, 0)
	w := &kvWorker{said: readings{}, integral: map[string]float64{}, seconds: map[string]float64{}}
	pipeline, stop, err := newKVPipeline(kvScenario{interval: 5 * time.Second}, w)
	require.NoError(t, err)
	defer stop()
	decode, err := newDecoder()
	require.NoError(t, err)
	feed := newKVFeed(1, 0, nil)
	var decoder kvevents.Decoder
	at, message := start, 0
	scrape := func(page []byte) {
		at = at.Add(5 * time.Second)
		md, err := decode(append(page[:len(page):len(page)], 0)[:len(page)], at)
		require.NoError(t, err)
		feed.append(md, start, at)
		require.NoError(t, pipeline.ConsumeMetrics(context.Background(), md))
	}
	for i, s := range meta.Snapshots {
		for ; message < s.Messages; message++ {
			frame() // topic
			frame() // sequence number
			_, err := decoder.Decode(frame(), feed.index)
			require.NoError(t, err)
		}
		for range 3 { // what came before is in a window that is closed then
			scrape(read(s.File))
		}
		totals := feed.index.Totals()
		block, pool := w.said[key(signal.KVBlockSize)], w.pool()
		use := func(name string) float64 { return w.said[key(signal.KVTokens, name)] }
		cached := use(signal.KVUseCachedUseful) + use(signal.KVUseCachedDead) + use(signal.KVUseUnattributed)
		t.Logf("%s: pool %v tokens, cached %v, free %v, live %v; evicted %v blocks, missed %v tokens", s.File, pool, cached, use(signal.KVUseFree),
			use(signal.KVUseLive), w.said[key(signal.KVEvictedBlocks, signal.TierDevice)], missed(w.said))
		assert.InDelta(t, pool, cached+use(signal.KVUseFree), 1e-6, "nothing runs, so the pool is cached or free")
		assert.Zero(t, use(signal.KVUseLive)+use(signal.KVUseTailWaste), "as the client knows")
		assert.InDelta(t, min(pool, float64(totals.Resident[kvcache.GPU])*block), cached, block/2, "resident blocks")
		if i == 0 {
			continue
		}
		evicted := w.said[key(signal.KVEvictedBlocks, signal.TierDevice)]
		assert.InDelta(t, float64(totals.Removed[kvcache.GPU]), evicted, 1)
		prompts, found := 0.0, 0.0
		for _, q := range requests[:s.Requests] {
			prompts += float64(q[0])
			found += float64(q[2])
		}
		hits := w.said[key(signal.KVHitTokens, signal.CacheScopeLocal)]
		assert.InDelta(t, found, hits, 0, "the page and the answers")
		assert.InDelta(t, float64(totals.HitTokens), hits, 0, "events and the page")
		assert.InEpsilon(t, prompts-found, missed(w.said), 0.02, "what was not found has its causes")
	}
	assert.Positive(t, w.said[key(signal.KVMissTokens, signal.MissReset)], "the cache was reset between the loads")
	assert.Empty(t, frames)
}

// missed adds up the tokens that were not found.
func missed(said readings) (sum float64) {
	for _, cause := range []string{
		signal.MissCompulsory, signal.MissCapacity, signal.MissRouting, signal.MissReset, signal.MissLoaded, signal.MissPartial, signal.MissUnknown,
	} {
		sum += said[key(signal.KVMissTokens, cause)]
	}
	return sum
}
