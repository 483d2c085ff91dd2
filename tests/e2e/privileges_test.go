//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// Users who own nothing: of the engines, and of a collector without privileges.
const (
	engineUser    = 65533
	collectorUser = 65534
)

// privileged are the inputs that take privileges, and what the cure that is told must name.
func privileged() map[string]string {
	return map[string]string{
		"processes":    "CAP_SYS_PTRACE",
		"nixl.owner":   "CAP_SYS_PTRACE",
		"nixl.ring":    "CAP_DAC_OVERRIDE",
		"nixl.files":   "CAP_DAC_OVERRIDE",
		"nixl.network": "CAP_SYS_PTRACE",
	}
}

const beside = `
receivers:
  llm_engine:
    collection_interval: 500ms
    endpoints: %s
  nixl:
    collection_interval: 500ms
    rescan_interval: 1s
    sources:
      buffer: {directories: [%q], mode: consume}
      multiproc: {directories: [%q]}
processors:
  kv_fragmentation: {window: 1s}
exporters:
  file: {path: %q, flush_interval: 200ms}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [llm_engine, nixl], processors: [kv_fragmentation], exporters: [file]}
`

const handingOver = `
name: handing-over
pools:
  - {name: prefill, role: prefill, workers: 1}
  - {name: decode, role: decode, workers: 1}
workload: {synthetic: {load_per_worker: 0.3, shared_prefix_share: 0.5, shared_prefixes: 4, shared_prefix_tokens: 512}}
protocols:
  kv_events: {port: 0, replay_port: 0}
  nixl: {dir: %q, exporter: %s}
`

// A collector of one user beside engines of another: pages, events and rings are read, rings are observed though it was asked to consume
// them, and each thing that takes privileges is said to be missing, once, with its cure. As root nothing of it is missing.
func TestACollectorWithoutPrivileges(t *testing.T) {
	onlyRoot(t)
	top := visible(t)
	ringDir, storeDir := owned(t, top, "rings", engineUser), owned(t, top, "stores", engineUser)
	fleet, endpoints := fleetOf(t, top, ringDir, "buffer")
	fleetOf(t, top, storeDir, "prometheus_mp")
	program := copied(t, top, collector(t))

	watch := func(name string, user uint32) *privilegeWatch {
		dir := owned(t, top, name, int(user))
		points, config := filepath.Join(dir, "points.jsonl"), filepath.Join(dir, "config.yaml")
		require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, beside, endpoints, ringDir, storeDir, points), 0o644))
		return &privilegeWatch{process: as(t, user, dir, program, "--config", config), points: points}
	}
	t.Run("of another user", func(t *testing.T) {
		w := watch("collector", collectorUser)
		w.working(t)
		require.Eventually(t, func() bool { return len(w.read(t).missing) == len(privileged()) }, patience, 200*time.Millisecond, "%v", w.read(t).missing)
		seen := w.read(t)
		for source, cure := range privileged() {
			assert.Contains(t, seen.hints[source], cure, source)
		}
		assert.Equal(t, 2, seen.missing["processes"], "once a worker")
		for source, n := range seen.missing {
			if source != "processes" {
				assert.Equal(t, 1, n, "once: %s", source)
			}
		}
		assert.Zero(t, seen.names["llm.engine.process.info"], "nobody can say which process it is")
		assert.Zero(t, seen.names["nixl.agent.up"], "nor whether it lives")
		assert.Zero(t, w.process.Stop(t), "it ends well")
		said := w.process.Output()
		for _, sign := range []string{"panic", "goroutine 1", "\terror\t"} {
			assert.NotContains(t, said, sign)
		}
		assert.Contains(t, said, "A ring of NIXL cannot be consumed, so it is only observed")
		assert.Contains(t, said, "A file of NIXL is not read; it is left as it is")
	})
	t.Run("of root", func(t *testing.T) {
		w := watch("root", 0)
		w.working(t)
		require.Eventually(t, func() bool {
			seen := w.read(t)
			return seen.names["llm.engine.process.info"] > 0 && seen.names["nixl.agent.up"] > 0
		}, patience, 200*time.Millisecond)
		seen := w.read(t)
		assert.Empty(t, seen.missing)
		assert.Equal(t, int64(fleet.PID()), seen.pid)
		assert.Zero(t, w.process.Stop(t))
	})
}

// privilegeWatch is a collector, and what it writes.
type privilegeWatch struct {
	process *rig.Process
	points  string
}

// privilegeSeen is what was told: the last of each metric, and the inputs that are missing for want of privileges.
type privilegeSeen struct {
	names   map[string]int     // points of a metric, over all
	values  map[string]float64 // the last of a metric by resource, added up
	missing map[string]int     // by input, points of the newest batches
	hints   map[string]string
	pid     int64
}

// working waits until pages, events and rings are read.
func (w *privilegeWatch) working(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		seen := w.read(t)
		return seen.values["up"] == 2 && seen.values["llm.engine.tokens.generated"] > 0 && seen.values["llm.engine.kv_cache.events.known"] == 2 &&
			seen.values["llm.engine.kv_cache.block.stored"] > 0 && seen.values["nixl.transfer.io"] > 0 && seen.names["llm.kv_cache.tokens"] > 0
	}, patience, 200*time.Millisecond, "configured endpoints and rings are read")
}

// read reads all that was written. A line that is being written is left out.
func (w *privilegeWatch) read(t *testing.T) *privilegeSeen {
	t.Helper()
	seen := &privilegeSeen{names: map[string]int{}, values: map[string]float64{}, missing: map[string]int{}, hints: map[string]string{}}
	f, err := os.Open(w.points)
	if err != nil {
		return seen
	}
	defer f.Close()
	newest := map[string]map[string]float64{} // by metric and resource
	missing := map[string]map[string]int{}    // by resource, of its newest batch
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(lines.Bytes())
		if err != nil {
			break
		}
		for _, rm := range md.ResourceMetrics().All() {
			resource := fmt.Sprint(rm.Resource().Attributes().AsRaw())
			now := map[string]int{}
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					seen.take(m, resource, newest, now)
				}
			}
			if len(now) > 0 {
				missing[resource] = now
			}
		}
	}
	for name, of := range newest {
		for _, v := range of {
			seen.values[name] += v
		}
	}
	for _, now := range missing {
		for source, n := range now {
			seen.missing[source] += n
		}
	}
	return seen
}

func (s *privilegeSeen) take(m pmetric.Metric, resource string, newest map[string]map[string]float64, missing map[string]int) {
	var points pmetric.NumberDataPointSlice
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	default:
		return
	}
	sum := 0.0
	for _, p := range points.All() {
		s.names[m.Name()]++
		sum += p.DoubleValue() + float64(p.IntValue())
		source, _ := p.Attributes().Get("llm.source")
		_, takes := privileged()[source.Str()]
		if (takes || source.Str() == "discovery") && m.Name() == "llm.source.missing" {
			hint, _ := p.Attributes().Get("llm.source.hint")
			missing[source.Str()]++
			s.hints[source.Str()] = hint.Str()
		}
		if pid, ok := p.Attributes().Get("process.pid"); ok && m.Name() == "nixl.agent.info" {
			s.pid = pid.Int()
		}
	}
	if newest[m.Name()] == nil {
		newest[m.Name()] = map[string]float64{}
	}
	newest[m.Name()][resource] = sum
}

// onlyRoot skips a test that becomes other users, but not in CI.
func onlyRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		require.Empty(t, os.Getenv("CI"), "CI runs as root, so that this is shown there")
		t.Skip("only root can start processes of other users: run the tests with sudo -E")
	}
}

// visible is a directory of the test that every user may enter.
func visible(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	for at := top; at != os.TempDir() && at != filepath.Dir(at); at = filepath.Dir(at) {
		require.NoError(t, os.Chmod(at, 0o755))
	}
	return top
}

// owned is a directory of a user in another.
func owned(t *testing.T, top, name string, user int) string {
	t.Helper()
	dir := filepath.Join(top, name)
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.Chown(dir, user, user))
	return dir
}

// copied is a program where every user may run it.
func copied(t *testing.T, top, program string) string {
	t.Helper()
	to := filepath.Join(top, filepath.Base(program))
	if _, err := os.Stat(to); err == nil {
		return to
	}
	from, err := os.Open(program)
	require.NoError(t, err)
	defer from.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(f, from)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return to
}

// as runs a program as a user, in a directory, until the test ends.
func as(t *testing.T, user uint32, dir, program string, args ...string) *rig.Process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	return rig.Run(t, filepath.Base(cmd.Path), cmd)
}

// fleetOf runs simulated engines as their user, and returns their endpoints as the receiver's configuration has them.
func fleetOf(t *testing.T, top, dir, exporter string) (fleet *rig.Process, endpoints string) {
	t.Helper()
	file, list := filepath.Join(top, exporter+".yaml"), filepath.Join(dir, "..", exporter+"-endpoints")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, handingOver, dir, exporter), 0o644))
	require.NoError(t, os.WriteFile(list, nil, 0o644))
	require.NoError(t, os.Chown(list, engineUser, engineUser))
	fleet = as(t, engineUser, dir, copied(t, top, rig.Built(t, "fleetsim")),
		"run", file, "-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-endpoints", list)
	require.Eventually(t, func() bool { return strings.Contains(fleet.Output(), "\n") }, patience, 50*time.Millisecond)
	raw, err := os.ReadFile(list)
	require.NoError(t, err)
	var workers []any
	require.NoError(t, json.Unmarshal(raw, &workers))
	require.Len(t, workers, 2)
	return fleet, strings.TrimSpace(string(raw))
}
