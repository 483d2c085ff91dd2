package stream

import (
	"errors"
	"fmt"
)

// Defaults of the engines' KVEventsConfig, but for the address, which is loopback here, and the high-water mark, 100,000 there.
const (
	DefaultKVEndpoint    = "tcp://127.0.0.1:5557"
	DefaultBufferSteps   = 10_000
	DefaultHighWaterMark = 10_000
)

// KVOptions configure a publisher of KV cache events.
type KVOptions struct {
	// Endpoint is tcp://host:port or ipc://path; the host may be *. Default DefaultKVEndpoint. A rank adds to the port; for ipc it
	// is the suffix _dp<rank> from rank 1 on.
	Endpoint string
	// ReplayEndpoint serves replay; "" for none. The rank applies as above.
	ReplayEndpoint string
	// Rank is the data-parallel rank.
	Rank int
	// Topic is the first frame.
	Topic string
	// Wire is the wire form.
	Wire Wire
	// BareReplay leaves the topic out of replay answers, as vLLM (commit 0181ea3) and SGLang (commit 006d053) did.
	BareReplay bool
	// BufferSteps is how many messages are kept for replay. Default DefaultBufferSteps.
	BufferSteps int
	// HighWaterMark is how many messages wait for one subscriber; more are dropped for it. Default DefaultHighWaterMark.
	HighWaterMark int
}

// KVPublisher publishes KV cache events as the engines' ZmqEventPublisher does. Its methods may be called from any goroutine.
type KVPublisher struct {
	core *publication
	wire Wire
	rank int
}

// NewKVPublisher binds the sockets. The caller closes the publisher.
func NewKVPublisher(o KVOptions) (*KVPublisher, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultKVEndpoint
	}
	var err error
	if o.BufferSteps, err = orDefault("buffer_steps", o.BufferSteps, DefaultBufferSteps); err != nil {
		return nil, err
	}
	if o.HighWaterMark, err = orDefault("high_water_mark", o.HighWaterMark, DefaultHighWaterMark); err != nil {
		return nil, err
	}
	if err := o.Wire.Validate(); err != nil {
		return nil, err
	}
	suffix := ""
	if o.Rank > 0 {
		suffix = fmt.Sprintf("_dp%d", o.Rank)
	}
	endpoint, err := ofRank("endpoint", o.Endpoint, o.Rank, suffix)
	if err != nil {
		return nil, err
	}
	steps := o.BufferSteps
	if o.ReplayEndpoint == "" {
		steps = 0
	}
	core, err := newPublication(o.Topic, "endpoint", endpoint, o.HighWaterMark, steps)
	if err != nil {
		return nil, err
	}
	p := &KVPublisher{core: core, wire: o.Wire, rank: o.Rank}
	if o.ReplayEndpoint == "" {
		return p, nil
	}
	endpoint, err = ofRank("replay_endpoint", o.ReplayEndpoint, o.Rank, suffix)
	if err == nil {
		core.replay, err = newReplayer("replay_endpoint", endpoint, core.ring, o.BareReplay)
	}
	if err != nil {
		return nil, errors.Join(err, core.close())
	}
	return p, nil
}

func orDefault(key string, value, standard int) (int, error) {
	if value < 0 {
		return 0, fmt.Errorf("%s: must be at least 1, or 0 for %d, got %d", key, standard, value)
	}
	if value == 0 {
		return standard, nil
	}
	return value, nil
}

// Publish sends a batch, with the publisher's rank unless it has one. It never blocks on a subscriber and keeps nothing of the batch.
// After Close it does nothing.
func (p *KVPublisher) Publish(b KVBatch) {
	if b.Rank == nil {
		b.Rank = &p.rank
	}
	p.core.publish(func(dst []byte, _ uint64) []byte { return AppendKVBatch(dst, b, p.wire) })
}

// Faults of this publisher.
func (p *KVPublisher) Faults() *Faults { return &p.core.faults }

// SetReplay changes how replay is answered. Without a replay endpoint it has no effect.
func (p *KVPublisher) SetReplay(mode ReplayMode) {
	if p.core.replay != nil {
		p.core.replay.mode.Store(int32(mode))
	}
}

// Restart does what a restart of the engine would: connections break, the sequence begins at 0 and the replay buffer is empty.
func (p *KVPublisher) Restart() { p.core.restart() }

// Endpoint is where to connect a SUB socket.
func (p *KVPublisher) Endpoint() string { return p.core.pub.socket.endpoint }

// ReplayEndpoint is where to connect a DEALER socket, "" without replay. A REQ socket gets the first answer only.
func (p *KVPublisher) ReplayEndpoint() string {
	if p.core.replay == nil {
		return ""
	}
	return p.core.replay.socket.endpoint
}

// Subscribers is the number of connected peers that subscribed.
func (p *KVPublisher) Subscribers() int { return p.core.pub.subscribers() }

// Stats so far.
func (p *KVPublisher) Stats() Stats { return p.core.snapshot() }

// Close gives subscribers a quarter of a second to take what is queued, hangs up and waits for every goroutine. A second Close is an
// error.
func (p *KVPublisher) Close() error { return p.core.close() }
