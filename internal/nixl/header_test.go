package nixl

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

// example is a ring of V4 as C++ lays it out: 64 MiB registered, then a WRITE of 1 MiB with 12 us of posting and 250 us in all.
const example = `
0500000000000000 0000000000000000 0400000004000000 0800000000000000 0700000000000000
0400000000000000 0000000400000000 07000000deadbeef 0c00000000000000 06000000ffffffff fa00000000000000
0000000001020304 0000100000000000 0200000000000000 0100000000000000`

func exampleRing(t testing.TB) []byte {
	raw, err := hex.DecodeString(strings.Join(strings.Fields(example), ""))
	require.NoError(t, err)
	return append(raw, make([]byte, 168-len(raw))...)
}

func TestTheExampleIsReadAsItIsMeant(t *testing.T) {
	r := open(t, file(t, exampleRing(t)))
	assert.Equal(t, Geometry{Layout: V4, Version: 4, Capacity: 8}, r.Geometry())
	tally := NewTally(V4)
	p := poll(t, r, tally)
	assert.Equal(t, Polled{Read: 5, Waiting: 5}, p)
	assert.Equal(t, uint64(67108864), tally.Sums[MemoryRegistered])
	assert.Equal(t, uint64(1<<20), tally.Sums[TxBytes])
	assert.Equal(t, uint64(250), tally.Duration[Transmit].Sum)
	assert.Equal(t, uint64(12), tally.Post[Transmit].Sum)
	assert.Equal(t, uint64(4_194_304_000), tally.Throughput[Transmit].Sum, "1 MiB in 250 us")
	assert.Zero(t, tally.Unknown)
}

func TestEveryLayoutIsKnownByVersionAndStructure(t *testing.T) {
	for layout, want := range map[sim.Layout]Layout{
		sim.V1: V1, sim.V2Named: V2Named, sim.V2: V2, sim.V3: V3, sim.V4: V4, sim.V5: V5,
	} {
		t.Run(layout.String(), func(t *testing.T) {
			a := start(t, sim.Options{Layout: layout, AllErrors: true})
			a.Register(1 << 20)
			a.Transfer(sim.Transfer{Bytes: 4096, Duration: 250_000, Post: 12_000})
			for s := sim.NotPosted; s <= sim.NoTelemetry; s++ {
				a.Error(s)
			}
			a.Deregister(1 << 20)
			a.flush()
			r := open(t, a.Path())
			assert.Equal(t, want, r.Geometry().Layout)
			assert.Equal(t, layout.String(), want.String())
			tally := NewTally(want)
			poll(t, r, tally)
			assert.Equal(t, uint64(1<<20), tally.Sums[MemoryRegistered])
			assert.Equal(t, uint64(1<<20), tally.Sums[MemoryDeregistered])
			assert.Equal(t, uint64(4096), tally.Sums[RxBytes])
			assert.Equal(t, uint64(1), tally.Sums[RxRequests])
			assert.Equal(t, uint64(250), tally.Sums[XferTime])
			assert.Equal(t, uint64(12), tally.Sums[XferPostTime])
			assert.Equal(t, uint64(1), tally.Duration[Receive].Count())
			for i, n := range tally.Sums.Errors() {
				assert.Equal(t, uint64(1), n, ErrorNames()[i])
			}
			assert.Zero(t, tally.Unknown)
		})
	}
}

func TestAFileThatIsNoRingIsToldApart(t *testing.T) {
	word := func(at int, v uint64) func([]byte) []byte {
		return func(raw []byte) []byte { binary.NativeEndian.PutUint64(raw[at:], v); return raw }
	}
	version := func(v, expected uint32) func([]byte) []byte {
		return word(versionAt, uint64(v)|uint64(expected)<<32)
	}
	cut := func(n int) func([]byte) []byte { return func(raw []byte) []byte { return raw[:n] } }
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"empty":                       {cut(0), ErrInitialising},
		"16 bytes":                    {cut(16), ErrInitialising},
		"zeros":                       {func(raw []byte) []byte { clear(raw); return raw }, ErrInitialising},
		"version 0 with capacity":     {version(0, 0), ErrInitialising},
		"second version not yet":      {version(4, 0), ErrInitialising},
		"versions differ":             {version(4, 3), ErrInvalid},
		"bad mask":                    {word(32, 6), ErrInvalid},
		"capacity 3":                  {word(24, 3), ErrInvalid},
		"capacity 0":                  {word(24, 0), ErrInvalid},
		"capacity 2^60":               {word(24, 1<<60), ErrInvalid},
		"capacity above the file":     {func(raw []byte) []byte { return word(32, 15)(word(24, 16)(raw)) }, ErrInvalid},
		"version 99":                  {version(99, 99), ErrUnsupported},
		"version 5 with the old head": {version(5, 5), ErrUnsupported},
		"negative version":            {version(1<<31, 1<<31), ErrUnsupported},
		"version 1, events too small": {version(1, 1), ErrInvalid},
		"version 2 of neither size":   {func(raw []byte) []byte { return append(version(2, 2)(raw), 0) }, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, c.change(exampleRing(t)))
			before := content(t, path)
			_, err := Open(path, false)
			assert.ErrorIs(t, err, c.want)
			assert.ErrorContains(t, err, path)
			assert.Equal(t, before, content(t, path), "it must stay as it is")
		})
	}
}

func TestUnknownVersionsAreReadOnRequest(t *testing.T) {
	for layout, version := range map[sim.Layout]int32{sim.V5Fork: 5, sim.V3: 99} {
		a := start(t, sim.Options{Layout: layout})
		a.SetVersion(version)
		a.Register(7)
		a.Inject(20, 5)
		a.flush()
		r, err := Open(a.Path(), true)
		require.NoError(t, err)
		tally := NewTally(r.Geometry().Layout)
		poll(t, r, tally)
		assert.Equal(t, uint64(7), tally.Sums[MemoryRegistered])
		assert.Zero(t, tally.Sums[EventsDropped], "20 means something else in the fork")
		assert.Equal(t, uint64(1), tally.Unknown)
		require.NoError(t, r.Close())
	}
}

func TestALargerFileIsARing(t *testing.T) {
	r := open(t, file(t, append(exampleRing(t), 1, 2, 3)))
	assert.True(t, r.Geometry().Oversize)
	assert.Equal(t, 5, poll(t, r, new(collected)).Read)
}
