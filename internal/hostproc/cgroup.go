package hostproc // import "github.com/otelcol-inference/otelcol-inference/internal/hostproc"

import (
	"regexp"
	"strings"
)

// Workload is where a process runs.
type Workload struct {
	ContainerID string // 64 hexadecimal digits, or the form of ECS; "" outside containers
	PodUID      string // as the API server writes it; "" outside Kubernetes
}

const hex64 = `[0-9a-f]{64}`

// The last match in a path counts: a container inside a container (kind, docker in docker) is the inner one.
var (
	// docker-<id>.scope, cri-containerd-<id>.scope, crio-<id>.scope, libpod-<id>.scope, <slice>:cri-containerd:<id>, plain <id>,
	// and <32 digits>-<number> of ECS. The monitors of CRI-O and Podman (crio-conmon-, libpod-conmon-) are no containers.
	container = regexp.MustCompile(`^(?:[a-z-]+-|.*:[a-z-]+:)?(` + hex64 + `|[0-9a-f]{32}-[0-9]{8,10})(?:\.scope)?$`)
	// pod<uid> of the cgroupfs driver, kubepods-burstable-pod<uid>.slice of systemd's, which writes _ for -. The uid of a static
	// pod is a hash without dashes.
	pod = regexp.MustCompile(`(?:^|[-/])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:$|:)`)
)

// parseCgroup reads a cgroup file, of version 1 or 2: lines of hierarchy:controllers:path.
func parseCgroup(file string) (w Workload) {
	for line := range strings.Lines(file) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if found := parsePath(parts[2]); found.ContainerID != "" || w == (Workload{}) {
			w = found
		}
		if w.ContainerID != "" && w.PodUID != "" {
			return w
		}
	}
	return w
}

func parsePath(path string) (w Workload) {
	for segment := range strings.SplitSeq(path, "/") {
		if m := pod.FindStringSubmatch(segment); m != nil {
			w.PodUID = strings.ReplaceAll(m[1], "_", "-")
		}
		if m := container.FindStringSubmatch(segment); m != nil && !strings.Contains(segment, "conmon-") {
			w.ContainerID = m[1]
		}
	}
	return w
}
