package nixl

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var everyLayout = []Layout{V1, V2Named, V2, V3, V4, V5, V5Fork}

// clock is a wall clock that stands still unless moved.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{now: time.UnixMicro(1757404800123456)} }

func (c *clock) read() time.Time { return c.now }

// flush lets one interval pass.
func (c *clock) flush(t Telemetry) {
	c.now = c.now.Add(defaultInterval)
	t.Flush(c.now)
}

// start makes a ring that ends with the test.
func start(t testing.TB, o Options) (*Ring, *clock) {
	t.Helper()
	c := newClock()
	o.Clock = c.read
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Agent == "" {
		o.Agent = "a"
	}
	r, err := Create(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r, c
}

var oneMiB = Transfer{Write: true, Bytes: 1 << 20, Duration: 250 * time.Microsecond, Post: 12 * time.Microsecond}

// plain is a dump of 16-byte rows without blanks.
func plain(t *testing.T, dump string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(dump), ""))
	require.NoError(t, err)
	return b
}

func TestFourthLayoutByteForByte(t *testing.T) {
	r, c := start(t, Options{Capacity: 8})
	r.Register(64 << 20)
	r.Transfer(oneMiB)
	c.flush(r)
	got, err := os.ReadFile(r.Path())
	require.NoError(t, err)
	want := plain(t, `
		0500 0000 0000 0000  0000 0000 0000 0000
		0400 0000 0400 0000  0800 0000 0000 0000
		0700 0000 0000 0000  0400 0000 0000 0000
		0000 0004 0000 0000  0700 0000 0000 0000
		0c00 0000 0000 0000  0600 0000 0000 0000
		fa00 0000 0000 0000  0000 0000 0000 0000
		0000 1000 0000 0000  0200 0000 0000 0000
		0100 0000 0000 0000`)
	want = append(want, make([]byte, 168-len(want))...)
	assert.Equal(t, hex.Dump(want), hex.Dump(got))
}

func TestFirstLayoutByteForByte(t *testing.T) {
	r, c := start(t, Options{Layout: V1, Capacity: 8})
	r.Transfer(oneMiB)
	c.flush(r)
	got, err := os.ReadFile(r.Path())
	require.NoError(t, err)
	assert.Equal(t, hex.Dump(plain(t, `
		40 82 d6 b0 59 3e 06 00  01 00 00 00
		6167656e 745f7478 5f627974 65730000 00000000 00000000 00000000 00000000
		00 00 00 00  00 00 10 00 00 00 00 00`)), hex.Dump(got[40+2*56:][:56]))
}

func TestEveryLayoutReadsBack(t *testing.T) {
	for _, l := range everyLayout {
		r, c := start(t, Options{Layout: l, Capacity: 32, Pad: Garbage(7)})
		r.Register(4096)
		r.Transfer(oneMiB)
		r.Transfer(Transfer{Bytes: 512, Duration: 99999 * time.Nanosecond})
		r.Error(NotFound)
		r.Deregister(4096)
		c.flush(r)
		h, all := decode(t, r.Path(), l)
		version := map[Layout]int32{V1: 1, V2Named: 2, V2: 2, V3: 3, V4: 4, V5: 5, V5Fork: 5}[l]
		assert.Equal(t, header{write: 11, capacity: 32, mask: 31, version: version, expected: version}, h, "%s", l)
		events := unread(h, all)
		if l <= V2Named {
			var names []string
			for _, e := range events {
				names = append(names, e.name)
				assert.Equal(t, l == V1, e.time == 1757404800123456)
			}
			assert.Equal(t, []string{
				"agent_memory_registered", "agent_xfer_post_time", "agent_xfer_time", "agent_tx_bytes", "agent_tx_requests_num",
				"agent_xfer_post_time", "agent_xfer_time", "agent_rx_bytes", "agent_rx_requests_num", "NIXL_ERR_NOT_FOUND",
				"agent_memory_deregistered",
			}, names)
		} else {
			assert.Equal(t, [][2]uint64{
				{4, 4096}, {7, 12}, {6, 250}, {0, 1 << 20}, {2, 1}, {7, 0}, {6, 99}, {1, 512}, {3, 1}, {11, 1}, {5, 4096},
			}, pairs(events), "%s", l)
		}
		if l <= V2 {
			var categories []int32
			for _, e := range events {
				categories = append(categories, e.category)
			}
			assert.Equal(t, []int32{0, 5, 5, 1, 1, 5, 5, 1, 1, 4, 0}, categories)
		}
		var pads uint32
		for _, e := range all {
			pads |= e.pad
		}
		assert.Equal(t, l != V2, pads != 0, "%s: only v2 has no padding", l)
		assert.Equal(t, Counts{Offered: 11, Written: 11}, r.Counts())
	}
}

func TestAFullRingDropsTheNewestInSilence(t *testing.T) {
	for capacity, room := range map[uint64]int{1: 0, 2: 1, 8: 7} {
		r, c := start(t, Options{Capacity: capacity, Staging: 64})
		for i := range uint64(10) {
			r.Register(i)
		}
		c.flush(r)
		h, all := decode(t, r.Path(), V4)
		events := unread(h, all)
		require.Len(t, events, room, "capacity %d", capacity)
		for i, e := range events {
			assert.Equal(t, uint64(i), e.value)
		}
		assert.Equal(t, Counts{Offered: 10, Written: uint64(room), Lost: uint64(10 - room)}, r.Counts())
	}
}

func TestPositionsWrapAround(t *testing.T) {
	for _, l := range []Layout{V1, V4, V5} {
		r, c := start(t, Options{Layout: l, Capacity: 8})
		for range 6 {
			r.Register(1)
		}
		c.flush(r)
		assert.Equal(t, uint64(6), r.Consume(99))
		for i := range uint64(5) {
			r.Register(10 + i)
		}
		c.flush(r)
		h, all := decode(t, r.Path(), l)
		assert.Equal(t, uint64(6), h.read)
		assert.Equal(t, uint64(3), h.write)
		var values []uint64
		for _, e := range unread(h, all) {
			values = append(values, e.value)
		}
		assert.Equal(t, []uint64{10, 11, 12, 13, 14}, values)
	}
}

func TestFlushKeepsItsInterval(t *testing.T) {
	r, c := start(t, Options{Capacity: 8})
	began := c.now
	written := func(after time.Duration) uint64 {
		r.Register(1)
		r.Flush(began.Add(after))
		return r.Counts().Written
	}
	assert.Equal(t, uint64(0), written(99*time.Millisecond), "the first is due after one interval")
	assert.Equal(t, uint64(2), written(130*time.Millisecond))
	assert.Equal(t, uint64(2), written(229*time.Millisecond), "the next is due an interval after the last, late as that was")
	assert.Equal(t, uint64(4), written(230*time.Millisecond))
}

// inode is the file's number.
func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestRestartTakesTheFileOver(t *testing.T) {
	for _, capacity := range []uint64{4, 8, 16} {
		dir := t.TempDir()
		first, c := start(t, Options{Dir: dir, Capacity: 8})
		for i := range uint64(3) {
			first.Register(100 + i)
		}
		c.flush(first)
		first.Consume(2)
		number := inode(t, first.Path())
		require.NoError(t, first.Close())
		second, c := start(t, Options{Dir: dir, Capacity: capacity})
		second.Register(7)
		c.flush(second)
		assert.Equal(t, number, inode(t, second.Path()))
		h, all := decode(t, second.Path(), V4)
		assert.Equal(t, header{write: 1, capacity: capacity, mask: capacity - 1, version: 4, expected: 4}, h)
		assert.Equal(t, [][2]uint64{{4, 7}, {4, 101}, {4, 102}, {0, 0}}, pairs(all[:4]), "what the first wrote is still there")
	}
}

func TestACapacityThatIsNoPowerOfTwo(t *testing.T) {
	dir := t.TempDir()
	_, err := Create(Options{Dir: dir, Agent: "a", Capacity: 6})
	assert.ErrorContains(t, err, "capacity: want a power of two, got 6")
	h, _ := decode(t, filepath.Join(dir, "a"), V4)
	assert.Equal(t, header{capacity: 6, mask: 5}, h, "the file stays, half made: without a version")
}

func TestOptionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	for want, o := range map[string]Options{
		"agent":                                    {},
		"layout: want 1 to 7, got 9":               {Agent: "a", Layout: 9},
		"capacity: want at most":                   {Agent: "a", Capacity: 1 << 25},
		"staging: want 0 to":                       {Agent: "a", Staging: -1},
		"interval: want more than 0":               {Agent: "a", Interval: -1},
		"metrics: want layout v4 or later, got v3": {Agent: "a", Layout: V3, Metrics: []string{"*"}},
		`metrics: "[": syntax error`:               {Agent: "a", Metrics: []string{"["}},
		"no such file or directory":                {Agent: "below/a"},
		"is a directory":                           {Agent: "."},
	} {
		o.Dir = dir
		_, err := Create(o)
		assert.ErrorContains(t, err, want)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "a refused agent leaves nothing")
}

func TestTheRingIsMappedAndNotOpen(t *testing.T) {
	r, _ := start(t, Options{Agent: "0b9a-mapped", Capacity: 8})
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	assert.Regexp(t, `rw-s .*/0b9a-mapped\n`, string(maps))
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range fds {
		target, _ := os.Readlink(filepath.Join("/proc/self/fd", fd.Name()))
		assert.NotEqual(t, r.Path(), target)
	}
	require.NoError(t, r.Kill())
	maps, err = os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	assert.NotContains(t, string(maps), "0b9a-mapped")
}

func TestModeOfTheFile(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	r, _ := start(t, Options{Capacity: 8})
	info, err := os.Stat(r.Path())
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode())
}

func TestLayoutsHaveNames(t *testing.T) {
	for _, l := range everyLayout {
		var back Layout
		text, err := l.MarshalText()
		require.NoError(t, err)
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, l, back)
	}
	var l Layout
	assert.ErrorContains(t, l.UnmarshalText([]byte("v6")), `layout: want v1 to v5-fork, got "v6"`)
	assert.Equal(t, "Layout(0)", l.String())
	_, err := l.MarshalText()
	assert.ErrorContains(t, err, "layout: want 1 to 7, got 0")
}
