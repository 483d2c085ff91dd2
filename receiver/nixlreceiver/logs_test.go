package nixlreceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/ucxlog"
)

// table is what UCX prints about large reads or writes of an agent.
func table(at time.Time, pid int, agent, operation, lanes string) string {
	head := fmt.Sprintf("[%d.0] [h:%d:0] ", at.Unix(), pid)
	return head + "| " + agent + " inter-node cfg#1 |\n" + head + "| remote memory " + operation + " cuda |\n" +
		head + "| 0..inf | zero-copy | " + lanes + " |\n"
}

// logged is a rig with a log.
func logged(t *testing.T) (r *rig, path string) {
	dir := t.TempDir()
	r = newRig(t, func(c *Config) { c.EngineLogs = []string{filepath.Join(dir, "*.log")} })
	r.tail = newTail(r.cfg)
	return r, filepath.Join(dir, "e.log")
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func (all points) logged(pairs ...any) points {
	return all.of(signal.NIXLTransport, append(pairs, signal.AttrEvidence, "log")...)
}

func TestTheRoadIsReadInLogs(t *testing.T) {
	r, path := logged(t)
	r.run(10, 1, newWriter(t, r.dir, "a", 64))
	write(t, path, table(r.now, 10, "a", "read by ucp_get* into", "tcp/bond0")+
		table(r.now, 11, "nobody", "write by ucp_put* from", "rc_mlx5/mlx5_0:1/path0"))
	got := r.look()
	mine := got.logged(signal.AttrNIXLAgentName, "a")
	require.Len(t, mine, 1)
	assert.Equal(t, map[string]any{"nixl.transport": "tcp", "nixl.transport.evidence": "log", "network.io.direction": "receive"}, mine[0].attributes)
	nobody := []any{signal.AttrTransport, "rdma", signal.AttrNetDirection, "transmit"}
	assert.Len(t, got.logged(nobody...), 1)
	r.after(r.cfg.StaleAfter)
	got = r.told()
	assert.Empty(t, got.logged(nobody...), "it is old, and nobody's")
	assert.Len(t, got.logged(signal.AttrNIXLAgentName, "a"), 1, "UCX says it once, and the agent lives")
	require.NoError(t, os.Remove(path))
	assert.Empty(t, r.look().logged(), "the log is gone")
}

func TestARestartRevivesNoEngine(t *testing.T) {
	r, path := logged(t)
	r.proc["stat"] = &fstest.MapFile{Data: fmt.Appendf(nil, "btime %d\n", r.now.Unix()-10)}
	r.run(10, 500, newWriter(t, r.dir, "a", 64))
	write(t, path, table(r.now.Add(-time.Hour), 9, "dead", "read by", "tcp/eth0")+table(r.now.Add(-time.Hour), 10, "a", "read by", "tcp/eth0"))
	assert.Empty(t, r.look().logged(), "one is of an engine that is gone, one of a process before")
	write(t, path, table(r.now, 10, "a", "read by", "tcp/eth0"))
	assert.Len(t, r.look().logged(signal.AttrNIXLAgentName, "a"), 1)
	r.stop(10)
	r.after(6 * time.Second)
	assert.Empty(t, r.told().logged(), "it ended")
}

func TestProcessesAreFoundByTheirOwnNumber(t *testing.T) {
	r, path := logged(t)
	inner := func(pid, number int) {
		r.proc[fmt.Sprint(pid, "/status")] = &fstest.MapFile{Data: fmt.Appendf(nil, "NSpid:\t%d\t%d\n", pid, number)}
	}
	r.run(10, 1, newWriter(t, r.dir, "a", 64))
	r.run(7, 1, newWriter(t, r.dir, "b", 64))
	inner(10, 7)
	inner(7, 5)
	write(t, path, table(r.now, 7, "ucp_context_0", "read by", "tcp/eth0"))
	got := r.look()
	assert.Len(t, got.logged(signal.AttrNIXLAgentName, "a"), 1)
	assert.Empty(t, got.logged(signal.AttrNIXLAgentName, "b"), "7 is its number here, not in its log")
	inner(7, 7)
	got = r.look()
	assert.Empty(t, got.logged(signal.AttrNIXLAgentName, "a"), "either may have written it")
	assert.Empty(t, got.logged(signal.AttrNIXLAgentName, "b"))
}

func TestTheOldestSightingMakesRoom(t *testing.T) {
	var x sightings
	at := time.Unix(1_800_000_000, 0)
	for n := range maxSightings + 10 {
		x.add([]ucxlog.Choice{{PID: n, Time: at.Add(time.Duration(n) * time.Second)}}, at.Add(24*time.Hour))
	}
	assert.Len(t, x.last, maxSightings)
	assert.NotContains(t, x.last, sighting{pid: 9})
	assert.Contains(t, x.last, sighting{pid: 10})
	assert.Contains(t, x.last, sighting{pid: maxSightings + 9})
}

func TestAnAgentHasAChoiceForEachKindOfPeer(t *testing.T) {
	r, path := logged(t)
	r.run(10, 1, newWriter(t, r.dir, "a", 64))
	write(t, path, table(r.now, 10, "a", "read by ucp_get* into", "tcp/bond0")+table(r.now, 10, "a", "read by ucp_get* into", "cuda_ipc/cuda"))
	mine := r.look().logged(signal.AttrNIXLAgentName, "a")
	var told []any
	for _, p := range mine {
		told = append(told, p.attributes[signal.AttrTransport])
	}
	assert.ElementsMatch(t, []any{"tcp", "local"}, told, "a fallback does not vanish behind a peer of the same host")
}
