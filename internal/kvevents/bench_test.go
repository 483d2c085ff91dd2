package kvevents

import (
	"syscall"
	"testing"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
)

// steps are payloads of a busy engine with a full cache: each stores four prompts of 32 blocks of 16 tokens, every other below a sequence
// that is found, and removes as many blocks as it stores.
func steps(w stream.Wire, live, n int) [][]byte {
	const prompts, run = 4, 32
	hash := func(i int) uint64 { return uint64(i+1) * 0x9e3779b97f4a7c15 }
	var payloads [][]byte
	ids := tokens(run * 16)
	for i := range n {
		b := stream.KVBatch{Time: 1e9 + float64(i)/50}
		for p := range prompts {
			first := (i*prompts + p) * run
			e := stream.KVEvent{Kind: stream.BlockStored, BlockSize: 16, Medium: "GPU", Tokens: ids, Group: ptr(0)}
			if p%2 == 1 && first > live {
				e.Parent = ptr(hash(first - live/2 - 1))
			}
			for j := range run {
				e.Hashes = append(e.Hashes, hash(first+j))
			}
			b.Events = append(b.Events, e)
		}
		for j := range prompts * run {
			if old := i*prompts*run + j - live; old >= 0 {
				b.Events = append(b.Events, stream.KVEvent{Kind: stream.BlockRemoved, Hashes: []uint64{hash(old)}, Medium: "GPU", Group: ptr(0)})
			}
		}
		payloads = append(payloads, stream.AppendKVBatch(nil, b, w))
	}
	return payloads
}

// cpu is the processor time of this process: on a busy machine it says more than the clock on the wall.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type nowhere struct{}

func (nowhere) At(float64)                         {}
func (nowhere) Store(kvcache.Stored)               {}
func (nowhere) Remove([]uint64, kvcache.Tier, int) {}
func (nowhere) Clear()                             {}
func (nowhere) EndBatch()                          {}

const blocksAStep = 128

func BenchmarkDecode(b *testing.B) {
	for name, w := range map[string]stream.Wire{
		"map": {}, "array": {Form: stream.FormArray}, "bytes": {Hashes: stream.HashBytes}, "sglang": {Dialect: stream.SGLang},
	} {
		b.Run(name, func(b *testing.B) {
			payload := steps(w, 1<<12, 64)[63]
			var d Decoder
			b.ReportAllocs()
			began := cpu()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				if _, err := d.Decode(payload, nowhere{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(blocksAStep*float64(b.N)/(cpu()-began).Seconds(), "blocks/cpu-s")
		})
	}
}

// BenchmarkDecodeAndReduce counts each block once, though it is stored and removed. The caches have the size that an engine of one GPU
// has, and a million blocks.
func BenchmarkDecodeAndReduce(b *testing.B) {
	for name, live := range map[string]int{"64k_live": 1 << 16, "1M_live": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			all := steps(stream.Wire{}, live, 3*live/blocksAStep)
			x := kvcache.NewIndex(kvcache.Settings{
				MemoryLimit: 64 << 20, Horizon: 10 * time.Minute, ExactBlocks: 1 << 20, SampledBlocks: 1 << 16, MaxDistance: 1 << 20,
			}, true)
			var d Decoder
			i := 0
			var refill time.Duration // of processor time
			next := func() {
				if i == len(all) {
					b.StopTimer() // the payloads begin again
					paused := cpu()
					x.Clear()
					for i = 0; i < 2*live/blocksAStep; i++ {
						_, _ = d.Decode(all[i], x)
					}
					refill += cpu() - paused
					b.StartTimer()
				}
				_, _ = d.Decode(all[i], x)
				i++
			}
			for range 2 * live / blocksAStep {
				next()
			}
			b.ReportAllocs()
			began := cpu()
			for b.Loop() {
				next()
			}
			b.ReportMetric(blocksAStep*float64(b.N)/(cpu()-began-refill).Seconds(), "blocks/cpu-s")
		})
	}
}
