package kvevents

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/msgpack"
)

// Sink takes events in their order. *kvcache.Index is one.
type Sink interface {
	At(seconds float64) // the time of the batch, before its events
	Store(kvcache.Stored)
	Remove(hashes []uint64, tier kvcache.Tier, group int)
	Clear()
	EndBatch()
}

// Report says what a batch held.
type Report struct {
	Events    int
	Malformed int // events that were skipped
	Foreign   int // events of a kind that is not known
	Rank      int // data-parallel rank, or -1
}

// maxHashes bounds the blocks of one event; an event of more is malformed.
const maxHashes = 1 << 16

// Decoder reads the batches of one publisher. It is not safe for concurrent use.
type Decoder struct {
	event  event
	groups groups
	lora   []byte // name of the event's adapter, or its number
	names  map[string]string
}

// event is what is read of one event.
type event struct {
	kind      kind
	hashes    []uint64
	parent    uint64
	hasParent bool
	tokens    int // in token_ids
	blockSize int64
	tier      kvcache.Tier
	group     int64
	full      bool // full attention
	sglang    bool // it is SGLang's
	spec      kvcache.Kind
	window    int // tokens
}

type kind uint8

const (
	foreign kind = iota
	blockStored
	blockRemoved
	allBlocksCleared
)

func kindOf(tag []byte) kind {
	switch string(tag) {
	case "BlockStored":
		return blockStored
	case "BlockRemoved":
		return blockRemoved
	case "AllBlocksCleared":
		return allBlocksCleared
	}
	return foreign
}

// Decode reads a batch into a sink. An error means that the rest of the batch is lost; what came before it has reached the sink.
func (d *Decoder) Decode(payload []byte, sink Sink) (Report, error) {
	r := Report{Rank: -1}
	n, named, b, err := msgpack.Struct(payload)
	if err != nil {
		return r, fmt.Errorf("batch: %w", err)
	}
	if named {
		return r, d.namedBatch(n, b, sink, &r)
	}
	if n < 2 {
		return r, fmt.Errorf("batch must have at least 2 elements, got %d", n)
	}
	now, b, err := msgpack.Float(b)
	if err != nil {
		return r, fmt.Errorf("time: %w", err)
	}
	if b, err = d.events(b, now, sink, &r); err != nil {
		return r, err
	}
	if n > 2 {
		readRank(b, &r)
	}
	return r, nil
}

// namedBatch reads a batch that is a map.
func (d *Decoder) namedBatch(n int, b []byte, sink Sink, r *Report) error {
	var now float64
	var events []byte
	hasTime := false
	for range n {
		key, rest, err := msgpack.Key(b)
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		switch string(key) {
		case "ts":
			now, b, err = msgpack.Float(rest)
			hasTime = true
		case "events":
			if events = rest; hasTime {
				b, err = d.events(rest, now, sink, r)
				events = nil
			} else {
				b, err = msgpack.Skip(rest)
			}
		case "data_parallel_rank":
			readRank(rest, r)
			b, err = msgpack.Skip(rest)
		default:
			b, err = msgpack.Skip(rest)
		}
		if err != nil {
			return fmt.Errorf("batch, %q: %w", key, err)
		}
	}
	if !hasTime {
		return errors.New("batch has no time")
	}
	if events != nil {
		_, err := d.events(events, now, sink, r)
		return err
	}
	return nil
}

func readRank(b []byte, r *Report) {
	if msgp.IsNil(b) {
		return
	}
	if rank, _, err := msgpack.Count(b); err == nil && rank < 1<<16 {
		r.Rank = int(rank)
	}
}

func (d *Decoder) events(b []byte, now float64, sink Sink, r *Report) ([]byte, error) {
	n, b, err := msgpack.Array(b)
	if err != nil {
		return b, fmt.Errorf("events: %w", err)
	}
	sink.At(now)
	defer sink.EndBatch()
	for i := range n {
		rest, err := d.read(b)
		if err != nil {
			r.Malformed++
			if rest, err = msgpack.Skip(b); err != nil {
				return b, fmt.Errorf("event %d of %d: %w", i+1, n, err)
			}
		} else {
			r.Events++
			d.pass(sink, r)
		}
		b = rest
	}
	return b, nil
}

// pass hands the event to the sink.
func (d *Decoder) pass(sink Sink, r *Report) {
	e := &d.event
	switch e.kind {
	case blockStored:
		sink.Store(kvcache.Stored{
			Hashes: e.hashes, Parent: e.parent, HasParent: e.hasParent, Tokens: e.blockTokens(), Tier: e.tier, Group: int(e.group),
			Secondary: d.groups.secondary(int(e.group), e.full), Kind: e.spec, Window: e.window, Adapter: d.adapter(),
			OutputAtEnd: e.sglang,
		})
	case blockRemoved:
		sink.Remove(e.hashes, e.tier, int(e.group))
	case allBlocksCleared:
		sink.Clear()
	default:
		r.Foreign++
	}
}

// maxNames bounds the names of adapters that are kept, so that an event need not make its own.
const maxNames = 256

func (d *Decoder) adapter() string {
	if len(d.lora) == 0 {
		return ""
	}
	name, ok := d.names[string(d.lora)]
	if !ok {
		name = string(d.lora)
		if d.names == nil {
			d.names = map[string]string{}
		}
		if len(d.names) < maxNames {
			d.names[name] = name
		}
	}
	return name
}

// blockTokens is the number of tokens of a block. Events of an offloading tier may come without a block size of their own.
func (e *event) blockTokens() int {
	if e.blockSize > 0 || len(e.hashes) == 0 {
		return int(min(e.blockSize, 1<<15))
	}
	return e.tokens / len(e.hashes)
}

// groups finds the KV cache group whose blocks stand for the sequence: the first one of full attention, since other groups drop blocks
// that are out of their window; without any, the one of the least index.
type groups struct {
	known, full bool
	primary     int
}

func (g *groups) secondary(group int, full bool) bool {
	if !g.known || full && !g.full || full == g.full && group < g.primary {
		g.known, g.full, g.primary = true, full, group
	}
	return group != g.primary
}
