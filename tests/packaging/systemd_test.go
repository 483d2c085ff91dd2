//go:build linux && systemd

package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// boot starts a Debian's systemd as the first process of namespaces of its own, with a control group of its own, of version 2 as today's
// hosts have it. $1 is the Debian, $2 the name of the control group. It is not systemd-nspawn: under it no device rule is in force.
const boot = `set -eu
ip link set lo up
umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$2"; echo $$ >"/sys/fs/cgroup/$2/cgroup.procs"
mount --bind "$1" "$1"; cd "$1"
exec unshare --cgroup --pid --fork --kill-child --ipc --uts --mount bash -euc '
mount -t proc proc proc; mount -t sysfs sysfs sys; mount -t cgroup2 cgroup2 sys/fs/cgroup; mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev; mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts; ln -s pts/ptmx dev/ptmx; mount -t tmpfs tmpfs dev/shm; ln -s /proc/self/fd dev/fd
device() { mknod -m 666 "dev/$1" c "$2" "$3"; }
device null 1 3; device zero 1 5; device full 1 7; device random 1 8; device urandom 1 9; device tty 5 0
device nvidiactl 195 255; device nvidia-uvm 510 0; device other 239 0
pivot_root . mnt
exec chroot . env -i container=unshare PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system --unit=multi-user.target --log-target=console </dev/null'`

// forget removes a control group of processes that were killed, $0, with those in it.
const forget = `mount -t cgroup2 cgroup2 /sys/fs/cgroup
for i in $(seq 600); do grep -q 'populated 0' "/sys/fs/cgroup/$0/cgroup.events" && break; sleep 0.1; done
find "/sys/fs/cgroup/$0" -depth -type d -exec rmdir {} +`

// perlEngine answers as vLLM does; its command line is vLLM's too.
const perlEngine = `#!/usr/bin/perl
use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$ARGV[-1]", Listen => 5, ReuseAddr => 1) or die;
my ($n, $began) = (0, time);
while (my $c = $s->accept) {
  1 while (defined(my $line = <$c>) && $line =~ /\S/);
  $n++;
  my $page = "process_start_time_seconds $began\n# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{engine=\"0\",model_name=\"m\"} $n\n";
  print $c "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: ", length $page, "\r\n\r\n", $page;
  close $c;
}
`

// machine is a Debian that systemd has booted.
type machine struct {
	init int // process 1, as this host numbers it
}

func newMachine(t *testing.T) machine {
	t.Helper()
	h := newHost(t, "systemd", "systemd-sysv", "dbus", "curl", "iproute2")
	must(t, "/", nil, "cp", file(pack(t, repository(t), "0.1.0"), "0.1.0", "deb"), filepath.Join(h.root, "root", "package.deb")) // a boot empties /tmp
	require.NoError(t, os.WriteFile(filepath.Join(h.root, "usr", "local", "bin", "vllm"), []byte(perlEngine), 0o755))
	group := fmt.Sprintf("otelcol-inference-test-%d", os.Getpid())
	cmd := exec.Command("unshare", "--net", "--mount", "bash", "-c", boot, "boot", h.root, group)
	said, err := os.Create(filepath.Join(t.TempDir(), "console"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = said, said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare's child goes with it, and with process 1 all the others
		_ = cmd.Wait()
		left, err := exec.Command("unshare", "--mount", "bash", "-euc", forget, group).CombinedOutput()
		assert.NoError(t, err, "%s", left)
		_ = said.Close()
		if text, err := os.ReadFile(said.Name()); err == nil && t.Failed() {
			t.Logf("console: %s", text)
		}
	})
	var m machine
	require.Eventually(t, func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Signal(syscall.Signal(0)))
		m.init, _ = strconv.Atoi(strings.TrimSpace(string(children)))
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", m.init))
		return m.init != 0 && string(name) == "systemd\n"
	}, patience, 100*time.Millisecond)
	require.Eventually(t, func() bool {
		said, _ := m.run(t, "systemctl is-system-running --wait")
		return said == "running\n"
	}, patience, time.Second)
	return m
}

// run runs a script in the machine.
func (m machine) run(t *testing.T, script string) (said string, code int) {
	t.Helper()
	return command(t, "/", nil, "nsenter", "-t", strconv.Itoa(m.init), "-m", "-p", "-n", "-i", "-u", "-C", "env", "-i",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "bash", "-euc", script)
}

func (m machine) must(t *testing.T, script string) string {
	t.Helper()
	said, code := m.run(t, script)
	require.Zero(t, code, "%s: %s", script, said)
	return strings.TrimSpace(said)
}

// show is a property of the service.
func (m machine) show(t *testing.T, property string) string {
	t.Helper()
	return m.must(t, "systemctl show -P "+property+" "+name)
}

// answers waits until the service shows its page, and returns its process.
func (m machine) answers(t *testing.T, but string) (pid string) {
	t.Helper()
	require.Eventually(t, func() bool {
		if pid = m.show(t, "MainPID"); pid == "0" || pid == but {
			return false
		}
		_, code := m.run(t, "curl -fsS http://localhost:8899/healthz")
		return code == 0
	}, patience, 500*time.Millisecond, "the page is shown")
	return pid
}

// up waits until the collector says that it has run for so many seconds.
func (m machine) up(t *testing.T, seconds float64) {
	t.Helper()
	require.Eventually(t, func() bool {
		said, code := m.run(t, "curl -fsS http://localhost:8888/metrics | sed -n 's/^otelcol_process_uptime[^ ]* //p'")
		uptime, err := strconv.ParseFloat(strings.TrimSpace(said), 64)
		return code == 0 && err == nil && uptime > seconds
	}, patience, time.Second, "it runs")
}

// A real systemd runs the unit: the package starts it, it is reloaded, killed, stopped and removed; and what the unit forbids costs it nothing
// that it needs.
func TestSystemd(t *testing.T) {
	m := newMachine(t)
	m.must(t, "dpkg -i /root/package.deb")
	pid := m.answers(t, "")
	assert.Equal(t, "enabled", m.must(t, "systemctl is-enabled "+name))
	status := m.must(t, "cat /proc/"+pid+"/status")
	assert.NotRegexp(t, `Uid:\s+0\b`, status)
	for _, want := range []string{`CapEff:\s+0000000000000000\n`, `CapBnd:\s+0000000000000000\n`, `NoNewPrivs:\s+1\n`, `Seccomp:\s+2\n`} {
		assert.Regexp(t, want, status)
	}
	m.must(t, "useradd --system engine; systemd-run -q --uid=engine --unit=engine /usr/local/bin/vllm serve m --port 8000")
	t.Run("devices", func(t *testing.T) { assertDevices(t, m) })
	t.Run("privileges", func(t *testing.T) { assertPrivileges(t, m) })
	t.Run("life", func(t *testing.T) { assertLife(t, m) })
}

// assertDevices opens device files as the service may. No driver is behind them: "No such device or address" says that the file may be opened.
func assertDevices(t *testing.T, m machine) {
	const have, may, mayNot = "/proc/devices", "No such device or address", "Operation not permitted"
	m.must(t, `mkdir -p /etc/systemd/system/otelcol-inference.service.d
echo '[Service]' >/etc/systemd/system/otelcol-inference.service.d/probe.conf
echo "ExecStartPre=/usr/bin/perl -e 'for (@ARGV) { open(my \$f, \"+<\", \$_); print \"\$_: \$!\\n\" }' /dev/nvidiactl /dev/nvidia-uvm /dev/other" \
  >>/etc/systemd/system/otelcol-inference.service.d/probe.conf
systemctl daemon-reload`)
	try := func() string {
		pid := m.show(t, "MainPID")
		m.must(t, "systemctl restart "+name)
		m.answers(t, pid)
		return m.must(t, "journalctl -u "+name+" -o cat --no-pager _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID "+name+") | grep ^/dev/")
	}
	assert.Equal(t, "/dev/nvidiactl: "+may+"\n/dev/nvidia-uvm: "+mayNot+"\n/dev/other: "+mayNot, try(), "before the driver is loaded")
	m.must(t, `(sed '/^$/,$d' `+have+`; printf '195 nvidia\n510 nvidia-uvm\n\nBlock devices:\n') >/run/devices; mount --bind /run/devices `+have)
	assert.Equal(t, "/dev/nvidiactl: "+may+"\n/dev/nvidia-uvm: "+may+"\n/dev/other: "+mayNot, try(), "with the driver loaded")
	m.must(t, "umount "+have+"; rm -r /etc/systemd/system/otelcol-inference.service.d; systemctl daemon-reload")
}

// assertPrivileges looks for another user's engine with and without the drop-in that docs/install.md tells of.
func assertPrivileges(t *testing.T, m machine) {
	const sees = "curl -fsS http://localhost:9464/metrics | grep -c '^llm_engine_tokens_generated_total{' || true"
	pid := m.show(t, "MainPID")
	commands, err := documented("### Privileges")
	require.NoError(t, err)
	m.must(t, commands)
	pid = m.answers(t, pid)
	require.Eventually(t, func() bool { return m.must(t, sees) != "0" }, patience, time.Second, "an engine of another user is found")
	assert.Contains(t, m.must(t, "systemd-analyze security --no-pager "+name+" | tail -n 1"), ": 2.2 ")

	m.must(t, "rm -r /etc/systemd/system/otelcol-inference.service.d; systemctl daemon-reload; systemctl restart "+name)
	m.answers(t, pid)
	m.up(t, 12) // host_observer looks every 10 s
	assert.Equal(t, "0", m.must(t, sees))
	assert.Contains(t, m.must(t, "systemd-analyze security --no-pager "+name+" | tail -n 1"), ": 1.7 ")
}

// assertLife is the service's: with a queue in its state directory, reloaded, killed, stopped, removed.
func assertLife(t *testing.T, m machine) {
	pid := m.show(t, "MainPID")
	m.must(t, "echo OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 >>/etc/otelcol-inference/otelcol-inference.env; systemctl restart "+name)
	pid = m.answers(t, pid)
	m.must(t, "systemctl restart "+name+"; systemctl kill --signal=SIGHUP "+name)
	pid = m.answers(t, pid)
	assert.Equal(t, "1", m.show(t, "NRestarts"), "a reload that comes before it listens to any")
	assert.Contains(t, m.must(t, "stat -c '%A %U' /var/lib/otelcol-inference/otlp /var/lib/otelcol-inference/otlp/*"), "-rw------- otelcol-inference")

	ready := func(times string) func() bool {
		return func() bool {
			return m.must(t, "journalctl -u "+name+" -o cat --no-pager _PID="+pid+" | grep -c 'Everything is ready' || true") == times
		}
	}
	require.Eventually(t, ready("1"), patience, 500*time.Millisecond)
	m.up(t, 5) // the core says that it is ready before it listens to reloads
	m.must(t, "systemctl reload "+name)
	require.Eventually(t, ready("2"), patience, 500*time.Millisecond, "it starts anew with its configuration")
	assert.Equal(t, pid, m.answers(t, ""), "in the same process")

	m.must(t, "kill -9 "+pid)
	pid = m.answers(t, pid)
	assert.Equal(t, "2", m.show(t, "NRestarts"))

	m.must(t, "systemctl stop "+name)
	assert.Equal(t, []string{"success", "0", "inactive"}, []string{m.show(t, "Result"), m.show(t, "ExecMainStatus"), m.show(t, "ActiveState")})
	assert.Contains(t, m.must(t, "journalctl -u "+name+" -o cat --no-pager _PID="+pid), "Shutdown complete")
	m.must(t, "dpkg --purge "+name)
	_, code := m.run(t, "systemctl cat "+name)
	assert.NotZero(t, code, "the unit is gone")
}

// documented are the commands of a section of docs/install.md that need a systemd.
func documented(section string) (commands string, err error) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "install.md"))
	if err != nil {
		return "", err
	}
	_, after, ok := strings.Cut(string(text), section+"\n")
	_, block, okBlock := strings.Cut(after, "```console\n")
	block, _, _ = strings.Cut(block, "```")
	if !ok || !okBlock {
		return "", fmt.Errorf("docs/install.md: no commands under %q", section)
	}
	for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
		commands += strings.TrimPrefix(line, "$ ") + "\n"
	}
	return commands, nil
}
