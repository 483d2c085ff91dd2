package stream

import "github.com/tinylib/msgp/msgp"

// AppendKVBatch appends the msgpack payload of a batch, byte for byte as msgspec writes the engine's structs, and returns the
// extended slice. It allocates nothing when dst has room. The wire must be valid.
func AppendKVBatch(dst []byte, b KVBatch, w Wire) []byte {
	if w.Form == FormMapBatch {
		return appendMapBatch(dst, b, w)
	}
	if w.NoRank {
		dst = msgp.AppendArrayHeader(dst, 2)
	} else {
		dst = msgp.AppendArrayHeader(dst, 3)
	}
	dst = msgp.AppendFloat64(dst, b.Time)
	dst = appendEvents(dst, b.Events, w)
	if !w.NoRank {
		dst = appendOptionalInt(dst, b.Rank)
	}
	return dst
}

func appendMapBatch(dst []byte, b KVBatch, w Wire) []byte {
	size := uint32(2)
	if b.Rank != nil {
		size = 3
	}
	dst = msgp.AppendMapHeader(dst, size)
	dst = msgp.AppendString(dst, "ts")
	dst = msgp.AppendFloat64(dst, b.Time)
	dst = msgp.AppendString(dst, "events")
	dst = appendEvents(dst, b.Events, w)
	if b.Rank != nil {
		dst = msgp.AppendString(dst, "data_parallel_rank")
		dst = appendOptionalInt(dst, b.Rank)
	}
	return dst
}

func appendEvents(dst []byte, events []KVEvent, w Wire) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(len(events)))
	for i := range events {
		e := &events[i]
		l := w.layout(e.Kind)
		if w.Form == FormArray {
			dst = appendPositional(dst, e, &l, w)
		} else {
			dst = appendTagged(dst, e, &l, w)
		}
	}
	return dst
}

func appendPositional(dst []byte, e *KVEvent, l *layout, w Wire) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(1+l.n))
	dst = msgp.AppendString(dst, e.Kind.String())
	for _, f := range l.fields[:l.n] {
		dst = e.appendField(dst, f, w)
	}
	return dst
}

func appendTagged(dst []byte, e *KVEvent, l *layout, w Wire) []byte {
	size := 1
	for i, f := range l.fields[:l.n] {
		if i < l.required || e.has(f) {
			size++
		}
	}
	dst = msgp.AppendMapHeader(dst, uint32(size))
	dst = msgp.AppendString(dst, "type")
	dst = msgp.AppendString(dst, e.Kind.String())
	for i, f := range l.fields[:l.n] {
		if i < l.required || e.has(f) {
			dst = msgp.AppendString(dst, f.name())
			dst = e.appendField(dst, f, w)
		}
	}
	return dst
}

// has tells whether a field that engines leave out when unset is set.
func (e *KVEvent) has(f field) bool {
	switch f {
	case fieldExtra:
		return len(e.Extra) > 0
	case fieldGroup:
		return e.Group != nil
	case fieldWindow:
		return e.Window != 0
	}
	return e.text(f) != ""
}

func (e *KVEvent) text(f field) string {
	switch f {
	case fieldMedium:
		return e.Medium
	case fieldSpecKind:
		return e.SpecKind
	case fieldLocality:
		return e.Locality
	case fieldOwnership:
		return e.Ownership
	case fieldSession:
		return e.Session
	case fieldCacheSalt:
		return e.CacheSalt
	case fieldLoRAName:
		if e.LoRA != nil {
			return e.LoRA.Name
		}
	}
	return ""
}

func (e *KVEvent) appendField(dst []byte, f field, w Wire) []byte {
	switch f {
	case fieldHashes:
		dst = msgp.AppendArrayHeader(dst, uint32(len(e.Hashes)))
		for _, h := range e.Hashes {
			dst = appendHash(dst, h, w.hashes())
		}
		return dst
	case fieldParent:
		if e.Parent == nil {
			return msgp.AppendNil(dst)
		}
		return appendHash(dst, *e.Parent, w.hashes())
	case fieldTokens:
		dst = msgp.AppendArrayHeader(dst, uint32(len(e.Tokens)))
		for _, t := range e.Tokens {
			dst = msgp.AppendUint64(dst, uint64(t))
		}
		return dst
	case fieldBlockSize:
		return appendInt(dst, int64(e.BlockSize))
	case fieldLoRAID:
		// SGLang fills the field with null whatever the adapter (sglang/srt/mem_cache/events.py).
		if e.LoRA == nil || w.Dialect == SGLang {
			return msgp.AppendNil(dst)
		}
		return appendInt(dst, e.LoRA.ID)
	case fieldExtra:
		return appendExtra(dst, e.Extra)
	case fieldGroup:
		return appendOptionalInt(dst, e.Group)
	case fieldWindow:
		if e.Window == 0 {
			return msgp.AppendNil(dst)
		}
		return appendInt(dst, int64(e.Window))
	}
	if text := e.text(f); text != "" {
		return msgp.AppendString(dst, text)
	}
	return msgp.AppendNil(dst)
}

func appendHash(dst []byte, hash uint64, form HashForm) []byte {
	switch form {
	case HashBytes:
		digest := Digest(hash)
		return msgp.AppendBytes(dst, digest[:])
	case HashSigned:
		return appendInt(dst, int64(hash))
	}
	return msgp.AppendUint64(dst, hash)
}

// appendExtra writes one list a block: a name or salt as a string, a multimodal item as a pair with its offset.
func appendExtra(dst []byte, extra [][]ExtraKey) []byte {
	if len(extra) == 0 {
		return msgp.AppendNil(dst)
	}
	dst = msgp.AppendArrayHeader(dst, uint32(len(extra)))
	for _, keys := range extra {
		if keys == nil {
			dst = msgp.AppendNil(dst)
			continue
		}
		dst = msgp.AppendArrayHeader(dst, uint32(len(keys)))
		for _, k := range keys {
			if k.Offset != nil {
				dst = msgp.AppendArrayHeader(dst, 2)
			}
			dst = msgp.AppendString(dst, k.Value)
			if k.Offset != nil {
				dst = appendInt(dst, int64(*k.Offset))
			}
		}
	}
	return dst
}

func appendOptionalInt(dst []byte, v *int) []byte {
	if v == nil {
		return msgp.AppendNil(dst)
	}
	return appendInt(dst, int64(*v))
}

// appendInt writes numbers from 0 on in the unsigned forms, as msgspec does; msgp would use the signed ones.
func appendInt(dst []byte, v int64) []byte {
	if v >= 0 {
		return msgp.AppendUint64(dst, uint64(v))
	}
	return msgp.AppendInt64(dst, v)
}
