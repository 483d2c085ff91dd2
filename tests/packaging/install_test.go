//go:build linux

package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asTheService starts the collector as the unit does: its user, no capabilities, its state directory; waits for its page, and says what
// listens. $1 is the environment beside that.
const asTheService = `
probe() { perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:" . shift, Timeout => 2) or exit 1;
  print $s "GET " . shift() . " HTTP/1.0\r\nHost: localhost:8899\r\n\r\n"; local $/; print <$s>' "$1" "$2"; }
setpriv --reuid=otelcol-inference --regid=otelcol-inference --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
  env STATE_DIRECTORY=/var/lib/otelcol-inference ENVIRONMENT /usr/lib/otelcol-inference/start >/tmp/log 2>&1 &
pid=$!
i=0
until probe 8899 /healthz | grep -q '200 OK'; do
  i=$((i + 1)); [ $i -lt 600 ] && kill -0 $pid || { cat /tmp/log; exit 1; }
  sleep 0.2
done
grep '^Uid:' /proc/$pid/status; grep '^CapEff:' /proc/$pid/status
echo "exe $(readlink /proc/$pid/exe)"
awk '$4 == "0A" { print "listens " $2 }' /proc/net/tcp /proc/net/tcp6
probe 8899 /api/v1/verdict | tail -1
kill -INT $pid; wait $pid; echo "ended $?"
`

func startedWith(environment string) string {
	return strings.ReplaceAll(asTheService, "ENVIRONMENT", environment)
}

// TestInstall installs, one after another on one host, each kind of package and what the image is made of. Each leaves the host as it was.
func TestInstall(t *testing.T) {
	h := newHost(t)
	dist, later := pack(t, repository(t), "0.1.0"), pack(t, changedSources(t), "0.2.0")
	t.Run("docs", func(t *testing.T) { followDocs(t, h, dist) })
	t.Run("deb", func(t *testing.T) { installDeb(t, h, dist, later) })
	t.Run("rpm", func(t *testing.T) { installRPM(t, h, dist, later) })
	t.Run("image", func(t *testing.T) { buildImage(t, h, dist) })
}

// installDeb is a deb's whole life: installed, started, upgraded over an edited configuration, removed, purged.
func installDeb(t *testing.T, h host, dist, later string) {
	before := h.files(t)
	h.bring(t, file(dist, "0.1.0", "deb"), "old.deb")
	h.bring(t, file(later, "0.2.0", "deb"), "new.deb")

	h.must(t, "dpkg -i /tmp/old.deb")
	assert.Contains(t, h.must(t, "getent passwd otelcol-inference"), ":/var/lib/otelcol-inference:/usr/sbin/nologin")
	assert.Equal(t, "drwxr-x--- root otelcol-inference /etc/otelcol-inference\n-rw-r----- root otelcol-inference /etc/otelcol-inference/otelcol-inference.env\n"+
		"drwxr-x--- otelcol-inference otelcol-inference /var/lib/otelcol-inference\n",
		h.must(t, "stat -c '%A %U %G %n' /etc/otelcol-inference /etc/otelcol-inference/otelcol-inference.env /var/lib/otelcol-inference"))
	assert.Empty(t, h.must(t, "dpkg --verify otelcol-inference"))
	assert.Contains(t, h.must(t, "otelcol-inference --version"), "otelcol-inference version ")

	t.Run("starts", func(t *testing.T) { assertStarts(t, h.must(t, startedWith(""))) })
	t.Run("starts with a backend", func(t *testing.T) {
		assertStarts(t, h.must(t, startedWith("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318")))
		assert.Contains(t, h.must(t, "stat -c '%A %U' /var/lib/otelcol-inference/otlp"), "drwxr-x--- otelcol-inference", "what waits to be sent is kept")
	})

	h.must(t, "echo '# mine' >>/etc/otelcol-inference/config.yaml; echo OTELCOL_OPTIONS= >>/etc/otelcol-inference/otelcol-inference.env")
	h.must(t, "dpkg --force-confdef -i /tmp/new.deb </dev/null")
	assert.Equal(t, "0.2.0", h.must(t, "dpkg-query -Wf '${Version}' otelcol-inference"))
	assert.Equal(t, "# mine\n", h.must(t, "tail -n 1 /etc/otelcol-inference/config.yaml"), "what was edited stays")
	assert.Equal(t, "# of a later version\n", h.must(t, "tail -n 1 /etc/otelcol-inference/config.yaml.dpkg-dist"), "what is new lies beside it")
	assert.Equal(t, "# of a later version\n", h.must(t, "tail -n 1 /etc/otelcol-inference/remote-write.yaml"), "what was not edited is renewed")
	assertStarts(t, h.must(t, startedWith("")))

	h.must(t, "dpkg -r otelcol-inference; [ ! -e /usr/bin/otelcol-inference ]; [ -e /etc/otelcol-inference/config.yaml ]; [ -d /var/lib/otelcol-inference ]")
	h.must(t, "dpkg --purge otelcol-inference")
	assertSame(t, before, h.files(t))
	assertService(t, h, before)
}

// assertService holds what the deb's scripts ask systemd to do, which here is a script that writes it down: installed, upgraded, removed, installed
// again, removed after an administrator had disabled it, installed again, purged.
func assertService(t *testing.T, h host, before []string) {
	for _, version := range []string{"0.1.0", "0.2.0"} {
		h.bring(t, small(t, version), version+".deb")
	}
	h.must(t, `mkdir -p /run/systemd/system
cat >/usr/bin/systemctl <<'EOF'
#!/bin/sh
case $1 in is-enabled) [ ! -e /tmp/disabled ] ;; daemon-reload) ;; *) echo "$*" >>/tmp/asked ;; esac
EOF
chmod +x /usr/bin/systemctl
dpkg -i /tmp/0.1.0.deb; dpkg -i /tmp/0.2.0.deb; dpkg -r otelcol-inference; dpkg -i /tmp/0.2.0.deb
touch /tmp/disabled; dpkg -r otelcol-inference; dpkg -i /tmp/0.2.0.deb; dpkg -r otelcol-inference; dpkg --purge otelcol-inference`)
	const enable, disable, restart = "enable --now " + name, "disable --now " + name, "try-restart " + name
	assert.Equal(t, []string{enable, restart, disable, enable, disable, restart, disable},
		strings.Split(strings.TrimSpace(h.must(t, "cat /tmp/asked; rm -r /tmp/asked /tmp/disabled /run/systemd /usr/bin/systemctl")), "\n"))
	assertSame(t, before, h.files(t))
}

// followDocs executes the commands of docs/install.md, in order, as root would who has the packages in /tmp.
func followDocs(t *testing.T, h host, dist string) {
	before := h.files(t)
	h.bring(t, file(dist, "0.1.0", "deb"), filepath.Base(file(dist, "0.1.0", "deb")))
	h.bring(t, filepath.Join(dist, "checksums.txt"), "checksums.txt")
	text, err := os.ReadFile(filepath.Join(repository(t), "docs", "install.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 2)
	assert.Contains(t, h.must(t, blocks[0][1]), ": OK")
	h.must(t, blocks[1][1])
	assertSame(t, before, h.files(t))
}

// installRPM is an rpm's life, by Debian's rpm: scripts and files are the same to it; what it depends on came as debs, of which it knows
// nothing.
func installRPM(t *testing.T, h host, dist, later string) {
	before := h.files(t)
	rpm := func(words ...string) string {
		return must(t, "/", nil, append([]string{"rpm", "--root", h.root, "--dbpath", "/var/lib/rpm"}, words...)...)
	}
	rpm("--nodeps", "-i", file(dist, "0.1.0", "rpm"))
	assert.Empty(t, rpm("--nodeps", "-V", name), "all files are as they were packed")
	assertStarts(t, h.must(t, startedWith("")))

	h.must(t, "echo '# mine' >>/etc/otelcol-inference/config.yaml")
	rpm("--nodeps", "-U", file(later, "0.2.0", "rpm"))
	assert.Equal(t, name+"-0.2.0-1.x86_64", strings.TrimSpace(rpm("-q", name)))
	assert.Equal(t, "# mine\n", h.must(t, "tail -n 1 /etc/otelcol-inference/config.yaml"))
	assert.Equal(t, "# of a later version\n", h.must(t, "tail -n 1 /etc/otelcol-inference/config.yaml.rpmnew"))
	assert.Contains(t, h.must(t, "getent passwd otelcol-inference"), name, "an upgrade keeps the user")

	h.must(t, "rm /etc/otelcol-inference/config.yaml.rpmnew")
	rpm("-e", name)
	h.must(t, "[ -e /etc/otelcol-inference/config.yaml.rpmsave ]; rm -r /etc/otelcol-inference")
	assertSame(t, before, h.files(t))
}

// assertSame compares what files says before a package came and after it went.
func assertSame(t *testing.T, before, after []string) {
	t.Helper()
	had, has := map[string]bool{}, map[string]bool{}
	for _, line := range before {
		had[line] = true
	}
	for _, line := range after {
		has[line] = true
		assert.True(t, had[line], "left behind: %s", line)
	}
	for _, line := range before {
		assert.True(t, has[line], "missing: %s", line)
	}
}

// assertStarts reads what asTheService said.
func assertStarts(t *testing.T, said string) {
	t.Helper()
	assert.NotRegexp(t, `Uid:\s+0\b`, said)
	assert.Contains(t, said, "Uid:")
	assert.Regexp(t, `CapEff:\s+0000000000000000`, said)
	assert.Contains(t, said, "exe /usr/bin/otelcol-inference", "the start script gives way to the collector")
	assert.Contains(t, said, "ended 0")
	listens := 0
	for _, line := range strings.Split(said, "\n") {
		if at, ok := strings.CutPrefix(line, "listens "); ok {
			listens++
			assert.True(t, strings.HasPrefix(at, "0100007F:") || strings.HasPrefix(at, "00000000000000000000000001000000:"), "listens beyond localhost: %s", at)
		}
	}
	assert.GreaterOrEqual(t, listens, 4, "page, Prometheus, health, own metrics")
}

// buildImage makes the image by hand: each instruction of the Dockerfile is carried out in a Debian, and its entry point is run.
func buildImage(t *testing.T, h host, dist string) {
	text, err := os.ReadFile(filepath.Join(repository(t), "distributions", name, "packaging", "Dockerfile"))
	require.NoError(t, err)
	var env, entry, user []string
	for _, line := range strings.Split(string(text), "\n") {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "", "#", "WORKDIR", "ARG":
		case "FROM":
			require.Equal(t, "debian:12-slim", rest)
		case "RUN":
			if !strings.HasPrefix(rest, "apt-get update") { // the host came with these, and has no network
				h.must(t, rest)
			}
		case "COPY":
			from, to, _ := strings.Cut(rest, " ")
			matches, err := filepath.Glob(filepath.Join(dist, filepath.Base(strings.ReplaceAll(from, "${TARGETARCH}", "amd64"))))
			require.NoError(t, err)
			require.Len(t, matches, 1, "the deb that is copied: %s", from)
			h.bring(t, matches[0], filepath.Base(to))
		case "ENV":
			env = append(env, rest)
		case "USER":
			user = strings.Split(rest, ":")
		case "ENTRYPOINT":
			entry = strings.Split(strings.NewReplacer("[", "", "]", "", `"`, "", ", ", ",").Replace(rest), ",")
		default:
			t.Fatalf("the builder of this test does not know %s", instruction)
		}
	}
	require.Equal(t, []string{"10001", "10001"}, user)
	require.Equal(t, []string{"/usr/lib/otelcol-inference/start"}, entry)
	script := startedWith(strings.Join(env, " "))
	script = strings.Replace(script, "--reuid=otelcol-inference --regid=otelcol-inference", "--reuid=10001 --regid=10001", 1)
	assertStarts(t, h.must(t, script))
}
