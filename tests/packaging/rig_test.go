//go:build linux

// Package packaging really installs what is shipped: in a Debian made by mmdebstrap or debootstrap, in namespaces of its own. It runs as root.
package packaging

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	patience = 10 * time.Minute // bounds every wait
	name     = "otelcol-inference"
)

// repository is the top of the sources.
func repository(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs("../..")
	require.NoError(t, err)
	return top
}

// command runs a program to its end in a directory and returns what it said and its exit code.
func command(t *testing.T, dir string, env []string, words ...string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// must runs a program that has to succeed.
func must(t *testing.T, dir string, env []string, words ...string) string {
	t.Helper()
	said, code := command(t, dir, env, words...)
	require.Zero(t, code, "%s: %s", strings.Join(words, " "), said)
	return said
}

// pack makes the packages of a version from sources and returns where they are.
func pack(t *testing.T, sources, version string) (dist string) {
	t.Helper()
	dist = t.TempDir()
	must(t, sources, []string{"VERSION=" + version, "DIST=" + dist, "SOURCE_DATE_EPOCH=1760000000"}, "scripts/packages.sh")
	return dist
}

// small is a deb that has all but the collector: to install it takes a moment.
func small(t *testing.T, version string) (deb string) {
	t.Helper()
	deb = filepath.Join(t.TempDir(), "small.deb")
	must(t, repository(t), []string{"ARCH=amd64", "BINARY=/bin/true", "VERSION=" + version, "SOURCE_DATE_EPOCH=1760000000"}, "bin/tools/nfpm", "package",
		"--config", "distributions/"+name+"/packaging/nfpm.yaml", "--packager", "deb", "--target", deb)
	return deb
}

// file is a package of a version.
func file(dist, version, kind string) string {
	return filepath.Join(dist, name+"_"+version+"_linux_amd64."+kind)
}

// changedSources are sources whose shipped configurations have another line, as a later version has.
func changedSources(t *testing.T) string {
	t.Helper()
	top, changed := repository(t), t.TempDir()
	for _, entry := range []string{"bin", "builder-config.yaml", "LICENSE"} {
		require.NoError(t, os.Symlink(filepath.Join(top, entry), filepath.Join(changed, entry)))
	}
	must(t, top, nil, "cp", "-r", "scripts", "distributions", changed)
	for _, shipped := range []string{"config.yaml", "remote-write.yaml"} {
		f, err := os.OpenFile(filepath.Join(changed, "distributions", name, shipped), os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString("# of a later version\n")
		require.NoError(t, errors.Join(err, f.Close()))
	}
	return changed
}

// host is a Debian in a directory.
type host struct {
	root string
}

// newHost makes a Debian of the release that packages are built on, with more packages of Debian's.
func newHost(t *testing.T, more ...string) host {
	t.Helper()
	require.Zero(t, os.Getuid(), "packages are installed as root: run as root")
	base := os.Getenv("DEBIAN_ROOT") // one made before, which is copied
	h := host{root: filepath.Join(t.TempDir(), "root")}
	if base != "" {
		must(t, "/", nil, "cp", "-a", base, h.root)
	} else {
		maker := "mmdebstrap" // takes half of debootstrap's time
		if _, err := exec.LookPath(maker); err != nil {
			maker = "debootstrap"
		}
		must(t, "/", nil, maker, "--variant=minbase", "--include="+strings.Join(append(more, "ca-certificates"), ","), "bookworm", h.root)
	}
	require.NoError(t, os.Chmod(filepath.Dir(h.root), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(h.root, "etc", "hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644))
	return h
}

// run runs a shell script in the host: with its own processes, mounts and network, in which there is only loopback.
func (h host) run(t *testing.T, script string) (said string, code int) {
	t.Helper()
	const enter = `set -eu; ip link set lo up; mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/dev/shm"; exec chroot "$0" /bin/sh -euc "$1"`
	return command(t, "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"},
		"unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, h.root, script)
}

// must runs a script in the host that has to succeed.
func (h host) must(t *testing.T, script string) string {
	t.Helper()
	said, code := h.run(t, script)
	require.Zero(t, code, "%s: %s", script, said)
	return said
}

// bring copies a file into the host, as /tmp/NAME.
func (h host) bring(t *testing.T, path, as string) {
	t.Helper()
	must(t, "/", nil, "cp", path, filepath.Join(h.root, "tmp", as))
}

// files are all that a package may have left behind: every path with its owner, mode, size and content, save those that package managers
// write themselves.
func (h host) files(t *testing.T) []string {
	t.Helper()
	said := h.must(t, `find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/rpm -o -path /var/log `+
		`-o -path /var/cache -o -path /root -o -path '/etc/*-' -o -name .pwd.lock \) -prune -o ! -type d -printf '%p %u %g %m %s %l\n' | LC_ALL=C sort; `+
		`find / -xdev -type d -name '*otelcol*'; cat /etc/passwd /etc/group`)
	return strings.Split(strings.TrimSpace(said), "\n")
}
