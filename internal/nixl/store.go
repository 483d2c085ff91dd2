package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// storeMagic is "NIXLMPS1" in memory, and storeSchema the only schema there is.
const (
	storeMagic  = 0x3153504d4c58494e
	storeSchema = 1
	maxSlots    = 1024
	maxBuckets  = 32
)

// Offsets of the fields of a store in bytes, as the library asserts them at compile time: the arrays behind storeSlotsAt have one
// row a slot.
const (
	storeSchemaAt   = 8
	storeCountAt    = 12
	storePIDAt      = 16
	storeUpdatedAt  = 24
	storeInstanceAt = 32
	storeBucketsAt  = 40
	storeAgentAt    = 48
	storeHostAt     = 304
	storeRankAt     = 432
	storeBoundsAt   = 496
	storeSlotsAt    = 752
)

// StoreName is what the name of a store says: nixl.<pid>.<run marker>.<instance>.mmap.
type StoreName struct {
	PID       int64
	RunMarker uint64 // Unix time in nanoseconds at which the process made its first store
	Instance  uint64
}

// ParseStoreName reads the name of a store. Election locks and stores in the making have other names.
func ParseStoreName(name string) (StoreName, bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 5 || parts[0] != "nixl" || parts[4] != "mmap" {
		return StoreName{}, false
	}
	pid, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return StoreName{}, false
	}
	marker, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return StoreName{}, false
	}
	instance, err := strconv.ParseUint(parts[3], 10, 64)
	return StoreName{pid, marker, instance}, err == nil
}

// Snapshot is what a store held. Each number is whole; together they are of slightly different moments.
type Snapshot struct {
	Agent, Host, LocalRank string
	PID                    int64 // in the namespace of the writer
	Instance               uint64
	Updated                int64 // CLOCK_MONOTONIC in nanoseconds

	Sums           Sums
	Unknown        uint64    // slots without a meaning that are not 0
	Bounds         []float64 // of both histograms, in microseconds, at most 32
	Duration, Post []uint64  // one more than bounds
	DurationSum    uint64    // microseconds
	PostSum        uint64
}

// ParseStore reads a store. The error is ErrInitialising before the writer has put its mark, ErrUnsupported for another schema.
func ParseStore(raw []byte) (*Snapshot, error) {
	word := func(at int) uint64 { return binary.NativeEndian.Uint64(raw[at:]) }
	if len(raw) < storeSlotsAt || word(0) == 0 {
		return nil, fmt.Errorf("%w: a store of %d bytes without its mark", ErrInitialising, len(raw))
	}
	if magic := word(0); magic != storeMagic {
		return nil, fmt.Errorf("%w: the mark must be %#x (got %#x)", ErrInvalid, uint64(storeMagic), magic)
	}
	if schema := binary.NativeEndian.Uint32(raw[storeSchemaAt:]); schema != storeSchema {
		return nil, fmt.Errorf("%w: schema %d of a store", ErrUnsupported, schema)
	}
	slots := int(binary.NativeEndian.Uint32(raw[storeCountAt:]))
	buckets := word(storeBucketsAt)
	switch {
	case slots <= int(XferPostTime) || slots > maxSlots:
		return nil, fmt.Errorf("%w: slots must be %d to %d (got %d)", ErrInvalid, XferPostTime+1, maxSlots, slots)
	case buckets > maxBuckets:
		return nil, fmt.Errorf("%w: buckets must be at most %d (got %d)", ErrInvalid, maxBuckets, buckets)
	case len(raw) < storeSize(slots):
		return nil, fmt.Errorf("%w: a store of %d slots has %d bytes (got %d)", ErrInvalid, slots, storeSize(slots), len(raw))
	}
	s := &Snapshot{
		Agent: text(raw[storeAgentAt:storeHostAt]), Host: text(raw[storeHostAt:storeRankAt]),
		LocalRank: text(raw[storeRankAt:storeBoundsAt]), PID: int64(word(storePIDAt)), Instance: word(storeInstanceAt),
		Updated: int64(word(storeUpdatedAt)),
	}
	for i := range int(buckets) {
		bound := math.Float64frombits(word(storeBoundsAt + 8*i))
		if !(bound > 0) || math.IsInf(bound, 0) || i > 0 && bound <= s.Bounds[i-1] {
			return nil, fmt.Errorf("%w: bound %d must be finite and above the one before (got %v)", ErrInvalid, i, bound)
		}
		s.Bounds = append(s.Bounds, bound)
	}
	s.fill(word, slots, int(buckets))
	return s, nil
}

func (s *Snapshot) fill(word func(int) uint64, slots, buckets int) {
	for k := range slots {
		sum := word(storeSlotsAt + 8*k)
		if k < knownTypes {
			s.Sums[k] = sum
		} else if sum != 0 {
			s.Unknown++
		}
	}
	row := func(k EventType) []uint64 {
		counts := make([]uint64, buckets+1)
		for i := range counts {
			counts[i] = word(storeSlotsAt + 8*(2*slots+(maxBuckets+1)*int(k)+i))
		}
		return counts
	}
	sums := storeSlotsAt + 8*(2+maxBuckets+1)*slots
	s.Duration, s.DurationSum = row(XferTime), word(sums+8*int(XferTime))
	s.Post, s.PostSum = row(XferPostTime), word(sums+8*int(XferPostTime))
}

// storeSize is that of the file: two words a slot, a histogram with its overflow, a sum.
func storeSize(slots int) int { return storeSlotsAt + 8*slots*(2+maxBuckets+1+1) }

// text ends at the first NUL.
func text(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return strings.ToValidUTF8(string(field), "\uFFFD")
}

// Store reads one prometheus_mp file. Nothing in it is ever written.
type Store struct {
	path string
	name StoreName
	file *os.File
	id   FileID
	raw  []byte
}

// OpenStore opens a store.
func OpenStore(path string) (*Store, error) {
	name, ok := ParseStoreName(filepath.Base(path))
	if !ok {
		return nil, fmt.Errorf("%s: %w: a store is called nixl.<pid>.<run marker>.<instance>.mmap", path, ErrInvalid)
	}
	f, id, _, err := openFile(path, false)
	if err != nil {
		return nil, err
	}
	return &Store{path: path, name: name, file: f, id: id}, nil
}

// Read takes a snapshot.
func (s *Store) Read() (*Snapshot, error) {
	_, size, err := fileID(s.file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	if n := min(size, int64(storeSize(maxSlots))); int64(len(s.raw)) != n {
		s.raw = make([]byte, n)
	}
	n, err := s.file.ReadAt(s.raw, 0)
	if err != nil && n < len(s.raw) {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	snapshot, err := ParseStore(s.raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return snapshot, nil
}

// Alive says whether the writer lives: it holds the advisory lock until its end.
func (s *Store) Alive() (bool, error) { return lockedByAnother(s.file) }

// Age is how many seconds before a time of CLOCK_MONOTONIC, in nanoseconds, the store was updated.
func (s *Snapshot) Age(monotonic int64) float64 { return float64(monotonic-s.Updated) / 1e9 }

// Close ends reading.
func (s *Store) Close() error { return s.file.Close() }

// Path is the name under which the store was opened.
func (s *Store) Path() string { return s.path }

// Name is what the name says.
func (s *Store) Name() StoreName { return s.name }

// ID is the file.
func (s *Store) ID() FileID { return s.id }
