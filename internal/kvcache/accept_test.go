//go:build accept

package kvcache

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prefixLRU is a prefix cache that evicts leaf first: of the blocks that no cached block follows, the one used longest ago.
type prefixLRU struct {
	capacity int
	place    map[uint64]uint32
	keys     map[uint32]uint64
	children map[uint64]int
	parent   map[uint64]uint64
	oldest   uint32
}

func newPrefixLRU(capacity int) *prefixLRU {
	return &prefixLRU{
		capacity: capacity, place: map[uint64]uint32{}, keys: map[uint32]uint64{}, children: map[uint64]int{}, parent: map[uint64]uint64{}, oldest: 1,
	}
}

// request looks up a prompt, and returns how many of its blocks were found.
func (c *prefixLRU) request(blocks []uint64, now uint32) (hits int) {
	for hits < len(blocks) {
		if _, ok := c.place[blocks[hits]]; !ok {
			break
		}
		hits++
	}
	// The last block is used first, so that it is the first to go.
	for i := len(blocks) - 1; i >= 0; i-- {
		if old, ok := c.place[blocks[i]]; ok {
			delete(c.keys, old)
		} else if i > 0 {
			c.children[blocks[i-1]]++
			c.parent[blocks[i]] = blocks[i-1]
		}
		p := now + uint32(len(blocks)-1-i)
		c.place[blocks[i]], c.keys[p] = p, blocks[i]
	}
	for len(c.place) > c.capacity {
		c.evict()
	}
	return hits
}

func (c *prefixLRU) evict() {
	for p := c.oldest; ; p++ {
		key, ok := c.keys[p]
		if !ok {
			if p == c.oldest {
				c.oldest++
			}
			continue
		}
		if c.children[key] > 0 {
			continue
		}
		delete(c.keys, p)
		delete(c.place, key)
		if up, ok := c.parent[key]; ok {
			c.children[up]--
			delete(c.parent, key)
		}
		return
	}
}

type prompt struct {
	Timestamp float64  `json:"timestamp"`
	Hashes    []uint64 `json:"hash_ids"`
}

func conversation(t *testing.T) (all []prompt) {
	f, err := os.Open(filepath.Join(os.Getenv("DATA"), "traces/mooncake/conversation_trace.jsonl.zst"))
	require.NoError(t, err, "DATA must name the directory of the public data")
	defer f.Close()
	z, err := zstd.NewReader(f)
	require.NoError(t, err)
	defer z.Close()
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r prompt
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		for i := range r.Hashes {
			r.Hashes[i] = mix(r.Hashes[i] + 1)
		}
		all = append(all, r)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, all)
	return all
}

// follow plays an engine with a cache of so many blocks to an index, in events only: hits are hidden.
func follow(t *testing.T, requests []prompt, capacity int, set Settings) *Index {
	t.Helper()
	x := NewIndex(set, true)
	engine := newPrefixLRU(capacity)
	now := uint32(1)
	for n, r := range requests {
		hits := 0
		for _, h := range r.Hashes {
			if _, ok := engine.place[h]; !ok {
				break
			}
			hits++
		}
		resident := engine.snapshot()
		engine.request(r.Hashes, now)
		now += uint32(len(r.Hashes))
		// Requests are far apart, so that none is taken for the growth of another.
		x.At(1e9 + float64(n)*40 + r.Timestamp/1000)
		for h := range resident {
			if _, ok := engine.place[h]; !ok {
				x.Remove([]uint64{h}, GPU, 0)
			}
		}
		if hits < len(r.Hashes) {
			e := Stored{Hashes: r.Hashes[hits:], Tokens: 512}
			if hits > 0 {
				e.Parent, e.HasParent = r.Hashes[hits-1], true
			}
			x.Store(e)
		}
	}
	return x
}

func (c *prefixLRU) snapshot() map[uint64]struct{} {
	m := make(map[uint64]struct{}, len(c.place))
	for k := range c.place {
		m[k] = struct{}{}
	}
	return m
}

// TestMissRatioCurvePublicTrace holds the curve that is read back from the histogram against the replay of a prefix cache at each size
// (the conversation trace of Mooncake, 512-token blocks).
func TestMissRatioCurvePublicTrace(t *testing.T) {
	requests := conversation(t)
	references := 0
	for _, r := range requests {
		references += len(r.Hashes)
	}
	set := testSettings()
	set.MemoryLimit = 64 << 20

	// All blocks are references here: every request stores what it needs, and an engine without a cache evicts it at once.
	feedAll := func(set Settings) *Index {
		x := NewIndex(set, true)
		for n, r := range requests {
			x.At(1e9 + float64(n)*40)
			x.Store(Stored{Hashes: r.Hashes, Tokens: 512})
			x.EndBatch()
			x.Remove(r.Hashes, GPU, 0)
		}
		return x
	}
	began := time.Now()
	exact := feedAll(set)
	h := exact.Totals().Reuse
	t.Logf("%d requests, %d references in %v", len(requests), references, time.Since(began))
	require.Equal(t, uint64(references), h.Count())

	sizes := []int{6, 8, 10, 12, 13, 14, 15, 16, 17, 18} // bounds: 512 to 32k
	truth := make([]float64, len(sizes))
	worst := 0.0
	for i, bound := range sizes {
		c := newPrefixLRU(int(h.Bounds[bound]))
		now, hits := uint32(1), 0
		for _, r := range requests {
			hits += c.request(r.Hashes, now)
			now += uint32(len(r.Hashes))
		}
		truth[i] = float64(hits) / float64(references)
		got := hitRatio(h, bound)
		worst = max(worst, math.Abs(got-truth[i]))
		t.Logf("%6.0f blocks: prefix cache %.4f, stack depth %.4f", h.Bounds[bound], truth[i], got)
	}
	t.Logf("exact: largest error %.4f", worst)
	assert.LessOrEqual(t, worst, 0.005)

	worst = 0
	sampling := set
	sampling.ExactBlocks, sampling.SampledBlocks = 1<<15, 1<<15
	sampled := feedAll(sampling)
	for i, bound := range sizes {
		worst = max(worst, math.Abs(hitRatio(sampled.Totals().Reuse, bound)-truth[i]))
	}
	t.Logf("sampled at a rate of %v: largest error %.4f", sampled.State().SamplingRate, worst)
	assert.LessOrEqual(t, worst, 0.02)
}

// TestTwiceTheCachePublicTrace predicts from the events of a cache of 8k blocks, in which hits are hidden, what one of 16k would gain.
func TestTwiceTheCachePublicTrace(t *testing.T) {
	requests := conversation(t)[:4000]
	set := testSettings()
	set.MemoryLimit = 64 << 20
	x := follow(t, requests, 8192, set)
	h := x.Totals().Reuse
	gain := hitRatio(h, 16) - hitRatio(h, 14) // 16,384 less 8,192
	references, small, large := 0, 0, 0
	a, b := newPrefixLRU(8192), newPrefixLRU(16384)
	now := uint32(1)
	for _, r := range requests {
		references += len(r.Hashes)
		small += a.request(r.Hashes, now)
		large += b.request(r.Hashes, now)
		now += uint32(len(r.Hashes))
	}
	want := float64(large-small) / float64(references)
	t.Logf("gain of twice the cache: %.4f predicted, %.4f true; %d of %d hits seen", gain, want, x.Totals().HitTokens/512, small)
	assert.InDelta(t, want, gain, 0.03)
}

// TestSampledStackDepthsPublicTrace is the bar of SHARDS on skewed traffic, for ten seeds.
func TestSampledStackDepthsPublicTrace(t *testing.T) {
	worst := 0.0
	for seed := range uint64(10) {
		worst = max(worst, sampledError(t, seed, 200_000, 32<<10))
	}
	t.Logf("largest error of the hit ratio: %.4f", worst)
	assert.LessOrEqual(t, worst, 0.02)
}
