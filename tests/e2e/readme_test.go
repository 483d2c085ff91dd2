package e2e

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// Every command of the README is executed, here or, for the test command itself, by whoever runs this test.
func TestReadmeCommandsWork(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(rig.Root(t), "README.md"))
	require.NoError(t, err)
	var commands []string
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(readme), -1) {
		for _, line := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			command, _, _ := strings.Cut(line, "#")
			if command = strings.TrimSpace(command); command != "" {
				commands = append(commands, command)
			}
		}
	}
	require.NotEmpty(t, commands)
	assert.Contains(t, commands, "make demo")
	assert.Contains(t, commands, "make test")
	for _, command := range commands {
		if command == "make test" {
			continue
		}
		t.Run(command, func(t *testing.T) {
			if command == "make top" {
				besideDemo(t, func() { execute(t, command) })
				return
			}
			execute(t, command)
		})
	}
}

// besideDemo calls look when a collector runs that has seen engines.
func besideDemo(t *testing.T, look func()) {
	t.Helper()
	demo := exec.Command("make", "demo") // it ends by itself
	demo.Dir, demo.Env = rig.Root(t), append(os.Environ(), "DEMO_SECONDS=12")
	require.NoError(t, demo.Start())
	defer func() { assert.NoError(t, demo.Wait()) }()
	require.Eventually(t, func() bool {
		ask, _ := http.NewRequest(http.MethodGet, "http://localhost:8899/api/v1/verdict", http.NoBody)
		ask.Header.Set("Accept", "text/plain")
		answer, err := http.DefaultClient.Do(ask)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		said, err := io.ReadAll(answer.Body)
		return err == nil && answer.StatusCode == http.StatusOK && !strings.Contains(string(said), "No engine")
	}, patience, 100*time.Millisecond)
	look()
}

func execute(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir = rig.Root(t)
	cmd.Env = append(os.Environ(), "DEMO_SECONDS=12", "RUN_SECONDS=12")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	switch command {
	case "make demo", "make demo SCENARIO=kv-thrash":
		assert.Contains(t, string(out), "http://localhost:8899")
		assert.Regexp(t, `\d\d:\d\d:\d\d  \S+`, string(out), "a verdict line")
	case "make run":
		assert.Contains(t, string(out), "http://localhost:8899")
	case "make top":
		assert.Regexp(t, `WORKER +ROLE`, string(out))
	}
}
