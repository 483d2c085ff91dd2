// Package podresources asks the kubelet which GPU it has given to which container, by its pod-resources API (v1) on a unix socket
// of the node. Devices of a device plugin and dynamic resources (DRA) are both told.
package podresources // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc/podresources"

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"
)

// DefaultSocket is where the kubelet listens.
const DefaultSocket = "/var/lib/kubelet/pod-resources/kubelet.sock"

// maxMessageBytes bounds an answer: a node of 500 pods with 100 claims each stays far below.
const maxMessageBytes = 16 << 20

// Allocation is a device that a container has.
type Allocation struct {
	Namespace, Pod, Container string
	Resource                  string // of a device plugin, such as nvidia.com/gpu; else claim:<namespace>/<name>
	Device                    Device
}

// Client speaks to a kubelet. It is safe for concurrent use.
type Client struct {
	conn *grpc.ClientConn
	api  api.PodResourcesListerClient
}

// New returns a client of the kubelet that listens on this socket. It connects when it is asked, and again when the kubelet has
// been restarted.
func New(socket string) (*Client, error) {
	conn, err := grpc.NewClient("unix://"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a unix socket: file permissions guard it
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)))
	if err != nil {
		return nil, fmt.Errorf("pod-resources socket %s: %w", socket, err)
	}
	return &Client{conn, api.NewPodResourcesListerClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// List returns what NVIDIA devices the containers of this node have. A device that several containers share is there for each.
func (c *Client) List(ctx context.Context) ([]Allocation, error) {
	answer, err := c.api.List(ctx, &api.ListPodResourcesRequest{})
	if err != nil {
		return nil, fmt.Errorf("list pod resources: %w", err)
	}
	var all []Allocation
	for _, p := range answer.GetPodResources() {
		for _, c := range p.GetContainers() {
			all = appendContainer(all, p, c)
		}
	}
	return all, nil
}

func appendContainer(all []Allocation, p *api.PodResources, c *api.ContainerResources) []Allocation {
	first := len(all)
	add := func(resource string, d Device) {
		a := Allocation{p.GetNamespace(), p.GetName(), c.GetName(), resource, d}
		for _, have := range all[first:] { // replicas of a shared device are one device
			if have == a {
				return
			}
		}
		all = append(all, a)
	}
	for _, devices := range c.GetDevices() {
		if !isNVIDIA(devices.GetResourceName()) {
			continue
		}
		for _, id := range devices.GetDeviceIds() {
			if d, ok := pluginDevice(id); ok {
				add(devices.GetResourceName(), d)
			}
		}
	}
	for _, dynamic := range c.GetDynamicResources() {
		for _, claim := range dynamic.GetClaimResources() {
			if d, ok := claimedDevice(claim); ok {
				add("claim:"+dynamic.GetClaimNamespace()+"/"+dynamic.GetClaimName(), d)
			}
		}
	}
	return all
}
