package kvevents

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/tinylib/msgp/msgp"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/msgpack"
)

// field is a field of an event that is of use.
type field uint8

const (
	fieldOther field = iota
	fieldType
	fieldHashes
	fieldParent
	fieldTokens
	fieldBlockSize
	fieldMedium
	fieldGroup
	fieldSpecKind
	fieldWindow
	fieldLoRAID
	fieldLoRAName
)

func fieldOf(key []byte) field {
	switch string(key) {
	case "type":
		return fieldType
	case "block_hashes":
		return fieldHashes
	case "parent_block_hash":
		return fieldParent
	case "token_ids":
		return fieldTokens
	case "block_size":
		return fieldBlockSize
	case "medium":
		return fieldMedium
	case "group_idx":
		return fieldGroup
	case "kv_cache_spec_kind":
		return fieldSpecKind
	case "kv_cache_spec_sliding_window":
		return fieldWindow
	case "lora_id":
		return fieldLoRAID
	case "lora_name":
		return fieldLoRAName
	}
	return fieldOther
}

// position is the field at an index of an event in array form; the tag is at 0.
func (k kind) position(i int) field {
	switch k {
	case blockStored:
		switch i {
		case 1:
			return fieldHashes
		case 2:
			return fieldParent
		case 3:
			return fieldTokens
		case 4:
			return fieldBlockSize
		case 5:
			return fieldLoRAID
		case 6:
			return fieldMedium
		case 7:
			return fieldLoRAName
		case 9:
			return fieldGroup
		case 10:
			return fieldSpecKind
		case 11:
			return fieldWindow
		}
	case blockRemoved:
		switch i {
		case 1:
			return fieldHashes
		case 2:
			return fieldMedium
		case 3:
			return fieldGroup
		}
	}
	return fieldOther
}

// read reads one event and returns what follows it.
func (d *Decoder) read(b []byte) ([]byte, error) {
	e := &d.event
	*e = event{hashes: e.hashes[:0]}
	d.lora = d.lora[:0]
	n, named, b, err := msgpack.Struct(b)
	if err != nil {
		return b, err
	}
	has, loraID, loraName := false, false, false // block_hashes, lora_id, lora_name
	for i := range n {
		f := fieldType
		if named {
			var key []byte
			if key, b, err = msgpack.Key(b); err != nil {
				return b, err
			}
			f = fieldOf(key)
		} else if i > 0 {
			f = e.kind.position(i)
		}
		if b, err = d.set(f, b, named); err != nil {
			return b, fmt.Errorf("field %d: %w", i, err)
		}
		has = has || f == fieldHashes
		loraID, loraName = loraID || f == fieldLoRAID, loraName || f == fieldLoRAName
	}
	// Maps of vLLM always have both; SGLang leaves fields out that are at their defaults (0.5.23, sglang/srt/disaggregation/kv_events.py),
	// and Dynamo's mocker has neither.
	e.sglang = named && loraID && !loraName
	if n == 0 || (e.kind == blockStored || e.kind == blockRemoved) && !has {
		return b, fmt.Errorf("event must have a type and its block_hashes, got %d fields", n)
	}
	return b, nil
}

// set reads one field of the event.
func (d *Decoder) set(f field, b []byte, named bool) (rest []byte, err error) {
	e := &d.event
	switch f {
	case fieldType:
		tag, rest, err := msgpack.Text(b)
		e.kind = kindOf(tag)
		return rest, err
	case fieldHashes:
		return e.setHashes(b)
	case fieldTokens:
		e.tokens, rest, err = msgpack.SkipArray(b)
		return rest, err
	case fieldParent:
		if msgp.IsNil(b) {
			return b[1:], nil
		}
		e.hasParent = true
		e.parent, rest, err = msgpack.Hash(b)
		return rest, err
	case fieldBlockSize:
		return optional(&e.blockSize, b)
	case fieldGroup:
		if rest, err = optional(&e.group, b); err == nil && e.group >= 1<<16 {
			err = fmt.Errorf("group_idx must be less than %d, got %d", 1<<16, e.group)
		}
		return rest, err
	case fieldWindow, fieldLoRAID:
		// These only refine: one that is no count leaves the event as it is.
		if msgp.NextType(b) != msgp.IntType && msgp.NextType(b) != msgp.UintType {
			return msgpack.Skip(b)
		}
		n, rest, err := msgpack.Count(b)
		if err != nil {
			return msgpack.Skip(b)
		}
		if f == fieldWindow {
			e.window = int(min(n, 1<<31-1))
		} else if len(d.lora) == 0 {
			d.lora = strconv.AppendInt(d.lora, n, 10)
		}
		return rest, nil
	case fieldMedium, fieldSpecKind, fieldLoRAName:
		// In array form, other engines may have something else at this place.
		if (!named || f == fieldLoRAName) && msgp.NextType(b) != msgp.StrType {
			return msgpack.Skip(b)
		}
		text, rest, err := msgpack.Text(b)
		switch f {
		case fieldMedium:
			e.tier = tierOf(text)
		case fieldSpecKind:
			e.full, e.spec = isFull(text), kindOfSpec(text)
		default:
			d.lora = append(d.lora[:0], text...)
		}
		return rest, err
	}
	return msgpack.Skip(b)
}

func (e *event) setHashes(b []byte) ([]byte, error) {
	n, b, err := msgpack.Array(b)
	if err != nil {
		return b, err
	}
	if n > maxHashes {
		return b, fmt.Errorf("block_hashes must be at most %d, got %d", maxHashes, n)
	}
	e.hashes = e.hashes[:0]
	for range n {
		var h uint64
		if h, b, err = msgpack.Hash(b); err != nil {
			return b, err
		}
		e.hashes = append(e.hashes, h)
	}
	return b, nil
}

// optional reads a count, or leaves it for nil.
func optional(n *int64, b []byte) (rest []byte, err error) {
	if msgp.IsNil(b) {
		return b[1:], nil
	}
	*n, rest, err = msgpack.Count(b)
	return rest, err
}

// tierOf maps a medium: GPU, CPU and STORAGE in vLLM, GPU, CPU_PINNED, DISK and EXTERNAL in SGLang, GPU, CPU and DISK in
// TensorRT-LLM. Revisions without a medium have blocks on the GPU only. What is not known lies somewhere else.
func tierOf(medium []byte) kvcache.Tier {
	switch string(medium) {
	case "GPU", "":
		return kvcache.GPU
	case "CPU", "CPU_PINNED":
		return kvcache.CPU
	case "DISK", "STORAGE":
		return kvcache.Disk
	}
	return kvcache.External
}

// isFull tells whether a kind of attention keeps the blocks of the whole sequence: full_attention, sink_full_attention and
// mla_attention do, sliding_window and mamba do not.
func isFull(specKind []byte) bool {
	return (bytes.Contains(specKind, []byte("full")) || bytes.Contains(specKind, []byte("mla"))) && !bytes.Contains(specKind, []byte("sliding"))
}

// kindOfSpec maps a kind of attention to what its group keeps of a sequence: vLLM has full_attention, sink_full_attention, mla_attention,
// sliding_window, sliding_window_mla, chunked_local_attention and mamba (vllm/v1/kv_cache_interface.py). What is not known is taken to keep
// everything.
func kindOfSpec(spec []byte) kvcache.Kind {
	switch {
	case bytes.Contains(spec, []byte("sliding")), bytes.Contains(spec, []byte("local")):
		return kvcache.SlidingWindow
	case bytes.Contains(spec, []byte("mamba")), bytes.Contains(spec, []byte("linear")):
		return kvcache.Mamba
	}
	return kvcache.FullAttention
}
