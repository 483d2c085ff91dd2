package stream

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of the engines, but for the address, which is loopback here.
const (
	DefaultPassEndpoint  = "tcp://127.0.0.1:20380"
	DefaultPassQueueSize = 10_000
	DefaultHeartbeat     = time.Second
)

// PassOptions configure a publisher of forward passes.
type PassOptions struct {
	// Endpoint is tcp://host:port or ipc://path; the host may be *. Default DefaultPassEndpoint. A rank adds to the port; for ipc it
	// is the suffix .<rank>, with SGLang from rank 0 on and otherwise from rank 1 on.
	Endpoint string
	// Rank is the data-parallel rank.
	Rank int
	// Worker is the worker_id of every message.
	Worker string
	// Dialect and Positional choose the payload.
	Dialect    PassDialect
	Positional bool
	// QueueSize is how many messages wait for one subscriber; more are dropped for it. Default DefaultPassQueueSize.
	QueueSize int
	// Heartbeat is how often an idle engine reports. Default DefaultHeartbeat; negative for never.
	Heartbeat time.Duration
	// Ticks, when set, is the clock of heartbeats in place of a ticker every Heartbeat.
	Ticks <-chan time.Time
}

// PassPublisher publishes forward passes. Its methods may be called from any goroutine.
type PassPublisher struct {
	core       *publication
	worker     string
	rank       int
	dialect    PassDialect
	positional bool

	// quiet is set by a tick and cleared by a message: a second tick on it is due a heartbeat.
	quiet atomic.Bool
	idle  atomic.Bool
	done  chan struct{}
	wait  sync.WaitGroup
}

// NewPassPublisher binds the socket and starts the heartbeat. The caller closes the publisher.
func NewPassPublisher(o PassOptions) (*PassPublisher, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultPassEndpoint
	}
	if o.Dialect < DynamoPasses || o.Dialect > SGLangPasses {
		return nil, fmt.Errorf("dialect: must be dynamo, vllm or sglang, got %v", o.Dialect)
	}
	queue, err := orDefault("queue_size", o.QueueSize, DefaultPassQueueSize)
	if err != nil {
		return nil, err
	}
	suffix := ""
	if o.Rank > 0 || o.Dialect == SGLangPasses {
		suffix = fmt.Sprintf(".%d", o.Rank)
	}
	endpoint, err := ofRank("endpoint", o.Endpoint, o.Rank, suffix)
	if err != nil {
		return nil, err
	}
	core, err := newPublication("", "endpoint", endpoint, queue, 0)
	if err != nil {
		return nil, err
	}
	p := &PassPublisher{
		core: core, worker: o.Worker, rank: o.Rank, dialect: o.Dialect, positional: o.Positional, done: make(chan struct{}),
	}
	p.startHeartbeat(o)
	return p, nil
}

func (p *PassPublisher) startHeartbeat(o PassOptions) {
	if o.Heartbeat < 0 {
		return
	}
	ticks, stop := o.Ticks, func() {}
	if ticks == nil {
		every := o.Heartbeat
		if every == 0 {
			every = DefaultHeartbeat
		}
		ticker := time.NewTicker(every)
		ticks, stop = ticker.C, ticker.Stop
	}
	p.wait.Go(func() {
		defer stop()
		for {
			select {
			case <-p.done:
				return
			case <-ticks:
				p.tick()
			}
		}
	})
}

// tick sends a heartbeat when nothing was published since the tick before.
func (p *PassPublisher) tick() {
	if !p.quiet.Swap(true) || (p.dialect == SGLangPasses && !p.idle.Load()) {
		return
	}
	p.send(ForwardPass{})
}

// SetIdle tells SGLang's publisher whether the scheduler is idle; at the start it is not. The others send heartbeats regardless.
func (p *PassPublisher) SetIdle(idle bool) { p.idle.Store(idle) }

// Publish sends a pass under this publisher's worker, rank and next counter. It never blocks on a subscriber. After Close it does
// nothing.
func (p *PassPublisher) Publish(pass ForwardPass) {
	p.quiet.Store(false)
	p.send(pass)
}

func (p *PassPublisher) send(pass ForwardPass) {
	p.core.publish(func(dst []byte, sequence uint64) []byte {
		pass.Worker, pass.Rank, pass.Counter = p.worker, p.rank, sequence
		return AppendForwardPass(dst, pass, p.dialect, p.positional)
	})
}

// Faults of this publisher. There is no replay: what is dropped is a gap in counter_id for good.
func (p *PassPublisher) Faults() *Faults { return &p.core.faults }

// Restart does what a restart of the engine would: connections break and the counter begins at 0.
func (p *PassPublisher) Restart() { p.core.restart() }

// Endpoint is where to connect a SUB socket.
func (p *PassPublisher) Endpoint() string { return p.core.pub.socket.endpoint }

// Subscribers is the number of connected peers that subscribed.
func (p *PassPublisher) Subscribers() int { return p.core.pub.subscribers() }

// Stats so far; heartbeats count as published.
func (p *PassPublisher) Stats() Stats { return p.core.snapshot() }

// Close ends the heartbeat, gives subscribers a quarter of a second to take what is queued, hangs up and waits for every goroutine. A
// second Close is an error.
func (p *PassPublisher) Close() error {
	if err := p.core.close(); err != nil {
		return err
	}
	close(p.done)
	p.wait.Wait()
	return nil
}
