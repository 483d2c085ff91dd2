package nixl

import (
	"sync/atomic"
	"unsafe"
)

// mapping is a shared, writable view of a whole file. Offsets of words are multiples of their size, and the view begins on a page,
// so that every word can be read and written in one piece.
type mapping struct{ bytes []byte }

func (m mapping) word(offset int) *uint64 { return (*uint64)(unsafe.Pointer(&m.bytes[offset:][:8][0])) }

func (m mapping) half(offset int) *int32 { return (*int32)(unsafe.Pointer(&m.bytes[offset:][:4][0])) }

func (m mapping) load(offset int) uint64 { return atomic.LoadUint64(m.word(offset)) }

func (m mapping) store(offset int, v uint64) { atomic.StoreUint64(m.word(offset), v) }

func (m mapping) add(offset int, v uint64) { atomic.AddUint64(m.word(offset), v) }
