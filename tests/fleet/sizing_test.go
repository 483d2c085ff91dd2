package fleet

import (
	"fmt"
	"os"
	"regexp"
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

// agentOf watches a shipped agent of so many workers whose gateways are away, so that what it would send can be weighed in its queue. What runs
// on this machine beside them is not looked for.
func agentOf(t *testing.T, workers int, watch time.Duration) {
	simulated := rig.NewFleet(t, "aggregated-mixed", "--set", fmt.Sprintf("pools[0].workers=%d", workers), "--set", "workload.synthetic.load_per_worker=0.3")
	agent := rig.NewCollector(t, "agent", "agent.yaml")
	agent.Env = append(agent.Env, fmt.Sprintf("GATEWAYS_PORT=%d", rig.FreePort(t)))
	agent.Overlay = fmt.Sprintf("receivers: {llm_engine: {collection_interval: 5s, endpoints: %s}}\nservice: {extensions: [health_check, process_memory, file_storage], "+
		"pipelines: {metrics: {receivers: [llm_engine]}}}\n", simulated.Entries)
	agent.Start(t)
	<-time.After(watch / 2)
	before, points, at := agent.Usage(t), accepted(agent), time.Now()
	size := queued(agent)
	<-time.After(watch)
	after, seconds := agent.Usage(t), time.Since(at).Seconds()
	made, grown := accepted(agent)-points, queued(agent)-size
	t.Logf("%8d %10d %12.4f %10.0f %16.2f %14.1f", workers, after.Resident>>20, (after.CPU-before.CPU).Seconds()/seconds, made/seconds,
		grown/seconds*60/1e6, grown/made)
}

// accepted are points that were scraped. What is derived of them waits in the queue, too.
func accepted(c *rig.Collector) float64 {
	return rig.Sum(c.Page(), regexp.MustCompile(`^otelcol_receiver_accepted_metric_points`))
}

// queued is what the queue holds in bytes, which queue_size bounds. The size of its file says little of that: it doubles, and from 16 MB on grows
// by as much at a time.
func queued(c *rig.Collector) float64 {
	return rig.Sum(c.Page(), regexp.MustCompile(`^otelcol_exporter_queue_size`))
}
