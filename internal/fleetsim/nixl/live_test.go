package nixl

import (
	"os"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// reader takes events from a ring of V4 through a mapping of its own.
type reader struct {
	bytes []byte
	mask  uint64
}

func openReader(t testing.TB, path string, capacity uint64) *reader {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, int(40+16*capacity), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, unix.Munmap(b)) })
	return &reader{bytes: b, mask: capacity - 1}
}

func (r *reader) word(at int) *uint64 { return (*uint64)(unsafe.Pointer(&r.bytes[at])) }

// drain hands type and value of every waiting event to take.
func (r *reader) drain(take func(kind uint32, value uint64)) {
	at := *r.word(8)
	for end := atomic.LoadUint64(r.word(0)); at != end; at = (at + 1) & r.mask {
		body := r.bytes[40+16*at:]
		take(*(*uint32)(unsafe.Pointer(&body[0])), *(*uint64)(unsafe.Pointer(&body[8])))
	}
	atomic.StoreUint64(r.word(8), at)
}

// TestALiveReaderLosesOnlyWhatTheRingDropped reads while the agent writes. Every event carries its number, so that a torn, repeated
// or forgotten one shows.
func TestALiveReaderLosesOnlyWhatTheRingDropped(t *testing.T) {
	const rounds, burst = 3000, 100
	const capacity = 256
	r, c := start(t, Options{Capacity: capacity})
	in := openReader(t, r.Path(), capacity)
	var ended atomic.Bool
	done := make(chan struct{})
	var read, last uint64
	take := func(kind uint32, value uint64) {
		assert.Equal(t, uint32(MemoryRegistered), kind)
		assert.Greater(t, value, last)
		read, last = read+1, value
	}
	go func() {
		defer close(done)
		for !ended.Load() {
			in.drain(take)
		}
		in.drain(take)
	}()
	var n uint64
	for range rounds {
		for range burst {
			n++
			r.Register(n)
		}
		c.flush(r)
	}
	ended.Store(true)
	<-done
	counts := r.Counts()
	assert.Equal(t, counts.Written, read)
	assert.Equal(t, uint64(rounds*burst), counts.Written+counts.Lost)
	assert.Greater(t, counts.Written, uint64(capacity), "the reader made room")
}
