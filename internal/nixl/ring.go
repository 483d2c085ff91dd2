package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"
)

// FileID is the identity of a file, whatever its name.
type FileID struct{ Device, Inode uint64 }

// chunk is how many events are decoded at a time.
const chunk = 4096

// maxRead is how many events one poll reads, so that a large ring does not hold up the others.
const maxRead = 1 << 16

// Scratch is memory that the rings of one goroutine share while they are polled.
type Scratch struct{ events [chunk]Event }

// Ring reads one BUFFER file. It begins by observing: the file is mapped read-only and nothing in it changes. Claim makes it the
// consumer, Release an observer again. A Ring is used by one goroutine at a time.
//
// The only word that is ever written is the read position, by the consumer, with an atomic operation.
type Ring struct {
	path string
	file *os.File
	id   FileID
	view
	form form
	geo  Geometry

	cursor  uint64   // the next slot to read
	last    uint64   // the read position as it was last seen or written
	owned   bool     // this Ring is the consumer
	foreign bool     // another reader has moved the read position
	full    bool     // at the last poll, as an observer
	cuts    []uint64 // slots before which events may be missing, in their order from the cursor
}

// view is the whole file as it is mapped. It begins on a page, so that every word can be read and written in one piece.
type view struct{ mem []byte }

func (b view) word(offset int) *uint64 { return (*uint64)(unsafe.Pointer(&b.mem[offset:][:8][0])) }

func (b view) half(offset int) *int32 { return (*int32)(unsafe.Pointer(&b.mem[offset:][:4][0])) }

// Open maps a ring to observe it. The first events to be read are those that no consumer has taken. The error is ErrInitialising,
// ErrInvalid or ErrUnsupported when the file is there but cannot be read as a ring.
func Open(path string, allowUnknown bool) (*Ring, error) {
	f, id, _, err := openFile(path, false)
	if err != nil {
		return nil, err
	}
	r := &Ring{path: path, file: f, id: id}
	if err := r.attach(allowUnknown); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// attach reads the header, maps the file and begins at the read position.
func (r *Ring) attach(allowUnknown bool) error {
	_, size, err := fileID(r.file)
	if err != nil {
		return err
	}
	header := make([]byte, min(headerSizeV5, size))
	if _, err := r.file.ReadAt(header, 0); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	geo, err := ParseHeader(header, size, allowUnknown)
	if err != nil {
		return err
	}
	f := geo.Layout.form()
	mem, err := mapFile(r.file, f.size(geo.Capacity), r.owned)
	if err != nil {
		return err
	}
	r.view, r.geo, r.form = view{mem}, geo, f
	r.cuts, r.full = r.cuts[:0], false
	return guard(func() error {
		r.last = atomic.LoadUint64(r.word(f.readPos))
		r.cursor = r.last & (geo.Capacity - 1)
		return nil
	})
}

// Reattach takes a ring that its writer has made anew, perhaps with another shape. Everything in it is new.
func (r *Ring) Reattach(allowUnknown bool) error {
	if err := r.detach(); err != nil {
		return err
	}
	if err := r.attach(allowUnknown); err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	r.foreign = false
	return nil
}

func (r *Ring) detach() error {
	if r.mem == nil {
		return nil
	}
	mem := r.mem
	r.view = view{}
	return unmapFile(mem)
}

// Claim makes the ring's reader its consumer: what was read so far is taken out. It needs write access, and the advisory lock that
// other readers of this kind respect; NIXL's own tools do not know of it.
func (r *Ring) Claim() error {
	if r.owned {
		return nil
	}
	f, id, _, err := openFile(r.path, true)
	if err != nil {
		return err
	}
	if err := r.claim(f, id); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", r.path, err), f.Close())
	}
	return nil
}

func (r *Ring) claim(f *os.File, id FileID) error {
	if id != r.id {
		return errors.New("the name belongs to another file by now")
	}
	if err := lockFile(f); err != nil {
		return err
	}
	mem, err := mapFile(f, int64(len(r.mem)), true)
	if err != nil {
		return err
	}
	old, oldFile := r.mem, r.file
	r.view, r.file, r.owned, r.foreign = view{mem}, f, true, false
	return errors.Join(unmapFile(old), oldFile.Close(), guard(func() error {
		r.advance()
		return nil
	}))
}

// Release stops consuming. Reading goes on where it is.
func (r *Ring) Release() error {
	if !r.owned {
		return nil
	}
	f, id, _, err := openFile(r.path, false)
	if err == nil && id != r.id {
		err = errors.Join(errors.New("the name belongs to another file by now"), f.Close())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	mem, err := mapFile(f, int64(len(r.mem)), false)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", r.path, err), f.Close())
	}
	old, oldFile := r.mem, r.file
	r.view, r.file, r.owned = view{mem}, f, false
	return errors.Join(unmapFile(old), oldFile.Close())
}

// Close ends reading. The file stays as it is.
func (r *Ring) Close() error { return errors.Join(r.detach(), r.file.Close()) }

// Path is the name under which the ring was opened.
func (r *Ring) Path() string { return r.path }

// ID is the file.
func (r *Ring) ID() FileID { return r.id }

// Geometry is the shape of the ring.
func (r *Ring) Geometry() Geometry { return r.geo }

// Owned says whether this reader is the consumer.
func (r *Ring) Owned() bool { return r.owned }

// Cursor is the slot to be read next.
func (r *Ring) Cursor() uint64 { return r.cursor }

// Resume goes on reading at a slot, as a reader before did. Where a consumer has gone past it, reading begins with the first event
// that nobody has taken, as it does anyway.
func (r *Ring) Resume(cursor uint64) error {
	return guard(func() error {
		mask := r.geo.Capacity - 1
		write := atomic.LoadUint64(r.word(writePosAt))
		if (cursor-r.last)&mask <= (write-r.last)&mask {
			r.cursor = cursor & mask
		}
		return nil
	})
}
