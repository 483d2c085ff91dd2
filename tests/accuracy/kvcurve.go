package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// curveBar bounds the error of the predicted hit ratio at other sizes of the pool.
	curveBar = 0.03
	// infiniteHit is the share of the blocks of 512 tokens of Mooncake's conversation trace that came before.
	infiniteHit    = 0.366
	infiniteHitBar = 0.005
	// mooncakeBlock is the tokens of a block of that trace.
	mooncakeBlock = 512
)

// missRatioCurve is A9 through the whole chain: what the processor predicts of another size of the pool against a run with a pool of
// that size. The curve of the receiver's index by itself is tested where that is.
func missRatioCurve(o options, report func(result)) error {
	s := kvScenario{
		name: "shared-prefixes", cfg: fleetsim.DefaultConfig(), warmUp: 20 * time.Minute, duration: 50 * time.Minute,
		interval: 5 * time.Second, events: true,
	}
	thrashing(&s.cfg)
	s.cfg.Pools[0].Workers, s.cfg.Pools[0].KVBlocks = 1, 24_000
	custom := s.cfg.Workload.(fleetsim.Custom)
	custom.Rate, custom.Prompt, custom.SharedPrefixTokens = 3, fleetsim.Uniform(2300, 3200), 2000
	s.cfg.Workload = custom
	if o.quick {
		s.warmUp, s.duration = 10*time.Minute, 20*time.Minute
	}
	if err := curveLines(s, "/synthetic", report); err != nil {
		return err
	}
	if o.data == "" {
		return nil
	}
	return mooncakeLines(o, report)
}

// curveLines predicts from one run, and looks what runs with pools of other sizes have.
func curveLines(s kvScenario, traffic string, report func(result)) error {
	s.cfg.KVLedger = true
	base, err := kvReplay(s, nil)
	if err != nil {
		return err
	}
	blocks := s.cfg.Pools[0].KVBlocks
	for _, scale := range []float64{0.5, 1, 2, 4} {
		other := s
		other.cfg.Pools = append([]fleetsim.Pool(nil), s.cfg.Pools...)
		other.cfg.Pools[0].KVBlocks = int(scale * float64(blocks))
		other.events = false
		out := base
		if scale != 1 {
			if out, err = kvReplay(other, nil); err != nil {
				return err
			}
		}
		a, b := out.workers[0].truthFrom.KV.Lookups, out.workers[0].truthTo.KV.Lookups
		truth := float64(b.Hits()-a.Hits()) / float64(b.Queries-a.Queries)
		said := base.workers[0].mean(signal.KVHitRatioPredicted, fmt.Sprint(scale))
		report(result{
			name:  fmt.Sprintf("A9/predicted-x%g/%v%s", scale, s, traffic),
			value: fmt.Sprintf("%+.3f(%.3f/%.3f)", said-truth, said, truth),
			bar:   fmt.Sprint(curveBar), pass: math.Abs(said-truth) <= curveBar,
		})
	}
	return nil
}

// mooncakeLines says what an infinite cache would have of Mooncake's conversation trace, and replays it on a worker that is fast enough for
// it, with a pool of 8,000 blocks of 512 tokens: what others would have.
func mooncakeLines(o options, report func(result)) error {
	path := filepath.Join(o.data, "traces", "mooncake", "conversation_trace.jsonl.zst")
	if _, err := os.Stat(path); err != nil {
		return err
	}
	s := kvScenario{
		name: "mooncake", cfg: fleetsim.DefaultConfig(), warmUp: 15 * time.Minute, duration: time.Hour, interval: 5 * time.Second, events: true,
	}
	p := &s.cfg.Pools[0]
	p.BlockSize, p.MaxBatchedTokens, p.Replicas = mooncakeBlock, 131_072, []fleetsim.Replica{{Speed: 100}}
	s.cfg.Workload = fleetsim.Trace{Path: path, Load: 1}
	s.cfg.KVLedger = true
	h, err := mooncakeReuse(path)
	if err != nil {
		return err
	}
	counts := make([]float64, len(h.Counts))
	for i, n := range h.Counts {
		counts[i] = float64(n)
	}
	said := serving.KVReuse{Bounds: h.Bounds, Counts: counts}.Share(math.Inf(1))
	report(result{
		name: "A9/infinite-cache/mooncake", value: fmt.Sprintf("%.4f(%.0f_references)", said, float64(h.Count())),
		bar: fmt.Sprintf("%g+-%g", infiniteHit, infiniteHitBar), pass: math.Abs(said-infiniteHit) <= infiniteHitBar,
	})
	p.KVBlocks = 8_000
	return curveLines(s, "/mooncake", report)
}

// mooncakeReuse gives the blocks of every prompt of the trace to an index, as an engine without a cache would.
func mooncakeReuse(path string) (h kvcache.Histogram, err error) {
	f, err := os.Open(path)
	if err != nil {
		return h, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return h, err
	}
	defer z.Close()
	x := newKVFeed(1, 0, nil).index
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		var prompt struct {
			Hashes []uint64 `json:"hash_ids"`
		}
		if err := json.Unmarshal(lines.Bytes(), &prompt); err != nil {
			return h, fmt.Errorf("%s: line %d: %w", path, n+1, err)
		}
		for i := range prompt.Hashes {
			prompt.Hashes[i]++ // 0 would be no parent
		}
		x.At(1e9 + 40*float64(n)) // far apart, so that none is taken for the growth of another
		x.Store(kvcache.Stored{Hashes: prompt.Hashes, Tokens: mooncakeBlock})
		x.EndBatch()
		x.Remove(prompt.Hashes, kvcache.GPU, 0)
	}
	return x.Totals().Reuse, lines.Err()
}
