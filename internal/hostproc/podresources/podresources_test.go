package podresources

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	gpu0 = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
	mig0 = "MIG-5ee5f1a3-b2ad-5c3e-9f6a-bb8ebf0ae0b2"
)

// kubelet is a server of the pod-resources API.
type kubelet struct {
	api.UnimplementedPodResourcesListerServer
	pods []*api.PodResources
}

func (k *kubelet) List(context.Context, *api.ListPodResourcesRequest) (*api.ListPodResourcesResponse, error) {
	return &api.ListPodResourcesResponse{PodResources: k.pods}, nil
}

// serve runs a kubelet on a unix socket until stop or the end of the test.
func serve(t *testing.T, socket string, k api.PodResourcesListerServer) (stop func()) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := grpc.NewServer()
	api.RegisterPodResourcesListerServer(server, k)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	stop = func() { server.Stop(); <-done }
	t.Cleanup(stop)
	return stop
}

// socketPath is short: a unix socket's path has at most 107 bytes.
func socketPath(t *testing.T) string {
	dir, err := os.MkdirTemp("", "kubelet")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "s")
}

func client(t *testing.T, socket string) *Client {
	c, err := New(socket)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDevicesOfPluginsAndClaims(t *testing.T) {
	socket := socketPath(t)
	serve(t, socket, &kubelet{pods: []*api.PodResources{
		{Namespace: "serving", Name: "vllm-0", Containers: []*api.ContainerResources{{Name: "engine", Devices: []*api.ContainerDevices{
			{ResourceName: "nvidia.com/gpu", DeviceIds: []string{gpu0}},
			{ResourceName: "nvidia.com/mig-1g.10gb", DeviceIds: []string{mig0, "nonsense"}},
			{ResourceName: "rdma/hca", DeviceIds: []string{"mlx5_0"}},
		}}, {Name: "sidecar"}}},
		{Namespace: "serving", Name: "shared", Containers: []*api.ContainerResources{{Name: "a", Devices: []*api.ContainerDevices{
			{ResourceName: "nvidia.com/gpu.shared", DeviceIds: []string{gpu0 + "::3", gpu0 + "::4"}},
		}}}},
		{Namespace: "gke", Name: "p", Containers: []*api.ContainerResources{{Name: "c", Devices: []*api.ContainerDevices{
			{ResourceName: "nvidia.com/gpu", DeviceIds: []string{"nvidia2/gi3", "nvidia1"}},
		}}}},
		{Namespace: "dra", Name: "p", Containers: []*api.ContainerResources{{Name: "c", DynamicResources: []*api.DynamicResource{
			{ClaimNamespace: "dra", ClaimName: "big", ClaimResources: []*api.ClaimResource{
				{DriverName: "gpu.nvidia.com", PoolName: "node-1", DeviceName: "gpu-5"},
				{DriverName: "gpu.nvidia.com", PoolName: "node-1", DeviceName: "gpu-6-mig-1g10gb-19-0"},
				{DriverName: "gpu.nvidia.com", DeviceName: "x", CdiDevices: []*api.CDIDevice{{Name: "k8s.gpu.nvidia.com/device=" + mig0}}},
				{DriverName: "nic.example.com", DeviceName: "gpu-7"},
				{DriverName: "compute-domain.nvidia.com", DeviceName: "channel-0"},
			}},
		}}}},
	}})
	got, err := client(t, socket).List(within(t))
	require.NoError(t, err)
	byUUID := func(u string) Device { return Device{UUID: u, Minor: -1, GPUInstance: -1} }
	assert.Equal(t, []Allocation{
		{"serving", "vllm-0", "engine", "nvidia.com/gpu", byUUID(gpu0)},
		{"serving", "vllm-0", "engine", "nvidia.com/mig-1g.10gb", byUUID(mig0)},
		{"serving", "shared", "a", "nvidia.com/gpu.shared", byUUID(gpu0)},
		{"gke", "p", "c", "nvidia.com/gpu", Device{Minor: 2, GPUInstance: 3}},
		{"gke", "p", "c", "nvidia.com/gpu", Device{Minor: 1, GPUInstance: -1}},
		{"dra", "p", "c", "claim:dra/big", Device{Minor: 5, GPUInstance: -1}},
		{"dra", "p", "c", "claim:dra/big", Device{Minor: 6, GPUInstance: -1}},
		{"dra", "p", "c", "claim:dra/big", byUUID(mig0)},
	}, got)
}

func TestTheKubeletComesAndGoes(t *testing.T) {
	socket := socketPath(t)
	c := client(t, socket)
	_, err := c.List(within(t))
	assert.Equal(t, codes.Unavailable, status.Code(err), err)
	stop := serve(t, socket, &kubelet{})
	require.Eventually(t, func() bool { _, err := c.List(within(t)); return err == nil }, 10*time.Second, 20*time.Millisecond)
	stop()
	_, err = c.List(within(t))
	assert.Error(t, err)
	serve(t, socket, &kubelet{pods: []*api.PodResources{{Name: "p"}}})
	require.Eventually(t, func() bool { _, err := c.List(within(t)); return err == nil }, 10*time.Second, 20*time.Millisecond)
}

func TestAKubeletWithoutTheAPI(t *testing.T) {
	socket := socketPath(t)
	serve(t, socket, api.UnimplementedPodResourcesListerServer{})
	_, err := client(t, socket).List(within(t))
	assert.Equal(t, codes.Unimplemented, status.Code(err))
	assert.ErrorContains(t, err, "list pod resources")
}
