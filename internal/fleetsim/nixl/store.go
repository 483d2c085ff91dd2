package nixl

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// storeMagic is "NIXLMPS1" in memory.
	storeMagic    = 0x3153504d4c58494e
	storeSchema   = 1
	stagingSuffix = ".staging"

	defaultSlots = 21
	maxSlots     = 1024
	maxBuckets   = 32
)

// Offsets of the fields before the slots, in bytes.
const (
	storeMagicAt    = 0
	storeSchemaAt   = 8
	storeSlotsAt    = 12
	storePIDAt      = 16
	storeUpdatedAt  = 24
	storeInstanceAt = 32
	storeBucketsAt  = 40
	storeAgentAt    = 48
	storeHostAt     = 304
	storeRankAt     = 432
	storeBoundsAt   = 496
	storeSlotsBegin = 752
)

// StoreOptions describe a Store. Dir, Agent and PID are required.
type StoreOptions struct {
	Dir       string // NIXL_TELEMETRY_MULTIPROC_DIR; created with mode 0700 if missing
	Agent     string // cut to 255 bytes
	Host      string // cut to 127 bytes; "unknown" if empty
	LocalRank string // value of LOCAL_RANK, cut to 63 bytes
	PID       int64
	RunMarker uint64 // wall clock in nanoseconds when the process first made a store
	Instance  uint64 // number of the agent within its process

	// Buckets are upper bounds of the two time histograms in microseconds, strictly rising, at most 32; NIXL's 18 if nil.
	Buckets []float64
	// Slots is the number of event types of the release; 21 if zero. Other numbers move every offset behind the bounds.
	Slots int

	Staging   int           // capacity of the queue before the store in events; 4096 if zero
	Interval  time.Duration // between flushes; 100 ms if zero
	Metrics   []string      // globs of the events to keep; all if empty
	AllErrors bool          // tells even of the errors that the library never counts

	// Named makes the file under a staging name and renames it, as the library does where there is no O_TMPFILE.
	Named bool
	// Clock is the wall clock from which the first flush is due; time.Now if nil.
	Clock func() time.Time
	// Monotonic is the time of the last update in nanoseconds; CLOCK_MONOTONIC if nil.
	Monotonic func() uint64
}

// DefaultBuckets are NIXL_TELEMETRY_HISTOGRAM_BUCKETS_US when unset, in microseconds.
func DefaultBuckets() []float64 {
	return []float64{
		10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6, 5e6, 1e7,
	}
}

// Store is an agent with NIXL's prometheus_mp exporter, new in 1.5, less its HTTP endpoint.
type Store struct{ *agent }

// cells is the store in the file.
type cells struct {
	mapping
	file      *os.File
	slots     int
	bounds    []float64
	monotonic func() uint64
}

// CreateStore starts an agent with a file of its own, nixl.<pid>.<run marker>.<instance>.mmap. The file gets its name once it is
// whole and locked; the lock is given up at the end, the file stays.
func CreateStore(o StoreOptions) (*Store, error) {
	o = o.withDefaults()
	enabled, err := o.check()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.Dir, fmt.Sprintf("nixl.%d.%d.%d.mmap", o.PID, o.RunMarker, o.Instance))
	c, err := createCells(path, o)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	form, err := V4.figures()
	if err != nil {
		return nil, err
	}
	return &Store{&agent{
		path: path, form: form, clock: o.Clock, interval: o.Interval, all: o.AllErrors, enabled: enabled,
		staging: staging{limit: o.Staging}, sink: c, next: o.Clock().Add(o.Interval),
	}}, nil
}

func (o StoreOptions) withDefaults() StoreOptions {
	if o.Host == "" {
		o.Host = "unknown"
	}
	if o.Buckets == nil {
		o.Buckets = DefaultBuckets()
	}
	if o.Slots == 0 {
		o.Slots = defaultSlots
	}
	if o.Staging == 0 {
		o.Staging = defaultCapacity
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Monotonic == nil {
		o.Monotonic = monotonic()
	}
	return o
}

func (o StoreOptions) check() (func(EventType) bool, error) {
	switch {
	case o.Agent == "":
		return nil, fmt.Errorf("agent: must not be empty")
	case o.PID <= 0:
		return nil, fmt.Errorf("pid: want more than 0, got %d", o.PID)
	case o.Slots < int(XferPostTime)+1 || o.Slots > maxSlots:
		return nil, fmt.Errorf("slots: want %d to %d, got %d", XferPostTime+1, maxSlots, o.Slots)
	case o.Staging < 0 || o.Staging > maxEvents:
		return nil, fmt.Errorf("staging: want 0 to %d events, got %d", maxEvents, o.Staging)
	case o.Interval < 0:
		return nil, fmt.Errorf("interval: want more than 0, got %v", o.Interval)
	case len(o.Buckets) > maxBuckets:
		return nil, fmt.Errorf("buckets: want at most %d bounds, got %d", maxBuckets, len(o.Buckets))
	}
	for i, bound := range o.Buckets {
		if !(bound > 0) || math.IsInf(bound, 0) || i > 0 && bound <= o.Buckets[i-1] {
			return nil, fmt.Errorf("buckets[%d]: want a finite bound above 0 and above the one before, got %v", i, bound)
		}
	}
	return enabledMetrics(o.Metrics)
}

func createCells(path string, o StoreOptions) (_ *cells, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	f, staged, err := stageStore(o.Dir, path, o.Named)
	if err != nil {
		return nil, err
	}
	c := &cells{file: f, slots: o.Slots, bounds: slices.Clone(o.Buckets), monotonic: o.Monotonic}
	defer func() {
		if err != nil {
			_ = c.kill()
		}
	}()
	if err := lockStore(f); err != nil {
		return nil, err
	}
	if c.mapping, err = mapFile(f, c.size()); err != nil {
		return nil, err
	}
	c.fill(o)
	if err := publishStore(f, staged, path); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return c, nil
}

// fill writes the head of the file, what it is known by last.
func (c *cells) fill(o StoreOptions) {
	atomic.StoreInt32(c.half(storeSchemaAt), storeSchema)
	atomic.StoreInt32(c.half(storeSlotsAt), int32(o.Slots))
	c.store(storePIDAt, uint64(o.PID))
	c.store(storeInstanceAt, o.Instance)
	c.store(storeBucketsAt, uint64(len(o.Buckets)))
	copyText(c.bytes[storeAgentAt:storeHostAt], o.Agent)
	copyText(c.bytes[storeHostAt:storeRankAt], o.Host)
	copyText(c.bytes[storeRankAt:storeBoundsAt], o.LocalRank)
	for i, bound := range o.Buckets {
		c.store(storeBoundsAt+8*i, math.Float64bits(bound))
	}
	c.store(storeUpdatedAt, o.Monotonic())
	c.store(storeMagicAt, storeMagic)
}

// copyText leaves room for a NUL.
func copyText(dst []byte, s string) { copy(dst[:len(dst)-1], s) }

// Offsets of the arrays, each with one row a slot.
func (c *cells) counter(k EventType) int { return storeSlotsBegin + 8*int(k) }

func (c *cells) gauge(k EventType) int { return storeSlotsBegin + 8*(c.slots+int(k)) }

func (c *cells) bucket(k EventType, i int) int {
	return storeSlotsBegin + 8*(2*c.slots+(maxBuckets+1)*int(k)+i)
}

func (c *cells) sum(k EventType) int {
	return storeSlotsBegin + 8*((2+maxBuckets+1)*c.slots+int(k))
}

func (c *cells) size() int64 { return int64(c.sum(EventType(c.slots))) }

// export adds to the counter of the event, and sets the gauge and feeds the histogram where it has one.
func (c *cells) export(e event) bool {
	if int(e.kind) < c.slots {
		c.add(c.counter(e.kind), e.value)
	}
	switch e.kind {
	case TxBytes, RxBytes, MemoryRegistered, MemoryDeregistered:
		c.store(c.gauge(e.kind), e.value)
	case XferTime, XferPostTime:
		c.store(c.gauge(e.kind), e.value)
		// Bounds are inclusive; what is above the last goes one further.
		i, _ := slices.BinarySearch(c.bounds, float64(e.value))
		c.add(c.bucket(e.kind, i), 1)
		c.add(c.sum(e.kind), e.value)
	}
	c.store(storeUpdatedAt, c.monotonic())
	return true
}

func (c *cells) close() error { return c.kill() }

// kill gives up the mapping and with the file its lock.
func (c *cells) kill() error {
	err := c.file.Close()
	if c.bytes == nil {
		return err
	}
	if unmap := c.unmap(); err == nil {
		err = unmap
	}
	return err
}
