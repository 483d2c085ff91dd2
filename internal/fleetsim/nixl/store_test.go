package nixl

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func startStore(t testing.TB, o StoreOptions) (*Store, *clock) {
	t.Helper()
	c := newClock()
	o.Clock = c.read
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Agent == "" {
		o.Agent = "a"
	}
	o.PID, o.RunMarker, o.Instance = 77, 1757404800000000001, 2
	s, err := CreateStore(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, c
}

// page is the store as a reader of the published layout sees it.
type page []byte

func readPage(t testing.TB, s *Store) page {
	t.Helper()
	raw, err := os.ReadFile(s.Path())
	require.NoError(t, err)
	return raw
}

func (p page) u64(at int) uint64 { return binary.LittleEndian.Uint64(p[at:]) }

func (p page) text(at, size int) string { return strings.TrimRight(string(p[at:at+size]), "\x00") }

func TestStoreByOffset(t *testing.T) {
	updated := uint64(1000)
	s, c := startStore(t, StoreOptions{Host: "node-1", LocalRank: "3", Monotonic: func() uint64 { updated++; return updated }})
	assert.Equal(t, "nixl.77.1757404800000000001.2.mmap", filepath.Base(s.Path()))
	s.Register(64)
	s.Register(32)
	s.Deregister(16)
	s.Transfer(oneMiB)
	s.Transfer(Transfer{Bytes: 9, Duration: 11 * time.Second, Post: 10 * time.Microsecond})
	s.Error(Backend)
	c.flush(s)
	p := readPage(t, s)
	require.Len(t, p, 6800)
	assert.Equal(t, "NIXLMPS1", string(p[:8]))
	assert.Equal(t, uint32(1), binary.LittleEndian.Uint32(p[8:]))
	assert.Equal(t, uint32(21), binary.LittleEndian.Uint32(p[12:]))
	assert.Equal(t, []uint64{77, 1013, 2, 18}, []uint64{p.u64(16), p.u64(24), p.u64(32), p.u64(40)})
	assert.Equal(t, []string{"a", "node-1", "3"}, []string{p.text(48, 256), p.text(304, 128), p.text(432, 64)})
	for i, bound := range append(DefaultBuckets(), make([]float64, 14)...) {
		assert.Equal(t, bound, math.Float64frombits(p.u64(496+8*i)))
	}
	want := map[int]uint64{
		752: 1 << 20, 760: 9, 768: 1, 776: 1, 784: 96, 792: 16, 800: 250 + 11e6, 808: 12 + 10, 832: 1, // counters
		920: 1 << 20, 928: 9, 952: 32, 960: 16, 968: 11e6, 976: 10, // gauges: the last
		1088 + 8*(33*6+4): 1, 1088 + 8*(33*6+18): 1, // 250 us is within its bound, 11 s above the last
		1088 + 8*33*7: 1, 1088 + 8*(33*7+1): 1, // 10 us within the first, 12 us in the second
		6632 + 8*6: 250 + 11e6, 6632 + 8*7: 22,
	}
	for at := 752; at < 6800; at += 8 {
		assert.Equal(t, want[at], p.u64(at), "at %d", at)
	}
}

func TestTheLastUpdateIsOfTheMonotonicClock(t *testing.T) {
	now := func() uint64 {
		var ts unix.Timespec
		require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts))
		return uint64(ts.Nano())
	}
	before := now()
	s, c := startStore(t, StoreOptions{})
	created := readPage(t, s).u64(24)
	s.Register(1)
	c.flush(s)
	updated := readPage(t, s).u64(24)
	assert.GreaterOrEqual(t, created, before)
	assert.Greater(t, updated, created)
	assert.LessOrEqual(t, updated, now())
}

func TestStoreOfAnotherNumberOfSlots(t *testing.T) {
	for _, slots := range []int{22, 38} {
		s, c := startStore(t, StoreOptions{Slots: slots, Buckets: []float64{1, 2}})
		s.Transfer(oneMiB)
		s.Inject(EventType(slots-1), 5)
		s.Inject(EventType(slots), 5)
		c.flush(s)
		p := readPage(t, s)
		require.Len(t, p, 752+288*slots)
		assert.Equal(t, uint32(slots), binary.LittleEndian.Uint32(p[12:]))
		assert.Equal(t, uint64(5), p.u64(752+8*(slots-1)))
		assert.Equal(t, uint64(1<<20), p.u64(752+8*slots), "the first gauge, untouched by a type beyond the last")
		assert.Equal(t, uint64(1), p.u64(752+16*slots+8*(33*6+2)), "above both bounds")
		assert.Equal(t, uint64(250), p.u64(752+280*slots+8*6))
	}
}

// abandoned says whether somebody else gets the lock of the file.
func abandoned(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

func TestTheLockTellsWhetherTheWriterLives(t *testing.T) {
	for _, named := range []bool{false, true} {
		s, c := startStore(t, StoreOptions{Named: named})
		assert.False(t, abandoned(t, s.Path()))
		info, err := os.Stat(s.Path())
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
		s.Register(8)
		c.flush(s)
		require.NoError(t, s.Kill())
		assert.True(t, abandoned(t, s.Path()))
		s.Register(8)
		c.flush(s)
		assert.Equal(t, uint64(8), readPage(t, s).u64(784), "the file stays as it was")
		entries, err := os.ReadDir(filepath.Dir(s.Path()))
		require.NoError(t, err)
		assert.Len(t, entries, 1, "nothing stays of the staging name")
	}
}

func TestStoreDirectoryIsMadePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "nixl")
	startStore(t, StoreOptions{Dir: dir})
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestStoreCutsLongNames(t *testing.T) {
	s, _ := startStore(t, StoreOptions{Agent: strings.Repeat("a", 300), Host: strings.Repeat("h", 300), LocalRank: strings.Repeat("r", 300)})
	p := readPage(t, s)
	assert.Equal(t, strings.Repeat("a", 255), p.text(48, 256))
	assert.Equal(t, strings.Repeat("h", 127), p.text(304, 128))
	assert.Equal(t, strings.Repeat("r", 63), p.text(432, 64))
	s, _ = startStore(t, StoreOptions{})
	assert.Equal(t, "unknown", readPage(t, s).text(304, 128))
}

func TestStoreTellsWhatItsQueueDropped(t *testing.T) {
	s, c := startStore(t, StoreOptions{Staging: 5})
	for range 3 {
		s.Transfer(oneMiB)
	}
	c.flush(s)
	p := readPage(t, s)
	assert.Equal(t, uint64(8), p.u64(752+8*20))
	assert.Equal(t, uint64(1<<20), p.u64(752))
}

func TestStoreOptionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	for want, o := range map[string]StoreOptions{
		"agent: must not be empty":                {PID: 1},
		"pid: want more than 0, got 0":            {Agent: "a"},
		"slots: want 8 to 1024, got 7":            {Agent: "a", PID: 1, Slots: 7},
		"staging: want 0 to":                      {Agent: "a", PID: 1, Staging: -1},
		"interval: want more than 0":              {Agent: "a", PID: 1, Interval: -1},
		"buckets: want at most 32 bounds, got 33": {Agent: "a", PID: 1, Buckets: make([]float64, 33)},
		"buckets[1]: want a finite bound":         {Agent: "a", PID: 1, Buckets: []float64{2, 2}},
		"buckets[0]: want a finite bound above 0": {Agent: "a", PID: 1, Buckets: []float64{math.NaN()}},
		`metrics: "[": syntax error in pattern`:   {Agent: "a", PID: 1, Metrics: []string{"["}},
	} {
		o.Dir = dir
		_, err := CreateStore(o)
		assert.ErrorContains(t, err, want)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
	for range 2 {
		s, err := CreateStore(StoreOptions{Dir: dir, Agent: "a", PID: 1})
		if s == nil {
			assert.ErrorContains(t, err, "publish: file exists", "a second store of that name is refused")
			continue
		}
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
	}
}
