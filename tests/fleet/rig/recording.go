package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
)

// Recording is what the shipped agent of one host sent while it had everything to tell of: a split fleet with KV events, GPUs and NIXL.
type Recording struct {
	Workers int // of the host

	began   time.Time
	length  time.Duration // whole intervals of the agent
	batches []batch
}

// batch is one request of the agent.
type batch struct {
	after time.Duration // since the recording began
	md    pmetric.Metrics
}

const (
	// recordedFleet is the fleet that the recorded agent is told.
	recordedFleet = "fleet"
	// AgentInterval is that of the shipped agent: its scrapes and its windows.
	AgentInterval = 5 * time.Second
)

// RecordAgent runs agent.yaml on a host of eight simulated workers, in real time, and remembers so many intervals of what it sends. It waits
// until the first windows of the agent are over, from when on each interval has estimates.
func RecordAgent(tb testing.TB, rounds int) *Recording {
	tb.Helper()
	dir := tb.TempDir()
	nixl, nvml := filepath.Join(dir, "nixl"), filepath.Join(dir, "nvml")
	require.NoError(tb, os.Mkdir(nixl, 0o755))
	fleet := NewFleet(tb, "pd-balanced",
		"--set", "pools[0].workers=6", "--set", "pools[0].tensor_parallel=1", "--set", "pools[0].model=llama-3-8b",
		"--set", "pools[1].workers=2", "--set", "pools[1].tensor_parallel=1", "--set", "pools[1].model=llama-3-8b",
		"--set", fmt.Sprintf("protocols={kv_events: {replay_port: 0}, nixl: {dir: %s}, nvml: {state: %s}}", nixl, nvml))
	sink := NewSink(tb)
	r := &Recording{Workers: len(fleet.Workers)}
	var mu sync.Mutex
	var begin time.Time // of what is kept; zero before
	sink.See = func(md pmetric.Metrics) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); !begin.IsZero() {
			r.batches = append(r.batches, batch{after: now.Sub(begin), md: md})
		}
	}
	agent := NewCollector(tb, "agent", "agent.yaml")
	agent.Env = append(agent.Env, "FLEET="+recordedFleet, "FLEETSIM_NVML_STATE="+nvml)
	agent.Overlay = fmt.Sprintf(`
receivers:
  llm_engine: {collection_interval: %[1]s, endpoints: %[2]s}
  nvml: {library: %[3]q}
  nixl: {sources: {buffer: {directories: [%[4]q]}}}
exporters: {otlp_http: {endpoint: %[5]q, sending_queue: {enabled: false}}}
service: {extensions: [health_check, process_memory], pipelines: {metrics: {receivers: [llm_engine, nvml, nixl], exporters: [otlp_http]}}}
`, AgentInterval, fleet.Entries, gputest.BuildStub(tb), nixl, sink.URL("agent"))
	agent.Start(tb)
	<-time.After(6 * AgentInterval)
	mu.Lock()
	begin = time.Now()
	mu.Unlock()
	r.began, r.length = begin, time.Duration(rounds)*AgentInterval
	before := agent.Usage(tb)
	<-time.After(r.length)
	after := agent.Usage(tb)
	agent.Stop(tb)
	fleet.Stop(tb)
	mu.Lock()
	defer mu.Unlock()
	r.batches = slices.DeleteFunc(r.batches, func(b batch) bool { return b.after >= r.length })
	require.NotEmpty(tb, r.batches, "the agent sent nothing: %s", agent.Output())
	seconds := r.length.Seconds()
	read, derived, size := r.sent()
	tb.Logf("the agent of %d workers: %.3f of a core, %d MiB, %d at most; it reads %.0f points/s, derives %.0f, and sends %.2f MB/min", r.Workers,
		(after.CPU-before.CPU).Seconds()/seconds, after.Resident>>20, after.Peak>>20, float64(read)/seconds, float64(derived)/seconds, float64(size)/seconds*60/1e6)
	return r
}

// sent is what was recorded: points of receivers and of processors, and bytes as they would wait in a queue.
func (r *Recording) sent() (read, derived, size int) {
	var m pmetric.ProtoMarshaler
	for _, b := range r.batches {
		size += m.MetricsSize(b.md)
		for _, rm := range b.md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				points := 0
				for _, metric := range sm.Metrics().All() {
					points += pointsOf(metric)
				}
				if strings.Contains(sm.Scope().Name(), "/processor/") {
					derived += points
				} else {
					read += points
				}
			}
		}
	}
	return read, derived, size
}
