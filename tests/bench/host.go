package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // what the exporter sends with

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

// What a busy host with eight GPUs does beside its KV events and transfers.
const (
	hostWorkers  = 8
	passesEach   = 100    // forward passes a second and worker
	residentEach = 20_000 // blocks of a worker before it evicts
	blocksAChain = 10     // of one event
	tokensABlock = 16
	streamEvery  = 10 * time.Millisecond
)

// host is the busy host that an agent is measured on.
type host struct {
	workers []*streaming
	parts   []work // pages, transfers, GPUs
	sink    *gateway
	stop    chan struct{}
	running sync.WaitGroup
	blocks  atomic.Int64
}

// busyHost has eight workers with a page, KV events of so many blocks a second that are stored (and, once the pools are full, as many that
// are removed) and forward passes; one agent of NIXL with so many transfers a second; eight GPUs; and a gateway that takes everything.
func busyHost(stub string, p *page, blocks, transfersPerSecond int) (w work, err error) {
	h := &host{stop: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	pages, err := serve(hostWorkers, p)
	if err != nil {
		return w, err
	}
	h.parts = append(h.parts, work{close: pages.close})
	var targets, kv, replay, passes []string
	for i := range hostWorkers {
		s, err := newStreaming(i)
		if err != nil {
			return w, err
		}
		h.workers = append(h.workers, s)
		kv, replay, passes = append(kv, s.kv.Endpoint()), append(replay, s.kv.ReplayEndpoint()), append(passes, s.passes.Endpoint())
	}
	targets = append(append(append(append(targets, pages.addresses...), kv...), replay...), passes...)
	for _, open := range []func() (work, error){func() (work, error) { return transfers(transfersPerSecond) }, func() (work, error) { return gpus(stub) }} {
		part, err := open()
		if err != nil {
			return w, err
		}
		h.parts = append(h.parts, part)
		targets = append(targets, part.targets...)
	}
	if h.sink, err = newGateway(func(pmetric.Metrics) {}); err != nil {
		return w, err
	}
	targets = append(targets, h.sink.address)
	h.running.Go(func() { h.publish(blocks) })
	return work{
		targets: targets, done: h.blocks.Load, ready: int64(blocks), close: h.close,
		lost: func() (n int64) {
			for _, s := range h.workers {
				n += int64(s.kv.Stats().SubscriberDrops + s.passes.Stats().SubscriberDrops)
			}
			return n + h.parts[1].lost()
		},
	}, nil
}

// publish publishes once everybody is subscribed, at a steady rate.
func (h *host) publish(blocks int) {
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	var began time.Time
	for stored, passed := 0, 0; ; {
		select {
		case <-h.stop:
			return
		case now := <-tick.C:
			if began.IsZero() {
				if h.followed() {
					began = now
				}
				continue
			}
			seconds := now.Sub(began).Seconds()
			for due := int(seconds * float64(blocks)); stored+blocksAChain <= due; stored += blocksAChain {
				h.workers[stored/blocksAChain%hostWorkers].store()
			}
			for due := int(seconds * passesEach); passed < due; passed++ {
				for _, s := range h.workers {
					s.step(now)
				}
			}
			h.blocks.Store(int64(stored))
		}
	}
}

func (h *host) followed() bool {
	for _, s := range h.workers {
		if s.kv.Subscribers() == 0 || s.passes.Subscribers() == 0 {
			return false
		}
	}
	return true
}

func (h *host) close() error {
	close(h.stop)
	h.running.Wait()
	var errs []error
	for _, s := range h.workers {
		errs = append(errs, s.kv.Close(), s.passes.Close())
	}
	for _, part := range h.parts {
		errs = append(errs, part.close())
	}
	if h.sink != nil {
		h.sink.close()
	}
	return errors.Join(errs...)
}

// streaming is a worker that publishes.
type streaming struct {
	kv       *stream.KVPublisher
	passes   *stream.PassPublisher
	resident []uint64 // hashes of chains, oldest first
	next     uint64
	events   []stream.KVEvent // of the step under way
}

func newStreaming(i int) (*streaming, error) {
	kv, err := stream.NewKVPublisher(stream.KVOptions{Endpoint: "tcp://127.0.0.1:0", ReplayEndpoint: "tcp://127.0.0.1:0", Topic: "kv-events"})
	if err != nil {
		return nil, err
	}
	passes, err := stream.NewPassPublisher(stream.PassOptions{Endpoint: "tcp://127.0.0.1:0", Worker: "worker"})
	if err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	return &streaming{kv: kv, passes: passes, next: uint64(i) << 48}, nil
}

// store stores a chain of new blocks at the start of a sequence and evicts the oldest chain where the pool is full. Every fourth is one that
// was evicted not long before: regret and reuse are part of the load.
func (s *streaming) store() {
	first := s.next
	s.next += blocksAChain
	if back := uint64(residentEach + 1000); s.next/blocksAChain%4 == 0 && s.next&(1<<48-1) > 2*back {
		first -= back - back%blocksAChain
	}
	s.events = append(s.events, stream.KVEvent{
		Kind: stream.BlockStored, Hashes: chain(first), Tokens: make([]uint32, blocksAChain*tokensABlock), BlockSize: tokensABlock, Medium: "GPU",
	})
	s.resident = append(s.resident, first)
	if len(s.resident) > residentEach/blocksAChain {
		s.events = append(s.events, stream.KVEvent{Kind: stream.BlockRemoved, Hashes: chain(s.resident[0]), Medium: "GPU"})
		s.resident = s.resident[1:]
	}
}

func chain(first uint64) []uint64 {
	hashes := make([]uint64, blocksAChain)
	for i := range hashes {
		hashes[i] = first + uint64(i) + 1
	}
	return hashes
}

// step ends a step of the engine: what it did to the cache goes out in one message, and its forward pass in another.
func (s *streaming) step(now time.Time) {
	if len(s.events) > 0 {
		s.kv.Publish(stream.KVBatch{Time: float64(now.UnixNano()) / 1e9, Events: s.events})
		s.events = nil
	}
	s.passes.Publish(stream.ForwardPass{WallTime: 0.0095, Scheduled: stream.ScheduledRequests{
		Prefills: 1, PrefillTokens: 200, PrefillKVTokens: 64, Decodes: 48, DecodeKVTokens: 96_000, DecodeVariance: 1e6,
	}, Queued: stream.QueuedRequests{Prefills: 2, PrefillTokens: 900}})
}

// gateway takes what agents send.
type gateway struct {
	pmetricotlp.UnimplementedGRPCServer
	address string
	server  *grpc.Server
	serving sync.WaitGroup
	take    func(pmetric.Metrics)
}

func newGateway(take func(pmetric.Metrics)) (*gateway, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gateway{address: l.Addr().String(), server: grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20)), take: take}
	pmetricotlp.RegisterGRPCServer(g.server, g)
	g.serving.Go(func() { _ = g.server.Serve(l) }) // ends when it is stopped
	return g, nil
}

// Export takes everything.
func (g *gateway) Export(_ context.Context, request pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	g.take(request.Metrics())
	return pmetricotlp.NewExportResponse(), nil
}

func (g *gateway) close() {
	g.server.Stop()
	g.serving.Wait()
}
