package nixl

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

func startStore(t testing.TB, o sim.StoreOptions) *sim.Store {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	o.Agent, o.PID, o.RunMarker, o.Host, o.LocalRank = "agent", 42, uint64(now.UnixNano()), "h", "3"
	o.Clock = func() time.Time { return now }
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := sim.CreateStore(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Kill()) })
	s.Register(1 << 20)
	s.Transfer(sim.Transfer{Write: true, Bytes: 1 << 20, Duration: 250 * time.Microsecond, Post: 12 * time.Microsecond})
	s.Transfer(sim.Transfer{Bytes: 4096, Duration: 11 * time.Second, Post: 10 * time.Microsecond})
	s.Error(sim.NotFound)
	s.Flush(now.Add(time.Second))
	return s
}

func openStore(t testing.TB, path string) *Store {
	t.Helper()
	s, err := OpenStore(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestAStoreIsReadWholeAndLeftAsItIs(t *testing.T) {
	for _, slots := range []int{21, 22, 38} {
		t.Run(strconv.Itoa(slots), func(t *testing.T) {
			w := startStore(t, sim.StoreOptions{Slots: slots})
			before := content(t, w.Path())
			assert.Len(t, before, storeSize(slots))
			s := openStore(t, w.Path())
			assert.Equal(t, StoreName{PID: 42, RunMarker: 1_800_000_000_000_000_000}, s.Name())
			got, err := s.Read()
			require.NoError(t, err)
			assert.Equal(t, []any{"agent", "h", "3", int64(42)}, []any{got.Agent, got.Host, got.LocalRank, got.PID})
			assert.Equal(t, uint64(1<<20), got.Sums[TxBytes])
			assert.Equal(t, uint64(4096), got.Sums[RxBytes])
			assert.Equal(t, uint64(1<<20), got.Sums[MemoryRegistered])
			assert.Equal(t, uint64(11_000_250), got.Sums[XferTime])
			assert.Equal(t, uint64(1), got.Sums.Errors()[3])
			assert.Equal(t, "not_found", ErrorNames()[3])
			assert.Equal(t, sim.DefaultBuckets(), got.Bounds)
			assert.Equal(t, uint64(1), got.Duration[4], "250 us are at most 250 us")
			assert.Equal(t, uint64(1), got.Duration[18], "11 s are above all bounds")
			assert.Equal(t, uint64(11_000_250), got.DurationSum)
			assert.Equal(t, uint64(1), got.Post[0])
			assert.Equal(t, uint64(22), got.PostSum)
			assert.Zero(t, got.Unknown)
			assert.Less(t, got.Age(Monotonic()), 60.0)
			assert.Equal(t, before, content(t, w.Path()))
		})
	}
}

func TestAStoreLivesAsLongAsItsLock(t *testing.T) {
	w := startStore(t, sim.StoreOptions{})
	one, two := openStore(t, w.Path()), openStore(t, w.Path())
	for _, s := range []*Store{one, two} {
		alive, err := s.Alive()
		require.NoError(t, err)
		assert.True(t, alive)
	}
	require.NoError(t, w.Kill())
	for range 2 {
		for _, s := range []*Store{one, two} {
			alive, err := s.Alive()
			require.NoError(t, err)
			assert.False(t, alive)
		}
	}
	got, err := one.Read()
	require.NoError(t, err, "what it told stays")
	assert.Equal(t, uint64(1<<20), got.Sums[TxBytes])
}

func TestReadersOfAStoreDoNotDisturbEachOther(t *testing.T) {
	w := startStore(t, sim.StoreOptions{})
	var readers sync.WaitGroup
	for range 2 {
		s := openStore(t, w.Path())
		readers.Go(func() {
			var last uint64
			for range 500 {
				got, err := s.Read()
				assert.NoError(t, err)
				assert.GreaterOrEqual(t, got.Sums[TxBytes], last)
				last = got.Sums[TxBytes]
			}
		})
	}
	for i := range 500 {
		w.Transfer(sim.Transfer{Write: true, Bytes: 1})
		w.Flush(time.Unix(1_800_000_010+int64(i), 0))
	}
	readers.Wait()
}

func TestAFileThatIsNoStoreIsToldApart(t *testing.T) {
	good := content(t, startStore(t, sim.StoreOptions{}).Path())
	put := func(at int, v uint64) []byte {
		raw := bytes.Clone(good)
		binary.NativeEndian.PutUint64(raw[at:], v)
		return raw
	}
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"empty":         {nil, ErrInitialising},
		"no mark yet":   {put(0, 0), ErrInitialising},
		"bad mark":      {put(0, 1), ErrInvalid},
		"schema 2":      {put(storeSchemaAt, 2|21<<32), ErrUnsupported},
		"7 slots":       {put(storeSchemaAt, 1|7<<32), ErrInvalid},
		"2^32-1 slots":  {put(storeSchemaAt, 1|0xffffffff<<32), ErrInvalid},
		"22 slots":      {put(storeSchemaAt, 1|22<<32), ErrInvalid},
		"33 buckets":    {put(storeBucketsAt, 33), ErrInvalid},
		"falling bound": {put(storeBoundsAt+8, 0), ErrInvalid},
		"short":         {good[:6799], ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "nixl.1.2.3.mmap")
			require.NoError(t, os.WriteFile(path, c.raw, 0o600))
			_, err := openStore(t, path).Read()
			assert.ErrorIs(t, err, c.want)
		})
	}
}

func TestOtherFilesOfTheDirectoryAreNoStores(t *testing.T) {
	for _, name := range []string{"nixl.1.2.3.mmap.staging", "nixl-owner.127.0.0.1:9090.lock", "nixl.1.2.mmap", "nixl.a.2.3.mmap", "x"} {
		_, ok := ParseStoreName(name)
		assert.False(t, ok, name)
		_, err := OpenStore(filepath.Join(t.TempDir(), name))
		assert.ErrorIs(t, err, ErrInvalid)
	}
}
