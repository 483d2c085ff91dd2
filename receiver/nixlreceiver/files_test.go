package nixlreceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestUUIDsDoNotMakeSeries(t *testing.T) {
	r := newRig(t, func(c *Config) { c.StaleAfter = time.Hour })
	name := func(i int) string { return fmt.Sprintf("%08x-1111-4222-8333-444455556666", i) }
	slots := make(map[any]bool)
	for i := range 20 { // a loop of crashes
		w := newWriter(t, r.dir, name(i), 64)
		r.run(100+i, i+1, w)
		w.transfer(true)
		for _, p := range r.look().of(signal.NIXLTransferCount) {
			slots[p.resource[signal.AttrNIXLAgentSlot]] = true
			assert.NotContains(t, p.resource, signal.AttrNIXLAgentName)
		}
		w.end()
		r.stop(100 + i)
		r.after(6 * time.Second)
	}
	assert.Equal(t, map[any]bool{int64(0): true}, slots, "each takes the place of the one before")
	one, two := newWriter(t, r.dir, name(100), 64), newWriter(t, r.dir, name(101), 64)
	r.run(500, 1, one, two)
	one.transfer(true)
	two.transfer(true)
	got := r.look().of(signal.NIXLAgentInfo)
	names := make(map[any]any)
	for _, p := range got {
		names[p.resource[signal.AttrNIXLAgentSlot]] = p.attributes[signal.AttrNIXLAgentName]
	}
	assert.Len(t, names, 2)
	assert.ElementsMatch(t, []any{name(100), name(101)}, []any{names[int64(0)], names[int64(1)]}, "the name is told once, as a fact")
}

// TestAnAgentThatLostItsSlotGetsAnother: it was down when its slot was taken, and began anew in its file.
func TestAnAgentThatLostItsSlotGetsAnother(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AgentName, c.StaleAfter = NameDrop, time.Hour })
	a := newWriter(t, r.dir, "a", 64)
	r.run(1, 1, a)
	a.transfer(true)
	r.look()
	a.end()
	r.stop(1)
	r.after(6 * time.Second)
	b := newWriter(t, r.dir, "b", 64)
	r.run(2, 2, b)
	b.transfer(true)
	slots := func() (all []any) {
		for _, p := range r.look().of(signal.NIXLAgentUp) {
			all = append(all, p.resource[signal.AttrNIXLAgentSlot])
		}
		return all
	}
	assert.Equal(t, []any{int64(0), int64(0)}, slots(), "the last of one, the first of the other")
	assert.Equal(t, []any{int64(0)}, slots())
	again := newWriter(t, r.dir, "a", 64)
	r.run(3, 3, again)
	r.after(6 * time.Second)
	assert.ElementsMatch(t, []any{int64(0), int64(1)}, slots())
}

func TestNamesAreKeptOrDroppedOnRequest(t *testing.T) {
	const uuid = "01234567-1111-4222-8333-444455556666"
	for mode, want := range map[NameMode][]any{NameAuto: {"a", nil}, NameKeep: {"a", uuid}, NameDrop: {nil, nil}} {
		r := newRig(t, func(c *Config) { c.AgentName = mode })
		a, b := newWriter(t, r.dir, "a", 64), newWriter(t, r.dir, uuid, 64)
		r.run(1, 1, a, b)
		var got []any
		for _, p := range r.look().of(signal.NIXLAgentUp) {
			got = append(got, p.resource[signal.AttrNIXLAgentName])
		}
		assert.ElementsMatch(t, want, got, mode)
	}
}

// TestARandomPartOfANameMakesNoSeries: engines put words of their own around it.
func TestARandomPartOfANameMakesNoSeries(t *testing.T) {
	for name, kept := range map[string]bool{
		"prefill-01234567-1111-4222-8333-444455556666": false, "agent_0123456789abcdef0123456789abcdef": false,
		"01234567111142228333444455556666": false, "DECODE.0A1B2C3D4E5F": false,
		"worker-0": true, "decode-20261125": true, "deadbeef": true,
	} {
		r := newRig(t, nil)
		r.run(1, 1, newWriter(t, r.dir, name, 64))
		assert.Len(t, r.look().of(signal.NIXLAgentUp, signal.AttrNIXLAgentName, name), map[bool]int{true: 1}[kept], name)
	}
}

func TestDropTellsNoName(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AgentName = NameDrop })
	r.run(1, 1, newWriter(t, r.dir, "secret", 64))
	got := r.look()
	assert.Len(t, got.of(signal.NIXLAgentInfo), 1)
	for _, p := range got {
		assert.NotContains(t, p.attributes, signal.AttrNIXLAgentName, p.name)
		assert.NotContains(t, p.resource, signal.AttrNIXLAgentName, p.name)
	}
}

func TestTwoAgentsOfOneNameAreToldApart(t *testing.T) {
	other := t.TempDir()
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Directories = append(c.Sources.Buffer.Directories, other) })
	r.run(1, 1, newWriter(t, r.dir, "a", 64), newWriter(t, other, "a", 64))
	got := r.look().of(signal.NIXLAgentUp)
	require.Len(t, got, 2)
	assert.NotEqual(t, got[0].resource, got[1].resource)
}

func TestAHalfMadeFileIsWaitedFor(t *testing.T) {
	r := newRig(t, nil)
	path := filepath.Join(r.dir, "a")
	require.NoError(t, os.WriteFile(path, make([]byte, 40+16*64), 0o644))
	r.after(50 * time.Second)
	assert.Zero(t, r.counted("otelcol_receiver_nixl_files_rejected"))
	w := newWriter(t, r.dir, "a", 64)
	r.run(1, 1, w)
	assert.Equal(t, 1.0, r.look().value(t, signal.NIXLAgentUp))

	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "b"), nil, 0o644))
	r.after(5 * time.Minute)
	assert.Equal(t, int64(1), r.counted("otelcol_receiver_nixl_files_rejected"), "once")
	assert.Contains(t, r.told().of(signal.SourceMissing)[0].attributes[signal.AttrSourceHint], "power of two")
}

func TestWhatIsNotUnderstoodIsLeftAlone(t *testing.T) {
	r := newRig(t, nil)
	contents := make(map[string][]byte)
	for version, name := range map[uint32]string{99: "future", 5: "fork"} {
		w := newWriter(t, r.dir, name, 64)
		w.version(version)
		w.transfer(true)
		raw, err := os.ReadFile(w.path)
		require.NoError(t, err)
		contents[w.path] = raw
	}
	good := newWriter(t, r.dir, "good", 64)
	r.run(1, 1, good)
	r.after(time.Hour)
	got := r.told()
	assert.Len(t, got.of(signal.NIXLAgentUp), 1)
	assert.Len(t, got.of(signal.SourceMissing, signal.AttrSource, "nixl.version"), 1)
	assert.Equal(t, int64(2), r.counted("otelcol_receiver_nixl_files_rejected"))
	assert.Len(t, r.messages(), 2, "one warning each")
	for path, before := range contents {
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, before, after)
	}
}

func TestOnlyRingsAndStoresAreRead(t *testing.T) {
	stores := t.TempDir()
	r := newRig(t, func(c *Config) { c.Sources.Multiproc.Directories = []string{stores} })
	w := newWriter(t, r.dir, "a", 64)
	r.run(1, 1, w)
	require.NoError(t, os.Symlink("a", filepath.Join(r.dir, "link")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(r.dir, "pipe"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(r.dir, "dir"), 0o755))
	for _, name := range []string{"nixl.1.2.3.mmap.staging", "nixl-owner.127.0.0.1:9090.lock", "x"} {
		require.NoError(t, os.WriteFile(filepath.Join(stores, name), make([]byte, 6800), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, name), make([]byte, 6800), 0o600))
	}
	require.NoError(t, os.Remove(filepath.Join(r.dir, "x")))
	r.after(5 * time.Minute)
	assert.Len(t, r.told().of(signal.NIXLAgentInfo), 1)
	assert.Zero(t, r.counted("otelcol_receiver_nixl_files_rejected"))
}

func TestAThousandAgentsAndTheLimit(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxAgents = 990 })
	for i := range 1000 {
		w := newWriter(t, r.dir, fmt.Sprintf("agent-%03d", i), 8)
		w.event(4, 1)
		w.end()
	}
	delete(r.proc, "2/stat")
	assert.Len(t, r.look().of(signal.NIXLAgentInfo), 990)
	assert.Equal(t, int64(10), r.counted("otelcol_receiver_nixl_files_rejected"))
	assert.Equal(t, int64(990), r.counted("otelcol_receiver_nixl_agents"))
	for i := range 500 {
		require.NoError(t, os.Remove(filepath.Join(r.dir, fmt.Sprintf("agent-%03d", i))))
	}
	r.after(r.cfg.StaleAfter + 10*time.Second)
	assert.Equal(t, 500, len(r.fleet.agents)+len(r.fleet.finished), "the silent may have made room for those that were refused")
}

func TestAStormOfFilesLeavesNothingBehind(t *testing.T) {
	r := newRig(t, nil)
	for i := range 50 {
		w := newWriter(t, r.dir, fmt.Sprint(i%7), 8)
		if i%3 == 0 {
			require.NoError(t, os.Rename(w.path, w.path+"-moved"))
		}
		r.after(time.Second)
		w.end()
		if i%2 == 0 {
			_ = os.Remove(filepath.Join(r.dir, fmt.Sprint((i+3)%7)))
		}
	}
	entries, err := os.ReadDir(r.dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, os.Remove(filepath.Join(r.dir, e.Name())))
	}
	r.after(r.cfg.StaleAfter + 10*time.Second)
	assert.Empty(t, r.fleet.agents)
	assert.Empty(t, r.fleet.finished)
	assert.Empty(t, r.fleet.refused)
	assert.Empty(t, r.fleet.slots.names)
}

// recorded is a store that nixl-cu12 1.5.1 left behind.
func recorded(t *testing.T, dir, name string) string {
	raw, err := os.ReadFile("../../tests/engines/nixl/recordings/1.5.1/store/0.mmap")
	require.NoError(t, err)
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	return path
}

func TestAStoreIsTold(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, func(c *Config) { c.Sources.Multiproc.Directories = []string{dir} })
	made := r.now.Add(-time.Hour)
	path := recorded(t, dir, fmt.Sprintf("nixl.42.%d.0.mmap", made.UnixNano()))
	lock, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	snapshot, err := nixl.ParseStore(before)
	require.NoError(t, err)
	r.monotonic = snapshot.Updated + 3e9
	got := r.look()
	assert.InDelta(t, 3.0, got.value(t, signal.NIXLLastEventAge), 1e-6)
	assert.Equal(t, 1.0, got.value(t, signal.NIXLAgentUp, signal.AttrNIXLSource, "multiproc", signal.AttrNIXLLayout, "store-1"))
	assert.Equal(t, 4096.0+65536, got.value(t, signal.NIXLTransferIO, signal.AttrNetDirection, "transmit"))
	io := got.of(signal.NIXLTransferIO, signal.AttrNetDirection, "receive")
	assert.Equal(t, 8192.0, io[0].value)
	assert.Equal(t, made.UTC(), io[0].start)
	assert.Equal(t, 3.0, got.value(t, signal.NIXLTransferTime, signal.AttrNetDirection, "unknown"))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLErrors, signal.AttrErrorType, "not_found"))
	assert.Equal(t, "3", got.of(signal.NIXLAgentInfo)[0].attributes[signal.AttrNIXLLocalRank])
	require.NoError(t, lock.Close())
	r.after(6 * time.Second)
	assert.Equal(t, 0.0, r.told().value(t, signal.NIXLAgentUp))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	require.NoError(t, os.Remove(path), "NIXL's owner of the endpoint does that")
	r.after(10 * time.Second)
	r.told()
	assert.Empty(t, r.fleet.agents)
}
