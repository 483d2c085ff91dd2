// Package e2e runs the real binaries, as a user would.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// patience bounds every wait; these tests assert what happens, not how fast.
const patience = 2 * time.Minute

// collector is the path of the built binary.
func collector(t *testing.T) string { return rig.Built(t, "otelcol-inference") }

// run executes a program to its end and returns its output and exit code.
func run(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience/4)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = rig.Root(t)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// start runs a program in the repository until the test ends.
func start(t *testing.T, env []string, name string, args ...string) *rig.Process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = rig.Root(t)
	cmd.Env = append(os.Environ(), env...)
	return rig.Run(t, filepath.Base(name), cmd)
}

// freeAddress is a loopback address nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("localhost", strconv.Itoa(rig.FreePort(t)))
}

// fetch gets a page; an error is an answer not yet there.
func fetch(url, accept string) (body string, ok bool) {
	client := http.Client{Timeout: 5 * time.Second}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", false
	}
	request.Header.Set("Accept", accept)
	response, err := client.Do(request)
	if err != nil {
		return "", false
	}
	defer response.Body.Close()
	all, _ := io.ReadAll(io.LimitReader(response.Body, 1<<24))
	return string(all), response.StatusCode == http.StatusOK
}
