package podresources // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc/podresources"

import (
	"regexp"
	"strconv"
	"strings"

	api "k8s.io/kubelet/pkg/apis/podresources/v1"
)

// Device says which GPU or MIG device is meant, as far as its name in Kubernetes tells: by UUID, or by the minor number of the
// GPU's device file and, in GKE, the GPU instance on it.
type Device struct {
	UUID        string // "" when not known
	Minor       int    // -1 when not known
	GPUInstance int    // -1 when not known or the whole GPU is meant
}

var (
	uuid = regexp.MustCompile(`(?:GPU|MIG)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	// GKE's device plugin names nvidia0, and nvidia0/gi3 for a GPU instance.
	deviceFile = regexp.MustCompile(`^nvidia([0-9]{1,4})(?:/gi([0-9]{1,3}))?(?:/vgpu[0-9]+)?$`)
	// NVIDIA's DRA driver names gpu-<minor> and gpu-<minor>-mig-<profile>-<id>-<placement>.
	claimed = regexp.MustCompile(`^gpu-([0-9]{1,4})(?:-mig-.*)?$`)
)

// isNVIDIA tells resources such as nvidia.com/gpu, nvidia.com/gpu.shared and nvidia.com/mig-1g.10gb.
func isNVIDIA(resource string) bool { return strings.HasPrefix(resource, "nvidia.com/") }

// pluginDevice reads a device id of a device plugin: a UUID, with ::<replica> when the device is shared, or a device file.
func pluginDevice(id string) (Device, bool) {
	if found := uuid.FindString(id); found != "" {
		return Device{UUID: found, Minor: -1, GPUInstance: -1}, true
	}
	m := deviceFile.FindStringSubmatch(id)
	if m == nil {
		return Device{}, false
	}
	return Device{Minor: number(m[1]), GPUInstance: number(m[2])}, true
}

// claimedDevice reads a device of a resource claim. A MIG device is known by its GPU only: the name has the placement, which the
// pod-resources API does not translate into a UUID.
func claimedDevice(c *api.ClaimResource) (Device, bool) {
	if !strings.HasSuffix(c.GetDriverName(), "nvidia.com") {
		return Device{}, false
	}
	for _, name := range append([]string{c.GetDeviceName()}, cdiNames(c)...) {
		if found := uuid.FindString(name); found != "" {
			return Device{UUID: found, Minor: -1, GPUInstance: -1}, true
		}
	}
	if m := claimed.FindStringSubmatch(c.GetDeviceName()); m != nil {
		return Device{Minor: number(m[1]), GPUInstance: -1}, true
	}
	return Device{}, false
}

func cdiNames(c *api.ClaimResource) (names []string) {
	for _, d := range c.GetCdiDevices() {
		names = append(names, d.GetName())
	}
	return names
}

// number reads digits; -1 for none.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}
