package live

import (
	"errors"
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

// kvStreams publish the KV events of every worker.
type kvStreams struct {
	publishers []*stream.KVPublisher
	events     []stream.KVEvent // reused
}

// openKV binds a publisher per worker.
func openKV(o *scenario.KVEvents, cfg *fleetsim.Config, host string) (*kvStreams, error) {
	k := &kvStreams{}
	for i, p := range workerPools(cfg) {
		wire, err := kvWire(o, p.Engine)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("protocols.kv_events: %w", err), k.close())
		}
		options := stream.KVOptions{Endpoint: zmqEndpoint(host, o.Port, i), Topic: o.Topic, Wire: wire, BufferSteps: o.Buffer}
		if o.ReplayPort >= 0 {
			options.ReplayEndpoint = zmqEndpoint(host, o.ReplayPort, i)
		}
		publisher, err := stream.NewKVPublisher(options)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("protocols.kv_events, worker %d: %w", i, err), k.close())
		}
		k.publishers = append(k.publishers, publisher)
	}
	return k, nil
}

// kvWire is the wire form that the scenario asks for, in an engine's dialect.
func kvWire(o *scenario.KVEvents, engine string) (stream.Wire, error) {
	w := stream.Wire{Fields: o.Fields}
	switch engine {
	case fleetsim.SGLang:
		w.Dialect = stream.SGLang
	case fleetsim.TensorRTLLM:
		w.Dialect = stream.TensorRTLLM
	}
	for _, f := range []stream.Form{stream.FormMap, stream.FormArray, stream.FormMapBatch} {
		if f.String() == o.Form {
			w.Form = f
		}
	}
	for _, h := range []stream.HashForm{stream.HashNative, stream.HashUnsigned, stream.HashSigned, stream.HashBytes} {
		if h.String() == o.Hashes {
			w.Hashes = h
		}
	}
	return w, w.Validate()
}

// publish sends what one step changed; seconds is the worker's own time of it.
func (k *kvStreams) publish(b fleetsim.KVBatch, seconds float64) {
	k.events = k.events[:0]
	for i := range b.Events {
		k.events = append(k.events, kvEvent(&b.Events[i]))
	}
	k.publishers[b.Worker].Publish(stream.KVBatch{Time: seconds, Events: k.events})
}

func kvEvent(e *fleetsim.KVEvent) stream.KVEvent {
	out := stream.KVEvent{Hashes: e.Hashes, Medium: e.Tier}
	switch e.Kind {
	case fleetsim.BlockStored:
		out.Kind, out.Tokens, out.BlockSize = stream.BlockStored, e.Tokens, e.BlockSize
		if e.HasParent {
			out.Parent = &e.Parent
		}
		if e.Adapter > 0 {
			out.LoRA = &stream.LoRA{ID: int64(e.Adapter), Name: e.AdapterName}
		}
		if e.SpecKind != "" {
			out.Group, out.SpecKind, out.Window = &e.Group, e.SpecKind, e.Window
		}
	case fleetsim.BlockRemoved:
		out.Kind = stream.BlockRemoved
		if e.Group > 0 {
			out.Group = &e.Group
		}
	case fleetsim.AllBlocksCleared:
		out.Kind = stream.AllBlocksCleared
	}
	return out
}

func (k *kvStreams) endpoints() (events, replay []string) {
	for _, p := range k.publishers {
		events = append(events, p.Endpoint())
		replay = append(replay, p.ReplayEndpoint())
	}
	return events, replay
}

func (k *kvStreams) close() error {
	var err error
	for _, p := range k.publishers {
		err = errors.Join(err, p.Close())
	}
	return err
}

// workerPools lists every worker's pool.
func workerPools(cfg *fleetsim.Config) []*fleetsim.Pool {
	var list []*fleetsim.Pool
	for i := range cfg.Pools {
		for range cfg.Pools[i].Workers {
			list = append(list, &cfg.Pools[i])
		}
	}
	return list
}

// zmqEndpoint is the i-th of a row of ports, or a free port when the first is 0.
func zmqEndpoint(host string, port, i int) string {
	if port > 0 {
		port += i
	}
	return fmt.Sprintf("tcp://%s:%d", host, port)
}
