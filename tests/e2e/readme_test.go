package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every command of the README is executed, here or, for the test command itself, by whoever runs this test.
func TestReadmeCommandsWork(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
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
		t.Run(command, func(t *testing.T) { execute(t, command) })
	}
}

func execute(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "DEMO_SECONDS=12", "RUN_SECONDS=12")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	switch command {
	case "make demo", "make demo SCENARIO=kv-thrash":
		assert.Contains(t, string(out), "http://localhost:8899")
		assert.Regexp(t, `\d\d:\d\d:\d\d  \S+`, string(out), "a verdict line")
	case "make run":
		assert.Contains(t, string(out), "http://localhost:8899")
	}
}
