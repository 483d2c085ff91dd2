//go:build cgo && linux

package nvmlreceiver

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"google.golang.org/grpc"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/hostproc/podresources"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// fakeProc is a /proc of these processes; the value is the cgroup.
func fakeProc(t *testing.T, processes map[int]string) string {
	root := t.TempDir()
	for pid, cgroup := range processes {
		dir := filepath.Join(root, strconv.Itoa(pid))
		require.NoError(t, os.Mkdir(dir, 0o700))
		stat := strconv.Itoa(pid) + " (VLLM::EngineCor) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 100 200\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cgroup"), []byte(cgroup), 0o600))
	}
	return root
}

func TestProcessesOfAGPU(t *testing.T) {
	const (
		container = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		pod       = "2c48913c-b29f-11e7-9350-020968147796"
	)
	b := newBench(t, template(t, "h100", 1), busy())
	b.change(func(_ []load, totals []sim.Sample) {
		totals[0].Processes = []sim.Process{{PID: 4242, Memory: 16 << 30, SM: 0.75, DRAM: 0.5}, {PID: 7, Kind: sim.MPSCompute, Memory: 1 << 30}}
	})
	r := b.observe(func(c *Config) {
		c.ProcPath = fakeProc(t, map[int]string{4242: "0::/kubepods/burstable/pod" + pod + "/" + container + "\n"})
		c.Metrics = map[string]MetricConfig{signal.GPUProcessMemory: {Enabled: new(true)}, signal.GPUProcessActivity: {Enabled: new(true)}}
	})
	id := r.device(0)
	who := container + "," + pod + ",VLLM::EngineCor,4242"
	memory := series{id, signal.GPUProcessMemory, container + "," + pod + ",VLLM::EngineCor,4242"}
	r.until("memory of a process", func() bool { return r.last()[memory].IntValue() == 16<<30 })
	assert.Equal(t, int64(1<<30), r.last()[series{id, signal.GPUProcessMemory, "7"}].IntValue(), "a process that cannot be seen has its pid only")
	// Attributes are printed in the order of their keys: container.id, k8s.pod.uid, nvidia.gpu.unit, process.*.
	busyOn := func(unit string) series {
		return series{id, signal.GPUProcessActivity, strings.Replace(who, pod, pod+","+unit, 1)}
	}
	r.until("utilisation of a process", func() bool {
		_, ok := r.last()[busyOn(signal.UnitSM)]
		return ok
	})
	assert.InDelta(t, 0.75, r.last()[busyOn(signal.UnitSM)].DoubleValue(), 0.01)
	assert.InDelta(t, 0.5, r.last()[busyOn(signal.UnitDRAM)].DoubleValue(), 0.01)
}

// kubelet serves the pod-resources API.
type kubelet struct {
	api.UnimplementedPodResourcesListerServer
	devices []string
}

func (k *kubelet) List(context.Context, *api.ListPodResourcesRequest) (*api.ListPodResourcesResponse, error) {
	return &api.ListPodResourcesResponse{PodResources: []*api.PodResources{{
		Namespace: "serving", Name: "vllm-0", Containers: []*api.ContainerResources{{
			Name: "engine", Devices: []*api.ContainerDevices{{ResourceName: "nvidia.com/gpu", DeviceIds: k.devices}},
			DynamicResources: []*api.DynamicResource{{
				ClaimNamespace: "serving", ClaimName: "second", ClaimResources: []*api.ClaimResource{{DriverName: "gpu.nvidia.com", DeviceName: "gpu-1"}},
			}},
		}},
	}}}, nil
}

func TestPods(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	dir, err := os.MkdirTemp("", "kubelet") // short: a socket's path has at most 107 bytes
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	socket := filepath.Join(dir, "s")
	r := b.observe(func(c *Config) { c.PodResources.Socket = socket })
	first, second := r.device(0), r.device(1)
	status, why := r.host.last()
	assert.NotEqual(t, componentstatus.StatusRecoverableError, status, "a host without Kubernetes is in order: %s", why)

	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := grpc.NewServer()
	api.RegisterPodResourcesListerServer(server, &kubelet{devices: []string{first}})
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })
	r.until("allocations", func() bool {
		_, plugin := r.last()[series{first, signal.GPUAllocation, "engine,serving,vllm-0,nvidia.com/gpu"}]
		_, claim := r.last()[series{second, signal.GPUAllocation, "engine,serving,vllm-0,claim:serving/second"}]
		return plugin && claim
	})
	server.Stop()
	require.NoError(t, os.WriteFile(socket, nil, 0o600), "a kubelet that does not answer")
	r.until("a word in the log", func() bool { return r.log.FilterMessageSnippet("A part of the picture is missing").Len() == 1 })
	said := r.log.FilterMessageSnippet("A part of the picture is missing").All()[0].ContextMap()["error"]
	assert.Contains(t, said, "let the collector's user read the socket, or set pod_resources::socket to \"\"")
	status, why = r.host.last()
	assert.NotEqual(t, componentstatus.StatusRecoverableError, status, "the GPUs are read all the same: %s", why)
	r.until("the allocations of a node without kubelet are not known", func() bool {
		_, ok := r.last()[series{first, signal.GPUAllocation, "engine,serving,vllm-0,nvidia.com/gpu"}]
		return !ok
	})
}

func TestWhichDeviceKubernetesMeans(t *testing.T) {
	whole := gpu.Identity{UUID: "GPU-1", Minor: 3, GPUInstance: -1}
	slice := gpu.Identity{UUID: "MIG-1", Minor: -1, GPUInstance: 5}
	assert.True(t, means(podresources.Device{UUID: "GPU-1", Minor: -1, GPUInstance: -1}, whole, whole))
	assert.False(t, means(podresources.Device{UUID: "GPU-1", Minor: -1, GPUInstance: -1}, slice, whole))
	assert.True(t, means(podresources.Device{UUID: "MIG-1", Minor: -1, GPUInstance: -1}, slice, whole))
	assert.True(t, means(podresources.Device{Minor: 3, GPUInstance: -1}, whole, whole))
	assert.False(t, means(podresources.Device{Minor: 3, GPUInstance: -1}, slice, whole))
	assert.True(t, means(podresources.Device{Minor: 3, GPUInstance: 5}, slice, whole))
	assert.False(t, means(podresources.Device{Minor: 2, GPUInstance: -1}, whole, whole))
	assert.False(t, means(podresources.Device{Minor: -1, GPUInstance: -1}, gpu.Identity{UUID: "GPU-2", Minor: -1, GPUInstance: -1}, whole))
}
