//go:build linux && image

package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// engine is buildah and podman with a store of the test's own.
type engine struct {
	dir   string
	store []string
}

func newEngine(t *testing.T) engine {
	t.Helper()
	require.Zero(t, os.Getuid(), "the image is built and run as root: run as root")
	dir := t.TempDir()
	return engine{dir, []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}}
}

// program is a command line of buildah or podman.
func (e engine) program(name string, words ...string) []string {
	return append(append([]string{name}, e.store...), words...)
}

// build carries out the Dockerfile as `docker build` does, in a folder that has the deb. Its base is a Debian made here under the base's
// name, for machines that reach no registry; BASE_IMAGE=pull takes the registry's.
func (e engine) build(t *testing.T) {
	t.Helper()
	context := filepath.Join(e.dir, "context")
	require.NoError(t, os.MkdirAll(filepath.Join(context, "dist"), 0o755))
	deb := file(pack(t, repository(t), "0.1.0"), "0.1.0", "deb")
	must(t, "/", nil, "cp", deb, filepath.Join(context, "dist"))
	pull := "--pull"
	if os.Getenv("BASE_IMAGE") != "pull" {
		pull = "--pull-never"
		base := newHost(t)
		tar := filepath.Join(e.dir, "base.tar")
		must(t, "/", nil, "tar", "--one-file-system", "-C", base.root, "-cf", tar, ".")
		must(t, "/", nil, e.program("podman", "import", tar, "docker.io/library/debian:12-slim")...)
	}
	packaging := filepath.Join(repository(t), "distributions", name, "packaging")
	must(t, context, nil, e.program("buildah", "build", "--isolation", "chroot", "--layers=false", pull, "--format", "docker",
		"--ignorefile", filepath.Join(packaging, "Dockerfile.dockerignore"), "-f", filepath.Join(packaging, "Dockerfile"), "-t", name, ".")...)
}

// run starts the image in a network of its own, in which there is only loopback, and lets a script look at it: $PODMAN is podman with
// this store, $PID the collector. Control groups are left alone, because crun takes none of a mixed hierarchy, and limits
// are low, because podman would raise them where it may not.
func (e engine) run(t *testing.T, options, look string) string {
	t.Helper()
	podman := strings.Join(e.program("podman", "--cgroup-manager", "cgroupfs"), " ")
	script := fmt.Sprintf(`set -eu
ip link set lo up
if [ -e /sys/fs/cgroup/memory ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
PODMAN='%s'
trap '$PODMAN rm -f -t 0 one >/dev/null 2>&1 || true' EXIT
$PODMAN run -d --runtime crun --cgroups=disabled --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --name one --network host %s >/dev/null
PID=$($PODMAN inspect -f '{{.State.Pid}}' one)
%s
$PODMAN stop -t %d one >/dev/null
echo "ended $($PODMAN inspect -f '{{.State.ExitCode}}' one)"
$PODMAN logs one 2>&1`, podman, options, look, int(patience.Seconds()))
	said, code := command(t, "/", nil, "unshare", "--net", "--mount", "bash", "-c", script)
	require.Zero(t, code, said)
	return said
}

// answering waits until a page of the container is there, and gives up when the container has ended.
func answering(url string) string {
	return "for i in $(seq " + strconv.Itoa(int(patience/time.Second)) + `); do curl -fsS -o "/tmp/answer.$$" ` + url +
		` 2>/dev/null && break; [ -d /proc/$PID ] || { $PODMAN logs one; exit 1; }; sleep 1; done; head -c 4096 "/tmp/answer.$$"; rm "/tmp/answer.$$"; echo` + "\n"
}

// The Dockerfile makes an image that starts as docs/install.md says, not as root, on a root file system that it cannot write to, answers on
// loopback, and ends by itself when it is told to.
func TestImage(t *testing.T) {
	e := newEngine(t)
	e.build(t)
	config := must(t, "/", nil, e.program("podman", "inspect", name, "--format", "{{.Config.User}} {{.Config.Entrypoint}}")...)
	assert.Equal(t, "10001:10001 [/usr/lib/otelcol-inference/start]\n", config)

	const look = `grep -E '^(Uid|CapEff):' /proc/$PID/status
echo "exe $(readlink /proc/$PID/exe)"
awk '$4 == "0A" {split($2, at, ":"); print "listens " at[1] ":" at[2]}' /proc/$PID/net/tcp /proc/$PID/net/tcp6
for path in /x /etc/x /usr/bin/x /etc/otelcol-inference/config.yaml; do ! $PODMAN exec one sh -c ": >>$path" 2>/dev/null || echo "writes $path"; done
`
	t.Run("as documented", func(t *testing.T) {
		said := e.run(t, "--read-only -v otelcol-inference:/var/lib/otelcol-inference "+name,
			answering("http://localhost:8899/")+answering("http://localhost:9464/metrics")+look)
		assert.Contains(t, said, "<!doctype html>")
		assertStarts(t, said)
		assert.NotContains(t, said, "writes ")
	})
	t.Run("with a backend", func(t *testing.T) {
		said := e.run(t, "--read-only -v otelcol-inference:/var/lib/otelcol-inference -e OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 "+name,
			answering("http://localhost:8899/")+look+"$PODMAN exec one sh -c 'echo queue $(stat -c %U /var/lib/otelcol-inference/otlp/*)'\n")
		assertStarts(t, said)
		assert.Contains(t, said, "queue otelcol-inference", "what waits to be sent is kept in the volume")
	})
	// As the kubelet starts a gateway's pod: kubernetes/gateway.values.yaml's security context, its arguments, its volume.
	t.Run("as a gateway's pod", func(t *testing.T) {
		said := e.run(t, "--read-only --cap-drop all --security-opt no-new-privileges --user 10001:10001 -v state:/var/lib/otelcol-inference "+name+
			" --config=/etc/otelcol-inference/gateway.yaml --config=/etc/otelcol-inference/kubernetes-gateway.yaml",
			answering("http://localhost:13133/")+look)
		assertStarts(t, said)
	})
}
