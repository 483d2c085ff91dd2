package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// In a process with these variables the test's program is a fake engine.
const (
	fakePort = "E2E_FAKE_ENGINE_PORT"
	fakePath = "E2E_FAKE_ENGINE_PATH"
	fakePage = "E2E_FAKE_ENGINE_PAGE"
)

func TestMain(m *testing.M) {
	if port := os.Getenv(fakePort); port != "" {
		fmt.Fprintln(os.Stderr, serveFakeEngine(port, os.Getenv(fakePath), os.Getenv(fakePage)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serveFakeEngine serves a page whose value grows at each request, and at /asked how often anything was asked.
func serveFakeEngine(port, path, page string) error {
	var asked atomic.Int64
	began := float64(time.Now().UnixMilli()) / 1000
	return http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/asked" {
			_, _ = fmt.Fprint(w, asked.Load())
			return
		}
		n := asked.Add(1)
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = fmt.Fprintf(w, "process_start_time_seconds %f\n%s", began, strings.ReplaceAll(page, "VALUE", strconv.FormatInt(n, 10)))
	}))
}

// fakeEngine is a process whose command line is an engine's.
type fakeEngine struct {
	*rig.Process
	port int
}

func (e *fakeEngine) instance() string { return "127.0.0.1:" + strconv.Itoa(e.port) }

// asked is how often anything was asked of it, -1 while it does not answer.
func (e *fakeEngine) asked() int {
	body, ok := fetch("http://"+e.instance()+"/asked", "text/plain")
	n, err := strconv.Atoi(body)
	if !ok || err != nil {
		return -1
	}
	return n
}

// startFakeEngine runs a process with this command line, in which PORT is its port, until the test ends. port 0 is a free one.
func startFakeEngine(t *testing.T, port int, command, path, page string) *fakeEngine {
	t.Helper()
	if port == 0 {
		_, text, err := net.SplitHostPort(freeAddress(t))
		require.NoError(t, err)
		port, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	program, err := os.Executable()
	require.NoError(t, err)
	args := strings.Fields(strings.ReplaceAll(command, "PORT", strconv.Itoa(port)))
	cmd := &exec.Cmd{Path: program, Args: args, Env: append(os.Environ(),
		fakePort+"="+strconv.Itoa(port), fakePath+"="+path, fakePage+"="+page)}
	e := &fakeEngine{rig.Run(t, strings.Join(args, " "), cmd), port}
	require.Eventually(t, func() bool { return e.asked() >= 0 }, patience, 20*time.Millisecond, "%s listens", command)
	return e
}
