package nixl

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
)

// HalfMade leaves the file of an agent that died between sizing its ring and writing the header: zeros.
func HalfMade(dir, agent string, bytes int64) error {
	f, err := openRing(filepath.Join(dir, agent))
	if err != nil {
		return err
	}
	err = f.Truncate(bytes)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// HalfMadeStore leaves what a process killed before it could publish its store leaves, where there are no nameless files.
func HalfMadeStore(dir, name string) error {
	return os.WriteFile(filepath.Join(dir, name+stagingSuffix), nil, 0o600)
}

// Garbage gives padding as uninitialised memory would, the same for the same seed: often zero, often half of a pointer, sometimes
// anything.
func Garbage(seed uint64) func() uint32 {
	r := rand.New(rand.NewPCG(seed, seed))
	return func() uint32 {
		switch r.IntN(3) {
		case 0:
			return 0
		case 1:
			return 0x7f00 | r.Uint32N(0x100)
		}
		return r.Uint32()
	}
}

// Stall stops the exporting thread, or lets it run again. What is staged meanwhile fills the queue and then is refused.
func (a *agent) Stall(stalled bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stalled = stalled
}

// Inject stages an event that this release does not have, or has with another meaning.
func (a *agent) Inject(k EventType, value uint64) { a.one(k, value) }

// Consume moves the read position as a foreign reader that takes up to n events does, and returns how many it took.
func (r *Ring) Consume(n uint64) uint64 {
	var taken uint64
	r.living(func(b *buffer) {
		read := b.load(b.form.readPos) & b.mask
		taken = min(n, (b.load(b.form.writePos)-read)&b.mask)
		b.store(b.form.readPos, (read+taken)&b.mask)
	})
	return taken
}

// SetReadPosition puts the read position anywhere, as two readers that race each other do.
func (r *Ring) SetReadPosition(slot uint64) {
	r.living(func(b *buffer) { b.store(b.form.readPos, slot) })
}

// SetVersion makes the file say another version.
func (r *Ring) SetVersion(v int32) {
	r.living(func(b *buffer) {
		atomic.StoreInt32(b.half(b.form.versionAt), v)
		atomic.StoreInt32(b.half(b.form.expectedAt), v)
	})
}

// SetMask makes the file say a mask that does not belong to its capacity. The agent itself goes on with the right one.
func (r *Ring) SetMask(mask uint64) {
	r.living(func(b *buffer) { b.store(b.form.mask, mask) })
}

// living does something to the file of an agent that has not ended.
func (r *Ring) living(do func(*buffer)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sink != nil {
		do(r.buffer)
	}
}
