package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/zmqsub"
	"github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver/internal/metadata"
)

// How a subscriber behaves.
const (
	streamTimeout   = 5 * time.Second
	replayTimeout   = 10 * time.Second
	replaysPerHour  = 360
	firstPause      = 100 * time.Millisecond
	mostPause       = 30 * time.Second
	maxMessageBytes = 16 << 20
)

// streams are the KV events and forward passes of all endpoints. Each stream has a subscriber of its own; one loop makes their points.
type streams struct {
	r           *engineReceiver
	table       map[string]signal.Metric
	workers     []*streamWorker
	subscribers []*zmqsub.Subscriber
	byTarget    map[*target]endpointStreams
	refused     bool
	start       pcommon.Timestamp

	membersMu sync.Mutex
	members   map[*target][]fleetKey // of fleets, as the pages tell
}

// endpointStreams are the workers of an endpoint, and which streams it has.
type endpointStreams struct {
	workers    []*streamWorker
	kv, passes bool
}

// newStreams makes what the configuration asks for. targets has nil for an endpoint that is not scraped.
func (r *engineReceiver) newStreams(endpoints []EndpointConfig, targets []*target, tell *reporter) (*streams, error) {
	s := &streams{
		r: r, table: signal.Index(signal.All()), byTarget: make(map[*target]endpointStreams),
		start: pcommon.NewTimestampFromTime(r.clock.Now()), members: make(map[*target][]fleetKey),
	}
	total := 0
	for _, e := range endpoints {
		total += e.KVEvents.ranks()
	}
	for i, e := range endpoints {
		made := endpointStreams{kv: e.KVEvents != nil, passes: e.ForwardPasses != nil}
		ranks := max(e.KVEvents.ranks(), e.ForwardPasses.ranks())
		for rank := range ranks {
			w, err := s.worker(e, rank, ranks, r.cfg.Streams.KVEvents.streamMemory(total), tell)
			if err != nil {
				return nil, err
			}
			w.scraped = targets[i] != nil
			made.workers = append(made.workers, w)
		}
		s.workers = append(s.workers, made.workers...)
		if targets[i] != nil {
			s.byTarget[targets[i]] = made
		}
	}
	return s, nil
}

// worker makes one rank and its subscribers.
func (s *streams) worker(e EndpointConfig, rank, ranks, memory int, tell *reporter) (*streamWorker, error) {
	w := &streamWorker{rank: rank, ranks: ranks, withheld: make(map[string]uint64)}
	settings := zmqsub.Settings{
		Timeout: streamTimeout, ReplayTimeout: replayTimeout, ReplaysPerHour: replaysPerHour, MaxMessageBytes: maxMessageBytes,
		FirstPause: firstPause, MostPause: mostPause,
	}
	var err error
	if rank < e.KVEvents.ranks() {
		set := settings
		set.Sequenced, set.Topic = true, e.KVEvents.Topic
		if set.Endpoint, err = zmqsub.ParseEndpoint(e.KVEvents.Endpoint, rank, kvRankSuffix); err != nil {
			return nil, fmt.Errorf("kv_events: endpoint %w", err)
		}
		if e.KVEvents.ReplayEndpoint != "" {
			if set.Replay, err = zmqsub.ParseEndpoint(e.KVEvents.ReplayEndpoint, rank, kvRankSuffix); err != nil {
				return nil, fmt.Errorf("kv_events: replay_endpoint %w", err)
			}
		}
		w.kv = newKVStream(&s.r.cfg.Streams.KVEvents, memory, s.r.fleets.seed, s.r.clock,
			newStreamState(tell, signal.SourceKVEvents, set.Endpoint.String()))
		s.subscribers = append(s.subscribers, zmqsub.New(set, w.kv))
		w.id = s.identity(e, set.Endpoint)
	}
	if rank < e.ForwardPasses.ranks() {
		set := settings
		set.Topic = e.ForwardPasses.Topic
		if set.Endpoint, err = zmqsub.ParseEndpoint(e.ForwardPasses.Endpoint, rank, passRankSuffix); err != nil {
			return nil, fmt.Errorf("forward_passes: endpoint %w", err)
		}
		w.passes = newPassStream(newStreamState(tell, signal.SourceForwardPasses, set.Endpoint.String()))
		s.subscribers = append(s.subscribers, zmqsub.New(set, w.passes))
		if w.kv == nil {
			w.id = s.identity(e, set.Endpoint)
		}
	}
	return w, nil
}

// identity is that of the endpoint, or of its stream where there is nothing to scrape.
func (s *streams) identity(e EndpointConfig, at zmqsub.Endpoint) exposition.Identity {
	id := exposition.Identity{Address: at.Address, Service: e.ServiceName, Fleet: e.Fleet, Role: e.Role}
	if host, port, ok := at.Host(); ok {
		id.Address, id.Port = host, port
	}
	if u, err := parseEndpoint(e.Endpoint); err == nil {
		id = s.r.identify(u, e)
	} else if at.Network == "unix" || s.r.isLocal(id.Address) {
		id.Host = s.r.hostname
	}
	return id
}

// run starts the subscribers, and makes points every interval until ctx ends.
func (s *streams) run(ctx context.Context, interval time.Duration) {
	if len(s.workers) == 0 {
		return
	}
	for _, sub := range s.subscribers {
		s.r.loops.Go(func() { sub.Run(ctx) })
	}
	s.r.loops.Go(func() {
		ticks, stop := s.r.clock.Ticks(interval)
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				s.deliver(ctx, s.collect(s.r.clock.Now()))
			}
		}
	})
}

// deliver hands points to the pipeline. What it refuses is dropped and counted: the next interval has the totals again.
func (s *streams) deliver(ctx context.Context, metrics pmetric.Metrics) {
	n := metrics.DataPointCount()
	if n == 0 {
		return
	}
	ctx = s.r.obsreport.StartMetricsOp(ctx)
	err := s.r.next.ConsumeMetrics(ctx, metrics)
	s.r.obsreport.EndMetricsOp(ctx, metadata.Type.String(), n, err)
	if err != nil && !s.refused {
		s.r.set.Logger.Warn("The pipeline refuses the points of the streams", zap.Error(err))
	}
	s.refused = err != nil
}

// collect makes the points of all workers.
func (s *streams) collect(now time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for _, w := range s.workers {
		resource, ok := w.identify()
		if !ok {
			continue
		}
		out := s.begin(md, resource, now)
		if w.kv != nil {
			snapshot := w.kv.snapshot()
			w.kv.state.known(snapshot.state.Known || snapshot.state.Suspended)
			snapshot.points(out, w.kv.state.up.Load())
			s.cover(out, w)
			s.merge(md, out, w, &snapshot, resource, now)
		}
		if w.passes != nil {
			snapshot := w.passes.snapshot()
			snapshot.points(out, w.passes.state.up.Load())
		}
	}
	return md
}

func (s *streams) begin(md pmetric.Metrics, resource pcommon.Resource, now time.Time) *pointWriter {
	rm := md.ResourceMetrics().AppendEmpty()
	resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Scope().SetVersion(s.r.set.BuildInfo.Version)
	return &pointWriter{table: s.table, metrics: sm.Metrics(), start: s.start, now: pcommon.NewTimestampFromTime(now)}
}

// cover writes how much of the engine's hits the events show.
func (s *streams) cover(out *pointWriter, w *streamWorker) {
	if share, ok := w.covered(); ok {
		out.number(signal.Coverage, signal.AttrEstimate, signal.EstimateKVReuse).SetDoubleValue(share)
	}
}

// stop leaves the fleets.
func (s *streams) stop() {
	for _, w := range s.workers {
		s.join(w, "")
	}
	s.forgetMembers()
}
