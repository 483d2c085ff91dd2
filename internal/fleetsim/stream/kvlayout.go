package stream

// field is a field of a KV cache event.
type field int

const (
	fieldHashes field = iota
	fieldParent
	fieldTokens
	fieldBlockSize
	fieldLoRAID
	fieldMedium
	fieldLoRAName
	fieldExtra
	fieldGroup
	fieldSpecKind
	fieldWindow
	fieldLocality
	fieldOwnership
	fieldSession
	fieldCacheSalt
	fieldCount
)

func (f field) name() string {
	names := [fieldCount]string{
		"block_hashes", "parent_block_hash", "token_ids", "block_size", "lora_id", "medium", "lora_name", "extra_keys", "group_idx",
		"kv_cache_spec_kind", "kv_cache_spec_sliding_window", "locality", "ownership", "session_id", "cache_salt",
	}
	return names[f]
}

// layout is the order of an event's fields. The first `required` are always sent in map form, null or not; the others only when set.
type layout struct {
	fields   [fieldCount]field
	n        int
	required int
}

func layoutOf(required int, fields ...field) layout {
	l := layout{n: len(fields), required: required}
	copy(l.fields[:], fields)
	return l
}

// layout of an event in this wire form. Sources: vllm/distributed/kv_events.py (vLLM 0.32.0),
// sglang/srt/disaggregation/kv_events.py (SGLang 0.5.23), tensorrt_llm/_torch/pyexecutor/kv_cache_events.py (commit 13599e9).
func (w Wire) layout(kind KVKind) layout {
	var l layout
	switch kind {
	case AllBlocksCleared:
		return l
	case BlockRemoved:
		l = w.removed()
	default:
		l = w.stored()
	}
	if w.Form != FormArray {
		return l
	}
	// msgspec sends every field of an array-like struct, null or not: its omit_defaults has no effect there.
	if kind == BlockRemoved {
		l.n = w.removedPositions()
	} else if l.n = w.Fields; l.n == 0 {
		l.n = w.positions()
	}
	return l
}

func (w Wire) stored() layout {
	switch w.Dialect {
	case SGLang:
		return layoutOf(5, fieldHashes, fieldParent, fieldTokens, fieldBlockSize, fieldLoRAID, fieldMedium, fieldCacheSalt, fieldSession,
			fieldLoRAName)
	case TensorRTLLM:
		return layoutOf(7, fieldHashes, fieldParent, fieldTokens, fieldBlockSize, fieldLoRAID, fieldMedium, fieldLoRAName, fieldExtra,
			fieldGroup, fieldSpecKind, fieldWindow, fieldLocality)
	default:
		return layoutOf(7, fieldHashes, fieldParent, fieldTokens, fieldBlockSize, fieldLoRAID, fieldMedium, fieldLoRAName, fieldExtra,
			fieldGroup, fieldSpecKind, fieldWindow, fieldLocality, fieldOwnership, fieldSession)
	}
}

func (w Wire) removed() layout {
	switch w.Dialect {
	case SGLang:
		return layoutOf(1, fieldHashes, fieldMedium)
	case TensorRTLLM:
		return layoutOf(2, fieldHashes, fieldMedium, fieldGroup, fieldLocality)
	default:
		return layoutOf(2, fieldHashes, fieldMedium, fieldGroup, fieldLocality, fieldOwnership)
	}
}

// removedPositions follows the revision of BlockStored: medium and group_idx came to both events at once.
func (w Wire) removedPositions() int {
	fields := w.Fields
	if fields == 0 {
		fields = w.positions()
	}
	switch {
	case fields <= leastFields:
		return 1
	case fields < 9:
		return 2
	}
	return 3
}
