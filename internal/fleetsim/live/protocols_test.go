//go:build unix

package live

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/go-zeromq/zmq4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

const patience = 20 * time.Second

// spans counts the spans it is sent.
type spans struct {
	ptraceotlp.UnimplementedGRPCServer
	n atomic.Int64
}

func (s *spans) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	s.n.Add(int64(r.Traces().SpanCount()))
	return ptraceotlp.NewExportResponse(), nil
}

func collectSpans(t *testing.T) (*spans, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s, server := &spans{}, grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() { server.Stop(); <-done })
	return s, l.Addr().String()
}

// subscribe reads messages from an endpoint and hands over their payloads in order.
func subscribe(t *testing.T, endpoint string) func() []byte {
	t.Helper()
	sub := zmq4.NewSub(t.Context())
	t.Cleanup(func() { _ = sub.Close() })
	require.NoError(t, sub.SetOption(zmq4.OptionSubscribe, ""))
	require.NoError(t, sub.Dial(endpoint))
	next := uint64(0)
	return func() []byte {
		t.Helper()
		m, err := sub.Recv()
		require.NoError(t, err)
		require.Len(t, m.Frames, 3)
		assert.Equal(t, next, binary.BigEndian.Uint64(m.Frames[1]))
		next++
		return m.Frames[2]
	}
}

// Everything that the fleet says, read by others' libraries, is what the truth says.
func TestEveryProtocolTellsTheTruth(t *testing.T) {
	dir := t.TempDir()
	sink, traces := collectSpans(t)
	r, clock := startRig(t, `
pools: [{role: prefill, gpu: h100, tensor_parallel: 4}, {role: decode, gpu: h100, tensor_parallel: 4}]
workload: {custom: {requests_per_second: 3, prompt_tokens: [[0, 200], [1, 800]], output_tokens: [[0, 20], [1, 60]]}}
protocols:
  kv_events: {port: 0, replay_port: 0}
  forward_passes: {port: 0}
  nixl: {dir: `+filepath.Join(dir, "nixl")+`, capacity: 4096}
  nvml: {state: `+filepath.Join(dir, "gpus")+`}
  traces: {endpoint: "`+traces+`"}
`)
	events, passes := subscribe(t, r.Addresses().KVEvents[0]), subscribe(t, r.Addresses().ForwardPasses[1])
	require.Eventually(t, func() bool {
		return r.kv.publishers[0].Subscribers() == 1 && r.passes.publishers[1].Subscribers() == 1
	}, patience, time.Millisecond)
	t.Setenv(gpu.EnvState, filepath.Join(dir, "gpus"))
	library := nvml.New(nvml.WithLibraryPath(gputest.BuildStub(t)))
	require.Equal(t, nvml.SUCCESS, library.Init())
	defer func() { assert.Equal(t, nvml.SUCCESS, library.Shutdown()) }()

	for range 30 * 20 { // as the ticks of a real clock would
		clock.move(50 * time.Millisecond)
		r.Do(func(*fleetsim.Fleet) {})
	}
	var truth [2]fleetsim.Truth
	var gpus [2]fleetsim.GPUTruth
	r.Do(func(f *fleetsim.Fleet) {
		for i := range truth {
			truth[i], gpus[i] = f.WorkerTruth(i), f.GPU(i)
		}
	})
	require.NoError(t, r.driver.err)
	require.Positive(t, truth[1].FinishedRequests)

	stored := 0
	for range r.kv.publishers[0].Stats().Published {
		stored += storedBlocks(t, events())
	}
	// Every prompt leaves its full blocks in the prefill worker's cache, which is far from full.
	assert.InDelta(t, float64(truth[0].PrefillTokens)/16, float64(stored), float64(truth[0].Transfers.Prefills))

	steps := int64(0)
	for range r.passes.publishers[1].Stats().Published {
		if !isHeartbeat(t, passes()) {
			steps++
		}
	}
	assert.Equal(t, truth[1].Steps, steps)

	assert.InDelta(t, truth[1].Transfers.Bytes, float64(ringSum(t, filepath.Join(dir, "nixl"), 1)), 64)
	n, ret := library.DeviceGetCount()
	require.Equal(t, nvml.SUCCESS, ret)
	assert.Equal(t, 8, n)
	for w, g := range gpus {
		device, ret := library.DeviceGetHandleByIndex(4 * w)
		require.Equal(t, nvml.SUCCESS, ret)
		millijoules, ret := device.GetTotalEnergyConsumption()
		require.Equal(t, nvml.SUCCESS, ret)
		assert.InDelta(t, g.EnergyJoules, float64(millijoules)/1e3, 0.15*g.PowerLimitWatts, "to a refresh of the counter")
		name, _ := device.GetName()
		assert.Contains(t, name, "H100")
	}
	require.NoError(t, r.Close())
	assert.Equal(t, truth[1].FinishedRequests, sink.n.Load())
}

// storedBlocks counts the blocks that a batch of KV events stores.
func storedBlocks(t *testing.T, payload []byte) (n int) {
	t.Helper()
	var batch []any
	require.NoError(t, msgpack.Unmarshal(payload, &batch))
	for _, e := range batch[1].([]any) {
		if event := e.(map[string]any); event["type"] == "BlockStored" {
			n += len(event["block_hashes"].([]any))
		}
	}
	return n
}

func isHeartbeat(t *testing.T, payload []byte) bool {
	t.Helper()
	var pass struct {
		WallTime float64 `msgpack:"wall_time"`
	}
	require.NoError(t, msgpack.Unmarshal(payload, &pass))
	return pass.WallTime == 0
}

// ringSum adds up the values of one event type over the BUFFER files of a folder (layout 4).
func ringSum(t *testing.T, dir string, kind uint32) (sum uint64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 8, "one agent per rank")
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		written := binary.LittleEndian.Uint64(b)
		for i := range written {
			event := b[40+16*i:]
			if binary.LittleEndian.Uint32(event) == kind {
				sum += binary.LittleEndian.Uint64(event[8:])
			}
		}
	}
	return sum
}

// Restarts and faults of the protocols reach their readers.
func TestFaultsOfProtocolsReachTheirReaders(t *testing.T) {
	dir := t.TempDir()
	r, clock := startRig(t, `
pools: [{role: prefill, gpu: h100, tensor_parallel: 1, model: llama-3-8b}, {role: decode, gpu: h100, tensor_parallel: 1, model: llama-3-8b}]
workload: {custom: {requests_per_second: 5, prompt_tokens: [[0, 200], [1, 800]], output_tokens: [[0, 20], [1, 60]]}}
protocols:
  kv_events: {port: 0}
  forward_passes: {port: 0}
  nixl: {dir: `+filepath.Join(dir, "nixl")+`, exporter: prometheus_mp}
  nvml: {state: `+filepath.Join(dir, "gpus")+`}
`)
	t.Setenv(gpu.EnvState, filepath.Join(dir, "gpus"))
	library := nvml.New(nvml.WithLibraryPath(gputest.BuildStub(t)))
	require.Equal(t, nvml.SUCCESS, library.Init())
	defer func() { assert.Equal(t, nvml.SUCCESS, library.Shutdown()) }()
	step := func() {
		clock.move(time.Second)
		r.Do(func(*fleetsim.Fleet) {})
	}
	step()
	happen := func(f scenario.Fault) { t.Helper(); require.NoError(t, r.Happen(f)) }
	one := 1
	happen(scenario.Fault{GPU: &scenario.GPU{Device: 0, Function: "nvmlDeviceGetPowerUsage", Result: "GPU_IS_LOST"}, For: 2 * time.Second})
	device, ret := library.DeviceGetHandleByIndex(0)
	require.Equal(t, nvml.SUCCESS, ret)
	_, ret = device.GetPowerUsage()
	assert.Equal(t, nvml.ERROR_GPU_IS_LOST, ret)
	happen(scenario.Fault{EventDrop: &scenario.Count{Count: 2}})
	happen(scenario.Fault{NoReplay: &scenario.Worker{}, For: time.Second})
	happen(scenario.Fault{AgentStall: &scenario.Worker{Worker: &one}, For: time.Second})
	step()
	step()
	step()
	_, ret = device.GetPowerUsage()
	assert.Equal(t, nvml.SUCCESS, ret)
	happen(scenario.Fault{XID: &scenario.XID{Device: 0, XID: 79}})
	happen(scenario.Fault{AgentDeath: &scenario.Worker{Worker: &one}})
	happen(scenario.Fault{Restart: &scenario.Restart{Worker: &one, Downtime: time.Second}})
	step()
	step()
	step()
	require.NoError(t, r.driver.err)
	require.Error(t, r.Happen(scenario.Fault{GPU: &scenario.GPU{Device: 99}}))
	stores, err := filepath.Glob(filepath.Join(dir, "nixl", "nixl.*.mmap"))
	require.NoError(t, err)
	assert.Len(t, stores, 3, "the dead agents' store stays beside the new one")
}
