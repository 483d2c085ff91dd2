package stream

import "fmt"

// Dialect is the engine whose KV cache events are spoken.
type Dialect int

// The dialects.
const (
	VLLM Dialect = iota
	SGLang
	TensorRTLLM
)

func (d Dialect) String() string {
	switch d {
	case VLLM:
		return "vllm"
	case SGLang:
		return "sglang"
	case TensorRTLLM:
		return "tensorrt_llm"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// Form is the shape of a batch of KV cache events.
type Form int

// The forms. The batch itself is a positional array in all but the last.
const (
	// FormMap: each event is a map tagged by "type" (vLLM from 0.24.0, SGLang 0.5.23, TensorRT-LLM).
	FormMap Form = iota
	// FormArray: each event is an array that starts with its tag (vLLM before 0.24.0, early SGLang).
	FormArray
	// FormMapBatch: batch and events are maps (vLLM, commit 0181ea3).
	FormMapBatch
)

func (f Form) String() string {
	switch f {
	case FormMap:
		return "map"
	case FormArray:
		return "array"
	case FormMapBatch:
		return "map_batch"
	}
	return fmt.Sprintf("Form(%d)", int(f))
}

// HashForm is how a block hash is written.
type HashForm int

// The hash forms.
const (
	// HashNative is the dialect's own: unsigned for vLLM, signed for SGLang and TensorRT-LLM.
	HashNative HashForm = iota
	// HashUnsigned is the low 64 bits of the digest, as an unsigned integer.
	HashUnsigned
	// HashSigned is the same 64 bits read as two's complement: half of all hashes are negative.
	HashSigned
	// HashBytes is the 32-byte digest (vLLM with VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES=0); its last 8 bytes are HashUnsigned.
	HashBytes
)

func (h HashForm) String() string {
	switch h {
	case HashNative:
		return "native"
	case HashUnsigned:
		return "unsigned"
	case HashSigned:
		return "signed"
	case HashBytes:
		return "bytes"
	}
	return fmt.Sprintf("HashForm(%d)", int(h))
}

// Wire is one revision of the wire form of KV cache events. The zero value is what vLLM 0.32.0 sends.
type Wire struct {
	Dialect Dialect
	Form    Form
	Hashes  HashForm
	// Fields is how many fields BlockStored has in FormArray, the tag aside: 5 in the first revisions, 6 with medium, and for
	// vLLM 7 with lora_name, 8 with extra_keys, 9 with group_idx, 11 with the cache spec. 0 stands for all of them. Each added
	// field broke consumers that count.
	Fields int
	// NoRank leaves the data-parallel rank out of a positional batch: two elements, as SGLang at commit 006d053 (with
	// Fields 5).
	NoRank bool
}

// Validate returns an error when no revision of the engine ever sent this.
func (w Wire) Validate() error {
	if w.Dialect < VLLM || w.Dialect > TensorRTLLM {
		return fmt.Errorf("wire dialect: must be vllm, sglang or tensorrt_llm, got %v", w.Dialect)
	}
	if w.Hashes < HashNative || w.Hashes > HashBytes {
		return fmt.Errorf("wire hashes: must be native, unsigned, signed or bytes, got %v", w.Hashes)
	}
	switch {
	case w.Form == FormMap:
	case w.Form == FormArray && w.Dialect != TensorRTLLM:
	case w.Form == FormMapBatch && w.Dialect == VLLM:
	default:
		return fmt.Errorf("wire form: %v never sent %v", w.Dialect, w.Form)
	}
	most := w.positions()
	if w.Fields != 0 && (w.Form != FormArray || w.Fields < leastFields || w.Fields > most) {
		return fmt.Errorf("wire fields: must be 0, or for %v in array form %d to %d, got %d in %v form", w.Dialect, leastFields, most, w.Fields, w.Form)
	}
	if w.NoRank && w.Form == FormMapBatch {
		return fmt.Errorf("wire no_rank: holds for a positional batch only, got form %v", w.Form)
	}
	return nil
}

const leastFields = 5

// positions is the number of fields of the last revision of BlockStored in array form.
func (w Wire) positions() int {
	if w.Dialect == SGLang {
		return 6
	}
	return 11
}

func (w Wire) hashes() HashForm {
	if w.Hashes != HashNative {
		return w.Hashes
	}
	if w.Dialect == VLLM {
		return HashUnsigned
	}
	return HashSigned
}
