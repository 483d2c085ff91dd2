package nixlreceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestARestartBeginsNewStreams(t *testing.T) {
	for name, capacity := range map[string]int{"of the same size": 64, "smaller": 8, "larger": 4096} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
			w := newWriter(t, r.dir, "a", 64)
			r.run(10, 1, w)
			began := r.now
			w.transfer(true)
			r.look()
			w.transfer(true) // read, but not told before the end
			r.after(time.Second)
			w.end()
			r.stop(10)
			r.now = r.now.Add(time.Second)
			again := newWriter(t, r.dir, "a", capacity)
			r.run(11, 2, again)
			again.transfer(false)
			r.poll()
			restarted := r.now
			got := r.look()
			io := got.of(signal.NIXLTransferIO, signal.AttrNetDirection, "transmit")
			require.Len(t, io, 2, "the last of the first life, the first of the second")
			assert.Equal(t, 2.0*(1<<20), io[0].value)
			assert.Equal(t, began.UTC(), io[0].start)
			assert.Zero(t, io[1].value)
			assert.Equal(t, restarted.UTC(), io[1].start)
			assert.Equal(t, io[0].resource, io[1].resource)
			in := got.of(signal.NIXLTransferIO, signal.AttrNetDirection, "receive")
			assert.Equal(t, []float64{0, 1 << 20}, []float64{in[0].value, in[1].value})
			assert.Equal(t, 1.0, got.of(signal.NIXLAgentRestarts)[1].value)
			assert.Equal(t, int64(11), got.of(signal.NIXLAgentInfo)[1].attributes[signal.AttrProcessPID])
		})
	}
}

func TestADeadAgentIsDrainedAndThenForgotten(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.look()
	w.transfer(true)
	w.end()
	r.stop(10)
	r.after(6 * time.Second)
	got := r.told()
	assert.Equal(t, 1.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	assert.Equal(t, 0.0, got.value(t, signal.NIXLAgentUp))
	assert.Equal(t, 0.0, got.value(t, signal.NIXLAgents, signal.AttrNIXLSource, "buffer"))
	r.after(r.cfg.StaleAfter + time.Second)
	assert.Len(t, r.told().of(signal.NIXLAgentUp), 1, "the last points")
	r.after(time.Hour)
	assert.Empty(t, r.told().of(signal.NIXLAgentUp))
	assert.FileExists(t, w.path)
	assert.Empty(t, r.fleet.agents)

	again := newWriter(t, r.dir, "a", 64)
	require.NoError(t, os.Chtimes(again.path, r.now, r.now)) // what ftruncate does, later
	r.run(11, 2, again)
	again.transfer(true)
	assert.Equal(t, 1.0, r.look().value(t, signal.NIXLAgentUp), "it comes back")
}

func TestARingLeftBehindEmptyIsNoAgent(t *testing.T) {
	r := newRig(t, nil)
	newWriter(t, r.dir, "a", 64).end()
	r.after(10 * time.Second)
	assert.Empty(t, r.told().of(signal.NIXLAgentInfo))
	assert.Empty(t, r.fleet.agents)
}

func TestAnUnlinkedRingIsReadToItsEnd(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.look()
	require.NoError(t, os.Remove(w.path))
	w.transfer(true)
	r.after(time.Minute)
	assert.Equal(t, 1.0, r.told().value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	w.transfer(true)
	w.end()
	r.stop(10)
	r.after(10 * time.Second)
	last := r.told().of(signal.NIXLTransferCount, signal.AttrNetDirection, "transmit")
	require.Len(t, last, 1)
	assert.Equal(t, 2.0, last[0].value)
	assert.Empty(t, r.fleet.agents)
}

// TestTheLastEventsOfARingThatIsLeft come after the last poll, in a ring that is unlinked or replaced before the next.
func TestTheLastEventsOfARingThatIsLeft(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		r := newRig(t, nil)
		w := newWriter(t, r.dir, "a", 64)
		r.run(10, 1, w)
		r.look()
		w.transfer(true)
		require.NoError(t, os.Remove(w.path))
		w.end()
		r.stop(10)
		if replaced {
			r.run(11, 2, newWriter(t, r.dir, "a", 64))
		}
		r.now = r.now.Add(lookAgain)
		r.survey()
		got := r.told().of(signal.NIXLTransferCount, signal.AttrNetDirection, "transmit")
		require.NotEmpty(t, got)
		assert.Equal(t, 1.0, got[0].value, "replaced: %v", replaced)
	}
}

// TestTheLastPointsWaitForThePipeline: they come with each collection until one is delivered, and stay few.
func TestTheLastPointsWaitForThePipeline(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxAgents = 2; c.Sources.Buffer.Mode = ModeConsume })
	for i := range 10 {
		w := newWriter(t, r.dir, "a", 64)
		r.run(10+i, 1+i, w)
		w.transfer(true)
		r.survey()
		r.poll()
		r.collect(r.now) // refused
		w.end()
		r.stop(10 + i)
		r.now = r.now.Add(time.Second)
	}
	count := func() int {
		return len(flatten(r.collect(r.now)).of(signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	}
	assert.Equal(t, 5, count(), "twice max_agents that ended, and the last")
	assert.Equal(t, 5, count())
	r.fleet.delivered()
	assert.Equal(t, 1, count())
}

func TestAFileThatTakesTheNameOfAnother(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	w.transfer(true)
	r.look()
	require.NoError(t, os.Rename(w.path, w.path+".old"))
	require.NoError(t, os.Remove(w.path+".old"))
	again := newWriter(t, r.dir, "a", 64)
	r.run(11, 1, again)
	r.now = r.now.Add(time.Second)
	got := r.look()
	io := got.of(signal.NIXLTransferIO, signal.AttrNetDirection, "transmit")
	require.Len(t, io, 2)
	assert.Equal(t, []float64{1 << 20, 0}, []float64{io[0].value, io[1].value})
	restarts := got.of(signal.NIXLAgentRestarts)
	assert.Equal(t, 1.0, restarts[1].value)
	assert.Len(t, r.fleet.agents, 1)
}

// TestWithoutPrivilegesLifeIsUnknown: nobody's maps can be read, so that up is not told.
func TestWithoutPrivilegesLifeIsUnknown(t *testing.T) {
	r := newRig(t, nil)
	delete(r.proc, "2/stat") // a container's own /proc
	w := newWriter(t, r.dir, "a", 64)
	w.transfer(true)
	got := r.look()
	assert.Empty(t, got.of(signal.NIXLAgentUp))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	assert.Len(t, got.of(signal.SourceMissing, signal.AttrSource, "nixl.owner"), 1)
	r.after(time.Hour)
	assert.Empty(t, r.told().of(signal.NIXLTransferCount), "after a long silence it may have ended")
	w.transfer(true)
	r.after(time.Second)
	assert.Equal(t, 2.0, r.told().value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"), "but it goes on")
}

// TestARolloutHidesNoLiveAgent: there are more files of dead agents than the limit allows, from before or after ours began.
func TestARolloutHidesNoLiveAgent(t *testing.T) {
	dead := func(r *rig, n int) {
		for i := range n {
			w := newWriter(t, r.dir, fmt.Sprint("dead-", i), 8)
			w.event(4, 1)
			w.end()
		}
	}
	told := func(r *rig) int {
		return len(r.look().of(signal.NIXLAgentUp, signal.AttrNIXLAgentName, "live"))
	}
	limited := func(c *Config) { c.MaxAgents = 10 }
	r := newRig(t, limited)
	live := newWriter(t, r.dir, "live", 64)
	r.run(10, 1, live)
	require.NoError(t, os.Chtimes(live.path, r.now, r.now.Add(-100*365*24*time.Hour))) // the oldest
	dead(r, 30)
	assert.Equal(t, 1, told(r), "it has an owner")

	r = newRig(t, limited)
	dead(r, 30)
	r.after(time.Minute)
	require.Len(t, r.fleet.agents, 10)
	r.run(10, 1, newWriter(t, r.dir, "live", 64))
	assert.Equal(t, 1, told(r), "a dead one makes room")

	r = newRig(t, limited)
	delete(r.proc, "2/stat")
	dead(r, 30)
	later := newWriter(t, r.dir, "live", 64)
	require.NoError(t, os.Chtimes(later.path, r.now, time.Now().Add(time.Hour)))
	assert.Len(t, r.look().of(signal.NIXLAgentInfo, signal.AttrNIXLAgentName, "live"), 1, "without privileges the newest come first")
}

// TestADirectoryThatIsCutIsTold: with a word and a count, each once.
func TestADirectoryThatIsCutIsTold(t *testing.T) {
	r := newRig(t, nil)
	for i := range maxFiles + 5 {
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, fmt.Sprintf("%d.lock", i)), nil, 0o600))
	}
	r.survey()
	r.survey()
	assert.Equal(t, int64(5), r.counted("otelcol_receiver_nixl_files_rejected"))
	require.Len(t, r.messages(), 1)
	assert.ErrorContains(t, r.logs.All()[0].Context[0].Interface.(error), "must have at most 8192 files")
	for i := range 5 {
		require.NoError(t, os.Remove(filepath.Join(r.dir, fmt.Sprintf("%d.lock", i))))
	}
	r.survey()
	assert.Len(t, r.messages(), 2, "and its end")
}

// TestFilesLeftBehindDoNotUseUpTheLimit: without privileges nobody knows that the agents of old files have ended.
func TestFilesLeftBehindDoNotUseUpTheLimit(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxAgents = 3 })
	delete(r.proc, "2/stat")
	for i := range 10 {
		w := newWriter(t, r.dir, fmt.Sprint("agent-", i), 64)
		w.transfer(true)
		r.after(2 * r.cfg.StaleAfter)
		w.transfer(true)
		r.after(time.Second)
		got := r.told()
		assert.Len(t, got.of(signal.NIXLAgentInfo, signal.AttrNIXLAgentName, fmt.Sprint("agent-", i)), 1)
		assert.Equal(t, 2.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	}
	assert.Len(t, r.fleet.agents, 3)
}

func TestADirectoryThatCannotBeListedBringsNobodyBack(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	w.transfer(true)
	r.look()
	w.end()
	r.stop(10)
	r.after(time.Hour)
	r.told()
	require.Empty(t, r.fleet.agents)
	away := r.dir + "-away"
	require.NoError(t, os.Rename(r.dir, away))
	require.NoError(t, os.WriteFile(r.dir, nil, 0o600))
	r.survey()
	require.NoError(t, os.Remove(r.dir))
	require.NoError(t, os.Rename(away, r.dir))
	assert.Empty(t, r.look().of(signal.NIXLTransferCount), "it was told of already")
}

func TestAnAgentThatLostItsSlotBeginsAnew(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AgentName = NameDrop })
	delete(r.proc, "2/stat") // a container's own /proc: who lives is not known
	a := newWriter(t, r.dir, "a", 64)
	for range 10 {
		a.transfer(true)
	}
	r.look()
	r.after(r.cfg.StaleAfter + time.Minute)
	b := newWriter(t, r.dir, "b", 64)
	b.transfer(true)
	r.look()
	a.transfer(true)
	r.after(time.Second)
	total := 0.0
	for _, p := range r.told().of(signal.NIXLTransferCount, signal.AttrNetDirection, "transmit") {
		total += p.value
	}
	assert.Equal(t, 2.0, total, "the ten of the first slot were told there")
}
