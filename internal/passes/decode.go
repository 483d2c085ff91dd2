package passes

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/otelcol-inference/otelcol-inference/internal/msgpack"
)

// Pass is one engine step.
type Pass struct {
	Version  int64
	Rank     int64   // data-parallel rank
	Counter  uint64  // rises by one per message that left the engine's queue
	Scope    Scope   // what WallTime is
	WallTime float64 // seconds; 0 in the heartbeat of an idle engine
	// Scheduled is what ran in the step, Queued what waited.
	Scheduled, Queued Requests
}

// Requests are sums over requests. For those that waited PrefillTokens are whole prompts, and PrefillKVTokens is 0.
type Requests struct {
	Prefills        int64
	PrefillTokens   int64 // computed in this step
	PrefillKVTokens int64 // read for them: prefix hits and earlier chunks
	Decodes         int64
	DecodeKVTokens  int64 // whole context
}

// Scope is what a step's duration covers.
type Scope uint8

// The scopes.
const (
	ScopeUnstated Scope = iota // Dynamo: the host's, from schedule to update. SGLang: that of its device timer
	ScopeCUDA                  // GPU time of execute_model by CUDA events (vLLM)
	ScopeOther                 // stated, and not known
)

func (s Scope) String() string { return [...]string{"unstated", "execute_model_cuda", "other"}[s] }

// field is a field of a struct here.
type field uint8

const (
	fieldOther field = iota
	fieldVersion
	fieldRank
	fieldCounter
	fieldScope
	fieldWallTime
	fieldScheduled
	fieldQueued
	fieldPrefills
	fieldPrefillTokens
	fieldPrefillKVTokens
	fieldDecodes
	fieldDecodeKVTokens
)

func passField(key []byte) field {
	switch string(key) {
	case "version":
		return fieldVersion
	case "dp_rank":
		return fieldRank
	case "counter_id":
		return fieldCounter
	case "timing_scope":
		return fieldScope
	case "wall_time":
		return fieldWallTime
	case "scheduled_requests":
		return fieldScheduled
	case "queued_requests":
		return fieldQueued
	}
	return fieldOther
}

func requestsField(key []byte) field {
	switch string(key) {
	case "num_prefill_requests":
		return fieldPrefills
	case "sum_prefill_tokens":
		return fieldPrefillTokens
	case "sum_prefill_kv_tokens":
		return fieldPrefillKVTokens
	case "num_decode_requests":
		return fieldDecodes
	case "sum_decode_kv_tokens":
		return fieldDecodeKVTokens
	}
	return fieldOther
}

// passPosition is the order of the fields in array form; timing_scope is there if the fifth element is a string.
func passPosition(i int, scoped bool) field {
	if i > 4 && scoped {
		i--
	} else if i == 4 && scoped {
		return fieldScope
	}
	switch i {
	case 0:
		return fieldVersion
	case 2:
		return fieldRank
	case 3:
		return fieldCounter
	case 4:
		return fieldWallTime
	case 5:
		return fieldScheduled
	case 6:
		return fieldQueued
	}
	return fieldOther
}

func scheduledPosition(i int) field {
	switch i {
	case 0:
		return fieldPrefills
	case 1:
		return fieldPrefillTokens
	case 3:
		return fieldPrefillKVTokens
	case 4:
		return fieldDecodes
	case 5:
		return fieldDecodeKVTokens
	}
	return fieldOther
}

// queuedPosition lacks sum_prefill_kv_tokens.
func queuedPosition(i int) field {
	if i >= 3 {
		i++
	}
	return scheduledPosition(i)
}

// Decode reads a message, in the envelope of Dynamo's event plane or without. It allocates only for an error. Fields that are not known are skipped.
func Decode(payload []byte) (Pass, error) {
	p := Pass{Version: -1}
	has := fieldOther
	payload, err := open(payload)
	if err != nil {
		return p, err
	}
	n, named, b, err := msgpack.Struct(payload)
	if err != nil {
		return p, fmt.Errorf("pass: %w", err)
	}
	scoped := false
	for i := range n {
		var f field
		if named {
			var key []byte
			if key, b, err = msgpack.Key(b); err != nil {
				return p, fmt.Errorf("pass, field %d: %w", i, err)
			}
			f = passField(key)
		} else {
			scoped = scoped || i == 4 && msgp.NextType(b) == msgp.StrType
			f = passPosition(i, scoped)
		}
		if b, err = p.set(f, b); err != nil {
			return p, fmt.Errorf("pass, field %d: %w", i, err)
		}
		if f == fieldScheduled {
			has = f
		}
	}
	if p.Version < 0 || has != fieldScheduled {
		return p, fmt.Errorf("pass must have a version and scheduled_requests, got %d fields", n)
	}
	return p, nil
}

func (p *Pass) set(f field, b []byte) (rest []byte, err error) {
	switch f {
	case fieldVersion:
		p.Version, rest, err = msgpack.Count(b)
	case fieldRank:
		p.Rank, rest, err = msgpack.Count(b)
	case fieldCounter:
		var n int64
		n, rest, err = msgpack.Count(b)
		p.Counter = uint64(n)
	case fieldWallTime:
		p.WallTime, rest, err = msgpack.Float(b)
	case fieldScope:
		var text []byte
		text, rest, err = msgpack.Text(b)
		switch string(text) {
		case "":
		case "execute_model_cuda":
			p.Scope = ScopeCUDA
		default:
			p.Scope = ScopeOther
		}
	case fieldScheduled:
		return p.Scheduled.read(b, scheduledPosition)
	case fieldQueued:
		return p.Queued.read(b, queuedPosition)
	default:
		return msgpack.Skip(b)
	}
	return rest, err
}

func (r *Requests) read(b []byte, position func(int) field) ([]byte, error) {
	n, named, b, err := msgpack.Struct(b)
	if err != nil {
		return b, err
	}
	for i := range n {
		var f field
		if named {
			var key []byte
			if key, b, err = msgpack.Key(b); err != nil {
				return b, err
			}
			f = requestsField(key)
		} else {
			f = position(i)
		}
		if b, err = r.set(f, b); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (r *Requests) set(f field, b []byte) (rest []byte, err error) {
	switch f {
	case fieldPrefills:
		r.Prefills, rest, err = msgpack.Count(b)
	case fieldPrefillTokens:
		r.PrefillTokens, rest, err = msgpack.Count(b)
	case fieldPrefillKVTokens:
		r.PrefillKVTokens, rest, err = msgpack.Count(b)
	case fieldDecodes:
		r.Decodes, rest, err = msgpack.Count(b)
	case fieldDecodeKVTokens:
		r.DecodeKVTokens, rest, err = msgpack.Count(b)
	default:
		return msgpack.Skip(b)
	}
	return rest, err
}
