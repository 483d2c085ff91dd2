package nixl

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

func TestTheConsumerFollowsTheRingAround(t *testing.T) {
	a := start(t, sim.Options{Capacity: 8})
	r, got := consume(t, a.Path()), new(collected)
	for i := 0; i < 60; i += 5 {
		a.register(i, i+5)
		assert.Equal(t, 5, poll(t, r, got).Read)
	}
	assert.Equal(t, numbers(0, 60), got.values())
	assert.Zero(t, got.cuts)
	assert.Zero(t, a.Counts().Lost)
	assert.Equal(t, Polled{}, poll(t, r, got), "it is empty")
}

func TestTheObserverChangesNothing(t *testing.T) {
	a := start(t, sim.Options{Capacity: 8})
	r, got := open(t, a.Path()), new(collected)
	a.register(0, 5)
	before := content(t, a.Path())
	assert.Equal(t, Polled{Read: 5, Waiting: 5}, poll(t, r, got))
	assert.Equal(t, Polled{Waiting: 5}, poll(t, r, got), "each event is read once")
	assert.Equal(t, before, content(t, a.Path()))
	a.register(5, 10)
	assert.Equal(t, Polled{Read: 2, Waiting: 7, Full: true}, poll(t, r, got), "the ring keeps the first")
	assert.Equal(t, Polled{Waiting: 7}, poll(t, r, got), "a ring that stays full is told once")
	assert.Equal(t, numbers(0, 7), got.values())
	assert.Equal(t, uint64(3), a.Counts().Lost)
}

func TestTakingOverFreesWhatWasObserved(t *testing.T) {
	a := start(t, sim.Options{Capacity: 8})
	r, got := open(t, a.Path()), new(collected)
	a.register(0, 10)
	poll(t, r, got)
	require.NoError(t, r.Claim())
	require.NoError(t, r.Claim(), "it is had already")
	assert.True(t, r.Owned())
	a.register(10, 15)
	assert.Equal(t, Polled{Read: 5, Waiting: 5}, poll(t, r, got))
	assert.Equal(t, append(numbers(0, 7), numbers(10, 15)...), got.values())
	assert.Equal(t, 1, got.cuts, "between 6 and 10 events are missing")
	require.NoError(t, r.Release())
	assert.False(t, r.Owned())
	a.register(15, 17)
	poll(t, r, got)
	assert.Equal(t, uint64(16), got.values()[len(got.events)-1])
}

// TestALargeRingIsReadInTurns: a poll reads a bounded number of events, and what is missing keeps its place.
func TestALargeRingIsReadInTurns(t *testing.T) {
	const capacity = 4 * maxRead
	a := start(t, sim.Options{Capacity: capacity})
	r, got := consume(t, a.Path()), new(collected)
	a.register(0, capacity+10) // the last 11 do not fit
	assert.Equal(t, Polled{Read: maxRead, Waiting: capacity - 1, Left: 3*maxRead - 1, Full: true}, poll(t, r, got))
	a.register(capacity+10, capacity+maxRead+20) // fills it again
	p := poll(t, r, got)
	assert.True(t, p.Full)
	assert.Zero(t, got.cuts, "neither place is reached yet")
	polls := 2
	for ; p.Left > 0 && polls < 10; polls++ {
		p = poll(t, r, got)
	}
	assert.Equal(t, 5, polls)
	a.register(0, 1)
	poll(t, r, got)
	assert.Equal(t, 2, got.cuts, "one for each")
	want := append(numbers(0, capacity-1), numbers(capacity+10, capacity+10+maxRead)...)
	assert.Equal(t, append(want, 0), got.values())
}

func TestTwoReadersOfThisKindRespectEachOther(t *testing.T) {
	a := start(t, sim.Options{})
	one, two := consume(t, a.Path()), open(t, a.Path())
	assert.ErrorContains(t, two.Claim(), "flock")
	assert.False(t, two.Owned())
	require.NoError(t, one.Release())
	require.NoError(t, two.Claim())
}

func TestCapacityOneAndTwo(t *testing.T) {
	one := start(t, sim.Options{Capacity: 1})
	r := consume(t, one.Path())
	one.register(0, 3)
	assert.Equal(t, Polled{}, poll(t, r, new(collected)), "a ring of one holds nothing")
	two := start(t, sim.Options{Capacity: 2})
	r, got := consume(t, two.Path()), new(collected)
	for i := range 5 {
		two.register(i, i+1)
		assert.Equal(t, Polled{Read: 1, Waiting: 1, Full: true}, poll(t, r, got))
	}
	assert.Equal(t, numbers(0, 5), got.values())
}

func TestAForeignReaderIsSeenAndLeftAlone(t *testing.T) {
	a := start(t, sim.Options{Capacity: 16})
	r, got := consume(t, a.Path()), new(collected)
	a.register(0, 4)
	poll(t, r, got)
	a.register(4, 10)
	assert.Equal(t, uint64(3), a.Consume(3))
	p := poll(t, r, got)
	assert.True(t, p.Moved)
	assert.Equal(t, numbers(0, 10), got.values(), "what another took is still there to be seen")
	require.NoError(t, r.Release())
	a.register(10, 12)
	before := content(t, a.Path())
	assert.False(t, poll(t, r, got).Moved)
	assert.Equal(t, before, content(t, a.Path()))
	assert.Equal(t, numbers(0, 12), got.values())
	a.SetReadPosition(1) // backwards, as two racing readers do
	assert.True(t, poll(t, r, got).Moved)
	assert.Equal(t, numbers(0, 12), got.values(), "nothing is read again")
}

func TestAnObserverBesideAConsumerReadsEveryEventOnce(t *testing.T) {
	a := start(t, sim.Options{Capacity: 16})
	r, got := open(t, a.Path()), new(collected)
	for i := 0; i < 120; i += 6 {
		a.register(i, i+6)
		poll(t, r, got)
		a.Consume(16)
	}
	assert.Equal(t, numbers(0, 120), got.values())
	assert.Zero(t, a.Counts().Lost)
}

// TestWhatAnObserverMayHaveReadTornIsDropped looks at ten events of a ring of sixteen, while the writer goes on.
func TestWhatAnObserverMayHaveReadTornIsDropped(t *testing.T) {
	a := start(t, sim.Options{Capacity: 16})
	r := open(t, a.Path())
	r.foreign = true
	const at, n, write = 2, 10, 12
	for written, want := range []uint64{0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10} {
		// Six slots are free. The writer is in the one after what it has written.
		position := uint64(write+written) % 16
		raw := content(t, a.Path())
		raw[0] = byte(position)
		require.NoError(t, os.WriteFile(a.Path(), raw, 0o644))
		assert.Equal(t, want, r.overtaken(at, n, write), "%d written", written)
	}
	r.foreign = false
	assert.Zero(t, r.overtaken(at, n, write), "without a consumer nothing is written over")
}

func TestARestartInPlaceBeginsAnew(t *testing.T) {
	for name, own := range map[string]bool{"consumer": true, "observer": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a := start(t, sim.Options{Dir: dir, Capacity: 16})
			r, got := open(t, a.Path()), new(collected)
			if own {
				require.NoError(t, r.Claim())
			}
			a.register(0, 9)
			poll(t, r, got)
			require.NoError(t, a.Kill())
			b := start(t, sim.Options{Dir: dir, Capacity: 16})
			b.register(100, 103)
			assert.Equal(t, Polled{Waiting: 3, Restarted: true}, poll(t, r, got), "so that what comes can be kept apart")
			poll(t, r, got)
			assert.Equal(t, append(numbers(0, 9), 100, 101, 102), got.values(), "what the first left behind is not read")
			assert.False(t, poll(t, r, got).Restarted)
		})
	}
}

func TestARestartWithAnotherShape(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"smaller, under the mapping": {Capacity: 4},
		"smaller by pages":           {Capacity: 8},
		"larger":                     {Capacity: 4096},
		"another layout":             {Capacity: 1024, Layout: sim.V5},
	} {
		t.Run(name, func(t *testing.T) {
			o.Dir = t.TempDir()
			a := start(t, sim.Options{Dir: o.Dir, Capacity: 1024})
			r, got := consume(t, a.Path()), new(collected)
			a.register(0, 1000)
			poll(t, r, got)
			require.NoError(t, a.Kill())
			b := start(t, o)
			b.register(1000, 1003)
			_, err := r.Poll(new(Scratch), got)
			require.ErrorIs(t, err, ErrChanged)
			require.NoError(t, r.Reattach(false))
			assert.Equal(t, o.Capacity, r.Geometry().Capacity)
			poll(t, r, got)
			assert.Equal(t, numbers(0, 1003), got.values())
			b.register(1003, 1005)
			assert.Equal(t, Polled{Read: 2, Waiting: 2}, poll(t, r, got), "it is still the consumer")
		})
	}
}

// TestAFileCutUnderTheMappingCostsNothingElse shrinks the file alone, so that the events lie on pages that are no more.
func TestAFileCutUnderTheMappingCostsNothingElse(t *testing.T) {
	a := start(t, sim.Options{Capacity: 4096})
	r := consume(t, a.Path())
	a.register(0, 3000)
	require.NoError(t, os.Truncate(a.Path(), 4096))
	_, err := r.Poll(new(Scratch), new(collected))
	require.ErrorIs(t, err, ErrChanged)
	require.NoError(t, os.Truncate(a.Path(), 0))
	_, err = r.Poll(new(Scratch), new(collected))
	require.ErrorIs(t, err, ErrChanged)
	require.ErrorIs(t, r.Reattach(false), ErrInitialising)
	_, err = r.Poll(new(Scratch), new(collected))
	require.ErrorIs(t, err, ErrChanged, "there is nothing to read until it is whole again")
	require.NoError(t, os.Truncate(a.Path(), 40+16*4096), "for the agent's end")
}

func TestPositionsOutsideOfTheRing(t *testing.T) {
	a := start(t, sim.Options{Capacity: 8})
	r, got := consume(t, a.Path()), new(collected)
	a.register(0, 3)
	a.SetReadPosition(1 << 40)
	_, err := r.Poll(new(Scratch), got)
	require.ErrorIs(t, err, ErrPosition)
	assert.ErrorContains(t, err, "1099511627776")
	a.SetReadPosition(0)
	poll(t, r, got)
	assert.Equal(t, numbers(0, 3), got.values())
}

func TestADeadAgentsEventsAreRead(t *testing.T) {
	a := start(t, sim.Options{})
	a.register(0, 5)
	require.NoError(t, a.Kill())
	r, got := consume(t, a.Path()), new(collected)
	require.NoError(t, os.Remove(a.Path()), "even without a name")
	poll(t, r, got)
	assert.Equal(t, numbers(0, 5), got.values())
}

// TestAReaderThatDiesBeforeItAdvances reads with a consumer that never gets to store the position: the next one reads it all again.
func TestAReaderThatDiesBeforeItAdvances(t *testing.T) {
	a := start(t, sim.Options{})
	r := consume(t, a.Path())
	a.register(0, 5)
	assert.Panics(t, func() { _, _ = r.Poll(new(Scratch), dying{}) })
	require.NoError(t, r.Release())
	got := new(collected)
	poll(t, consume(t, a.Path()), got)
	assert.Equal(t, numbers(0, 5), got.values())
}

type dying struct{}

func (dying) Take([]Event) { panic("died") }

func (dying) Cut() {}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ring"), exampleRing(t), 0o644))
	require.NoError(t, os.Symlink("ring", filepath.Join(dir, "link")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dir"), 0o755))
	for _, name := range []string{"link", "pipe", "dir", "none"} {
		_, err := Open(filepath.Join(dir, name), false)
		assert.Error(t, err, name)
	}
}
