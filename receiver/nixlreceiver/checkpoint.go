package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
)

// checkpoint keeps the counters of rings over a restart of the collector. The events are gone from a ring that is consumed, and would
// be read again from one that is observed. Stores need none of it. A nil checkpoint keeps nothing.
type checkpoint struct {
	client storage.Client
	logger *zap.Logger
	failed atomic.Bool
	loaded map[nixl.FileID]record
	gone   []nixl.FileID // to be dropped with the next save; guarded by the fleet's lock
}

// schema is the version of record. Another one is dropped.
const schema = 1

// record is what is kept of one agent.
type record struct {
	Schema   int
	Layout   string
	Capacity uint64
	PID      int // with Started: the process, 0 when it was not known
	Started  uint64

	Cursor uint64
	Owned  bool

	Tally                            json.RawMessage
	Start, First                     time.Time
	Restarts, Contention             uint64
	RingFull, Overwritten, EventsOut uint64
}

func openCheckpoint(ctx context.Context, host component.Host, id *component.ID, self component.ID, logger *zap.Logger) (*checkpoint, error) {
	if id == nil {
		return nil, nil
	}
	client, err := snapshots.Client(ctx, host, *id, component.KindReceiver, self)
	if err != nil {
		return nil, err
	}
	return &checkpoint{client: client, logger: logger, loaded: make(map[nixl.FileID]record)}, nil
}

func key(id nixl.FileID) string { return fmt.Sprintf("ring/%x/%x", id.Device, id.Inode) }

// load gets what is kept of agents that are new. The survey calls it without the fleet's lock.
func (c *checkpoint) load(fresh []*agent) {
	if c == nil {
		return
	}
	clear(c.loaded)
	dropped := 0
	for _, a := range fresh {
		if a.ring == nil {
			continue
		}
		raw, err := c.client.Get(context.Background(), key(a.id()))
		if err == nil && raw != nil {
			var r record
			switch err = json.Unmarshal(raw, &r); {
			case err != nil:
			case r.Schema != schema:
				dropped++
			default:
				c.loaded[a.id()] = r
			}
		}
		c.say(err)
	}
	if dropped > 0 {
		c.logger.Warn("Counters of rings were kept by another version of the collector, and begin anew",
			zap.Int("rings", dropped), zap.Int("schema", schema))
	}
}

// restore gives an agent its counters back if it is still the same life of it: the same process or, where that is not known, a ring
// of the same shape that is where it was left.
func (c *checkpoint) restore(a *agent, now time.Time, cfg *BufferConfig) {
	if c == nil || a.ring == nil {
		return
	}
	r, ok := c.loaded[a.id()]
	g := a.ring.Geometry()
	if !ok || r.Layout != g.Layout.String() || r.Capacity != g.Capacity {
		return
	}
	if a.owner != nil && r.PID != 0 {
		if a.owner.PID != r.PID || a.owner.Start != r.Started {
			return
		}
	} else if a.ring.Cursor() != r.Cursor && r.Owned {
		return
	}
	tally, err := nixl.Restore(g.Layout, r.Tally)
	if err == nil && !r.Owned { // a consumed ring says itself how far it was read; the record may be behind it, which looks like far ahead
		err = a.ring.Resume(r.Cursor)
	}
	if c.say(err); err != nil {
		return
	}
	a.tally, a.start, a.first = tally, r.Start, r.First
	a.restarts, a.contention, a.ringFull, a.overwritten = r.Restarts, r.Contention, r.RingFull, r.Overwritten
	a.policy.events, a.saved = r.EventsOut, r.EventsOut
	a.told = a.moved()
	if r.Owned { // nobody took over meanwhile, or the position would have moved
		a.policy.since, a.policy.ours = now.Add(-cfg.TakeoverAfter), true
	}
}

// save keeps what has changed, and drops what is gone. What fails is tried again with the next.
func (c *checkpoint) save(ctx context.Context, f *fleet) {
	if c == nil {
		return
	}
	f.mu.Lock()
	var ops []*storage.Operation
	gone := c.gone
	for _, id := range gone {
		ops = append(ops, storage.DeleteOperation(key(id)))
	}
	c.gone = nil
	var changed []*agent
	var err error
	for _, a := range f.agents {
		if a.ring == nil || !a.looked || a.policy.events == a.saved {
			continue
		}
		raw, failed := a.record()
		err = errors.Join(err, failed)
		if failed == nil {
			ops = append(ops, storage.SetOperation(key(a.id()), raw))
			changed, a.saved = append(changed, a), a.policy.events
		}
	}
	f.mu.Unlock()
	if len(ops) > 0 {
		if failed := c.client.Batch(ctx, ops...); failed != nil {
			err = errors.Join(err, failed)
			f.mu.Lock()
			c.gone = append(gone, c.gone...)
			c.gone = c.gone[max(0, len(c.gone)-maxAgents):]
			for _, a := range changed {
				a.saved = notSaved
			}
			f.mu.Unlock()
		}
	}
	c.say(err)
}

func (a *agent) record() ([]byte, error) {
	tally, err := a.tally.Save()
	if err != nil {
		return nil, err
	}
	g := a.ring.Geometry()
	r := record{
		Schema: schema, Layout: g.Layout.String(), Capacity: g.Capacity, Cursor: a.ring.Cursor(), Owned: a.ring.Owned(), Tally: tally,
		Start: a.start, First: a.first, Restarts: a.restarts, Contention: a.contention, RingFull: a.ringFull,
		Overwritten: a.overwritten, EventsOut: a.policy.events,
	}
	if a.owner != nil {
		r.PID, r.Started = a.owner.PID, a.owner.Start
	}
	return json.Marshal(r)
}

// forget drops an agent with the next save. The caller holds the fleet's lock.
func (c *checkpoint) forget(a *agent) {
	if c != nil && a.ring != nil {
		c.gone = append(c.gone, a.id())
	}
}

// say logs the first of a spell of failures: the counters begin anew after a restart of the collector, and nothing else is lost.
func (c *checkpoint) say(err error) {
	if was := c.failed.Swap(err != nil); err != nil && !was {
		c.logger.Warn("The counters of rings cannot be kept over a restart", zap.Error(err))
	}
}

func (c *checkpoint) close(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.client.Close(ctx)
}
