package stream

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// stepBatch is what a busy step does: four prompts of 32 blocks of 16 tokens stored, 32 blocks removed.
func stepBatch() KVBatch {
	b := KVBatch{Time: 1764067200.5, Rank: ptr(0)}
	for range 4 {
		e := KVEvent{Kind: BlockStored, Parent: ptr(uint64(1) << 63), BlockSize: 16, Medium: "GPU", Group: ptr(0)}
		for h := range uint64(32) {
			e.Hashes = append(e.Hashes, h<<58|h)
		}
		for n := range uint32(512) {
			e.Tokens = append(e.Tokens, n*251%151_936)
		}
		b.Events = append(b.Events, e)
	}
	for h := range uint64(32) {
		b.Events = append(b.Events, KVEvent{Kind: BlockRemoved, Hashes: []uint64{h << 58}, Medium: "GPU", Group: ptr(0)})
	}
	return b
}

func BenchmarkAppendKVBatch(b *testing.B) {
	batch := stepBatch()
	for name, w := range map[string]Wire{
		"map": {}, "array": {Form: FormArray}, "bytes": {Hashes: HashBytes}, "sglang": {Dialect: SGLang},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = AppendKVBatch(dst[:0], batch, w)
			}
			b.SetBytes(int64(len(dst)))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch.Events)), "ns/event")
		})
	}
}

func BenchmarkAppendForwardPass(b *testing.B) {
	b.ReportAllocs()
	pass, dst := goldenPass(), []byte(nil)
	for b.Loop() {
		dst = AppendForwardPass(dst[:0], pass, VLLMPasses, false)
	}
}

// BenchmarkPublishKV sends to one subscriber that reads as fast as it can.
func BenchmarkPublishKV(b *testing.B) {
	p, err := NewKVPublisher(KVOptions{Endpoint: loopback, ReplayEndpoint: loopback})
	require.NoError(b, err)
	defer func() { _ = p.Close() }()
	sub := subscribe(b, p, "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, sub)
	}()
	batch := stepBatch()
	b.ReportAllocs()
	for b.Loop() {
		p.Publish(batch)
	}
	_ = sub.Close()
	<-done
}

func BenchmarkPublishPass(b *testing.B) {
	p, err := NewPassPublisher(PassOptions{Endpoint: loopback, Heartbeat: -1})
	require.NoError(b, err)
	defer func() { _ = p.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		p.Publish(goldenPass())
	}
}

func BenchmarkExportSpan(b *testing.B) {
	e := &SpanExporter{options: SpanOptions{Service: "s"}, rng: rand.New(rand.NewPCG(1, 0))}
	batch := make([]RequestSpan, 512)
	for i := range batch {
		batch[i] = finished()
		batch[i].Traceparent = traceparent
	}
	b.ReportAllocs()
	for b.Loop() {
		e.traces(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/span")
}
