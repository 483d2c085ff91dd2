package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// station is one gateway between a feeder and a backend.
type station struct {
	sink    *rig.Sink
	gateway *rig.Collector
	feeder  *rig.Feeder
}

// newStation starts the shipped gateway with its state in a directory, "" for one that the test has, by a program, none for the binary.
func newStation(t *testing.T, state string, program ...string) *station {
	t.Helper()
	s := &station{sink: rig.NewSink(t), gateway: rig.NewCollector(t, "gateway", "gateway.yaml")}
	g := s.gateway
	g.Program = program
	if state != "" {
		g.Env = []string{"STATE_DIRECTORY=" + state}
	}
	g.Env = append(g.Env, "GATEWAY_LISTEN="+rig.Local(rig.FreePort(t)), "BACKEND="+s.sink.URL(g.Name))
	g.Overlay = fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: "%s"}}}}
exporters: {inference_dashboard: {endpoint: "%s"}}
`, rig.Local(g.Feed), rig.Local(rig.FreePort(t)))
	g.Start(t)
	s.feeder = rig.NewFeeder("feeder", "chat", g.Feed, 50)
	return s
}

// starter is the script that starts the packaged collector.
func starter(t *testing.T) string {
	t.Helper()
	return filepath.Join(rig.Root(t), "distributions", "otelcol-inference", "packaging", "start.sh")
}

// outage is how long the backend is away: OUTAGE=10m for the whole of what is promised.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("OUTAGE")
	if text == "" {
		return 10 * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

// accepted waits until the feeder got rid of that many more points.
func (s *station) accepted(t *testing.T, more int64) {
	t.Helper()
	before, _ := s.feeder.Counts()
	rig.Eventually(t, "points are accepted", func() bool {
		now, _ := s.feeder.Counts()
		return now >= before+more
	})
}

func TestCollectorKilledUnderLoad(t *testing.T) {
	s := newStation(t, "")
	stop := s.feeder.Start(t, 5*time.Millisecond)
	for range 5 {
		s.accepted(t, 2000)
		s.gateway.Kill()
		s.gateway.Start(t)
	}
	s.accepted(t, 2000)
	stop()
	rig.Arrived(t, s.sink, s.feeder)
}

func TestBackendKilledUnderLoad(t *testing.T) {
	s := newStation(t, "")
	stop := s.feeder.Start(t, 5*time.Millisecond)
	for range 5 {
		s.accepted(t, 2000)
		s.sink.Down()
		s.accepted(t, 2000)
		s.sink.Up(t)
	}
	stop()
	rig.Arrived(t, s.sink, s.feeder)
	_, refused := s.feeder.Counts()
	assert.Zero(t, refused, "a backend that is away is no reason to refuse")
}

// The backend is away, and the collector crashes meanwhile.
func TestBackendAway(t *testing.T) {
	s := newStation(t, "")
	stop := s.feeder.Start(t, 20*time.Millisecond)
	s.accepted(t, 1000)
	s.sink.Down()
	away := outage(t)
	<-time.After(away / 2)
	s.gateway.Kill()
	s.gateway.Start(t)
	<-time.After(away / 2)
	s.accepted(t, 1000)
	stop()
	s.sink.Up(t)
	rig.Arrived(t, s.sink, s.feeder)
}

// A full disk refuses what is new, counts it, keeps what is old, and all goes on when there is room again.
func TestDiskFull(t *testing.T) {
	disk := t.TempDir()
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk).CombinedOutput()
	require.NoError(t, err, "this test mounts a small disk, for which it has to be root: %s", out)
	t.Cleanup(func() {
		out, err := exec.Command("umount", disk).CombinedOutput()
		assert.NoError(t, err, string(out))
	})
	s := newStation(t, disk, "env", "OTELCOL_RESERVE_KIB=512", "OTELCOL_BINARY="+rig.Built(t, "otelcol-inference"), starter(t))
	s.begin(t)
	require.FileExists(t, filepath.Join(disk, "reserve"))
	s.sink.Down()
	stop := s.feeder.Start(t, 2*time.Millisecond)
	rig.Eventually(t, "points are refused", func() bool { _, refused := s.feeder.Counts(); return refused > 1000 })
	enqueueFailed := regexp.MustCompile("^otelcol_exporter_enqueue_failed_metric_points")
	rig.Eventually(t, "and counted", func() bool {
		return rig.Sum(s.gateway.Page(), enqueueFailed) > 0
	})
	assert.True(t, s.gateway.Running())
	s.sink.Up(t)
	s.accepted(t, 2000)
	stop()
	rig.Arrived(t, s.sink, s.feeder)
	// And once more, with a crash while it is full: the core's queue would drop what it finds no room for at its start, which gives it the
	// reserve.
	s.sink.Down()
	stop = s.feeder.Start(t, 2*time.Millisecond)
	_, before := s.feeder.Counts()
	rig.Eventually(t, "points are refused again", func() bool { _, refused := s.feeder.Counts(); return refused > before+1000 })
	s.gateway.Kill()
	s.gateway.Start(t)
	assert.Contains(t, s.gateway.Output(), "the reserve of 512 KiB is given to the queue")
	s.sink.Up(t)
	s.accepted(t, 2000)
	stop()
	rig.Arrived(t, s.sink, s.feeder)
	assert.True(t, s.gateway.Running())
}

// A full queue on a disk that has room keeps all that it took, also over a crash.
func TestQueueFull(t *testing.T) {
	s := newStation(t, "")
	s.gateway.Stop(t)
	s.gateway.Overlay = strings.Replace(s.gateway.Overlay, "exporters: {", "exporters: {otlp_http: {sending_queue: {queue_size: 1_000_000}}, ", 1)
	s.gateway.Start(t)
	s.begin(t)
	s.sink.Down()
	stop := s.feeder.Start(t, 2*time.Millisecond)
	rig.Eventually(t, "points are refused", func() bool { _, refused := s.feeder.Counts(); return refused > 1000 })
	s.gateway.Kill()
	s.gateway.Start(t)
	_, before := s.feeder.Counts()
	rig.Eventually(t, "points are refused after the crash", func() bool { _, refused := s.feeder.Counts(); return refused > before+1000 })
	s.gateway.Kill()
	s.sink.Up(t)
	s.gateway.Start(t)
	s.accepted(t, 2000)
	stop()
	rig.Arrived(t, s.sink, s.feeder)
}

// begin sends until something is accepted.
func (s *station) begin(t *testing.T) {
	t.Helper()
	rig.Eventually(t, "the first points are accepted", s.feeder.Send)
}

// The clock of who sends jumps by hours, both ways.
func TestClockJumps(t *testing.T) {
	s := newStation(t, "")
	stop := s.feeder.Start(t, 10*time.Millisecond)
	for _, by := range []time.Duration{time.Hour, -2 * time.Hour, 24 * time.Hour, -23 * time.Hour} {
		s.accepted(t, 1000)
		s.feeder.Jump(by)
	}
	s.accepted(t, 1000)
	stop()
	rig.Arrived(t, s.sink, s.feeder)
	assert.True(t, s.gateway.Running())
}
