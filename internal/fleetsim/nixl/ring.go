package nixl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// defaultCapacity is NIXL_TELEMETRY_BUFFER_SIZE when unset, in events.
const defaultCapacity = 4096

// Options describe a Ring. Dir and Agent are required.
type Options struct {
	Dir    string // must exist
	Agent  string // the name of the file in Dir
	Layout Layout // V4 if zero

	// Capacity of the ring in events, a power of two; 4096 if zero. The ring holds one less.
	Capacity uint64
	// Staging is the capacity of the queue before the ring in events; that of the ring if zero, as in the library. V1 heeds it
	// not: the library had no bound there, and here it is 1 Mi events.
	Staging int
	// Interval between flushes; 100 ms if zero.
	Interval time.Duration
	// FlushOnClose exports what is staged at Close, as 0.5.1 to 0.8 did.
	FlushOnClose bool
	// Metrics are globs of the events to keep, as NIXL_TELEMETRY_ENABLED_METRICS of 1.5; all if empty. V4 and later.
	Metrics []string
	// AllErrors tells even of the errors that the library never counts.
	AllErrors bool

	// Clock is the wall clock, from which the first flush is due and of which V1 writes; time.Now if nil.
	Clock func() time.Time
	// Pad gives what stands in the 4 bytes of padding of an event (V2 has none). The library copies whatever the memory held;
	// zeros if nil.
	Pad func() uint32
}

// Ring is an agent with NIXL's BUFFER exporter.
type Ring struct {
	*agent
	buffer *buffer
}

// buffer is the ring in the file.
type buffer struct {
	mapping
	form layout
	mask uint64
	pad  func() uint32
}

// Create starts an agent. A file of that name is taken over as it is: the same inode made anew, shrunk or grown to size, old events
// left behind the new ones. An earlier Ring of the same file must have ended. The file is never removed, except where it cannot be
// sized or mapped; a capacity that is no power of two is an error and leaves the file half made, as in the library.
func Create(o Options) (*Ring, error) {
	o = o.withDefaults()
	form, err := o.Layout.figures()
	if err != nil {
		return nil, err
	}
	enabled, err := o.check(form)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.Dir, o.Agent)
	b, err := createBuffer(path, form, o.Capacity, o.Pad)
	if err != nil {
		return nil, fmt.Errorf("ring %s: %w", path, err)
	}
	limit := unboundedStaging
	if form.bounded {
		limit = o.Staging
	}
	return &Ring{buffer: b, agent: &agent{
		path: path, form: form, clock: o.Clock, interval: o.Interval, flushEnd: o.FlushOnClose, all: o.AllErrors,
		enabled: enabled, staging: staging{limit: limit}, sink: b, next: o.Clock().Add(o.Interval),
	}}, nil
}

func (o Options) withDefaults() Options {
	if o.Layout == 0 {
		o.Layout = V4
	}
	if o.Capacity == 0 {
		o.Capacity = defaultCapacity
	}
	if o.Staging == 0 {
		o.Staging = int(min(o.Capacity, maxEvents))
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Pad == nil {
		o.Pad = func() uint32 { return 0 }
	}
	return o
}

func (o Options) check(form layout) (func(EventType) bool, error) {
	switch {
	case o.Agent == "":
		return nil, fmt.Errorf("agent: must not be empty")
	case o.Capacity > maxEvents:
		return nil, fmt.Errorf("capacity: want at most %d events, got %d", maxEvents, o.Capacity)
	case o.Staging < 0 || o.Staging > maxEvents:
		return nil, fmt.Errorf("staging: want 0 to %d events, got %d", maxEvents, o.Staging)
	case o.Interval < 0:
		return nil, fmt.Errorf("interval: want more than 0, got %v", o.Interval)
	case len(o.Metrics) > 0 && !form.batched:
		return nil, fmt.Errorf("metrics: want layout %s or later, got %s", V4, o.Layout)
	}
	return enabledMetrics(o.Metrics)
}

func createBuffer(path string, form layout, capacity uint64, pad func() uint32) (*buffer, error) {
	f, err := openRing(path)
	if err != nil {
		return nil, err
	}
	m, err := mapFile(f, form.size(capacity))
	// The library keeps no descriptor either: a reader finds the agent in /proc/<pid>/maps, not among its open files.
	_ = f.Close()
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	b := &buffer{mapping: m, form: form, mask: capacity - 1, pad: pad}
	b.store(form.writePos, 0)
	b.store(form.readPos, 0)
	atomic.StoreInt32(b.half(form.versionAt), 0)
	atomic.StoreInt32(b.half(form.expectedAt), 0)
	b.store(form.capacity, capacity)
	b.store(form.mask, b.mask)
	if capacity&b.mask != 0 {
		if err := b.unmap(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("capacity: want a power of two, got %d", capacity)
	}
	atomic.StoreInt32(b.half(form.versionAt), form.version)
	atomic.StoreInt32(b.half(form.expectedAt), form.version)
	return b, nil
}

// export appends an event unless the ring is full. The body is there before the position says so. Positions in the file are trusted
// only as far as the mask of this process, where the library trusts them blindly.
func (b *buffer) export(e event) bool {
	at := b.load(b.form.writePos) & b.mask
	next := (at + 1) & b.mask
	if next == b.load(b.form.readPos) {
		return false
	}
	start := b.form.header + b.form.event*int(at)
	b.form.encode(b.bytes[start:start+b.form.event], e, b.pad())
	b.store(b.form.writePos, next)
	return true
}

func (b *buffer) close() error { return errors.Join(b.sync(), b.unmap()) }

func (b *buffer) kill() error { return b.unmap() }
