package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// TestSizing prints the tables of docs/sizing.md; SIZING is how long each row is watched. It asserts nothing: figures depend on the machine.
func TestSizing(t *testing.T) {
	text := os.Getenv("SIZING")
	if text == "" {
		t.Skip("prints figures for docs/sizing.md: make sizing")
	}
	watch, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%8s %10s %12s %10s %16s %14s", "workers", "MiB", "core", "points/s", "waits, MB/min", "bytes/point")
	for _, workers := range []int{1, 8, 64} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) { agentOf(t, workers, watch) })
	}
}

// agentOf watches a shipped agent of so many workers whose gateways are away, so that what it would send can be weighed on the disk.
func agentOf(t *testing.T, workers int, watch time.Duration) {
	simulated := rig.NewFleet(t, "aggregated-mixed", "--set", fmt.Sprintf("pools[0].workers=%d", workers), "--set", "workload.synthetic.load_per_worker=0.3")
	agent := rig.NewCollector(t, "agent", "agent.yaml")
	state := strings.TrimPrefix(agent.Env[0], "STATE_DIRECTORY=")
	agent.Env = append(agent.Env, fmt.Sprintf("GATEWAYS_PORT=%d", rig.FreePort(t)))
	agent.Overlay = fmt.Sprintf("receivers: {llm_engine: {collection_interval: 5s, endpoints: %s}}\nservice: {pipelines: {metrics: {receivers: [llm_engine, nvml, nixl]}}}\n", simulated.Entries)
	agent.Start(t)
	<-time.After(watch / 2)
	before, points, at := agent.Usage(t), accepted(agent), time.Now()
	size := queued(state)
	<-time.After(watch)
	after, seconds := agent.Usage(t), time.Since(at).Seconds()
	made, grown := accepted(agent)-points, float64(queued(state)-size)
	t.Logf("%8d %10d %12.4f %10.0f %16.2f %14.1f", workers, after.Resident>>20, (after.CPU-before.CPU).Seconds()/seconds, made/seconds,
		grown/seconds*60/1e6, grown/made)
}

// accepted are points that went into the queue, measured and derived.
func accepted(c *rig.Collector) float64 {
	return rig.Sum(c.Page(), regexp.MustCompile(`^otelcol_exporter_enqueued_metric_points|^otelcol_receiver_accepted_metric_points`))
}

// queued is the size of all files of a queue.
func queued(state string) (size int64) {
	files, _ := filepath.Glob(filepath.Join(state, "agent", "*"))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
		}
	}
	return size
}
