package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Collector is the real binary with shipped configurations and an overlay of the test's addresses.
type Collector struct {
	Name    string
	Shipped []string // files of distributions/otelcol-inference, the overlays last
	Further []string // other files over them
	Overlay string   // YAML of the test: addresses, inputs
	Env     []string
	Hosts   string   // a file in the place of /etc/hosts, "" for the machine's
	Wrap    []string // a command before the binary
	Program []string // in the binary's place, nil for the binary
	Skew    *Skew    // sets the binary's clock, nil where that is the machine's
	Level   string   // of the log

	Health  int // ports on loopback
	Metrics int
	Feed    int // of the OTLP/HTTP receiver that takes numbered points, where the overlay has one

	*Process
	file string
}

// NewCollector finds free ports and a state directory, which outlives the process.
func NewCollector(tb testing.TB, name string, shipped ...string) *Collector {
	tb.Helper()
	return &Collector{
		Name: name, Shipped: shipped, Level: "warn",
		Health: FreePort(tb), Metrics: FreePort(tb), Feed: FreePort(tb),
		Env:  []string{"STATE_DIRECTORY=" + tb.TempDir()},
		file: filepath.Join(tb.TempDir(), name+".yaml"),
	}
}

// Start starts the collector, or starts it again, and waits until it says that it is healthy.
func (c *Collector) Start(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, os.WriteFile(c.file, []byte(c.Overlay), 0o600))
	args := slices.Clone(c.Program)
	if args == nil {
		args = []string{Built(tb, "otelcol-inference")}
	}
	for _, name := range c.Shipped {
		args = append(args, "--config", filepath.Join(Root(tb), "distributions", "otelcol-inference", name))
	}
	for _, file := range c.Further {
		args = append(args, "--config", file)
	}
	args = append(args, "--config", c.file, "--config", "yaml:"+c.common())
	if c.Hosts != "" {
		// A mount of its own, so that the name of the gateways can change as it does in DNS.
		args = append([]string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, c.Hosts}, args...)
	}
	args = append(c.Wrap[:len(c.Wrap):len(c.Wrap)], args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	if c.Skew == nil {
		c.Process = Run(tb, c.Name, cmd)
	} else {
		c.Process = run(tb, c.Name, cmd, func() { c.Skew.start(tb, cmd) })
	}
	Eventually(tb, c.Name+" is healthy", func() bool {
		_, err := Get("http://" + Local(c.Health))
		return err == nil || !c.Running()
	})
	require.True(tb, c.Running(), "%s ended: %s", c.Name, c.Output())
}

// common is what every collector of a test needs: ports that nobody else has.
func (c *Collector) common() string {
	return fmt.Sprintf(`
extensions: {health_check: {endpoint: "%s"}}
service:
  telemetry:
    logs: {level: %s}
    metrics:
      level: normal
      readers:
        - pull: {exporter: {prometheus: {host: 127.0.0.1, port: %d, without_type_suffix: false}}}
`, Local(c.Health), c.Level, c.Metrics)
}

// Page is what the collector tells of itself.
func (c *Collector) Page() string {
	page, _ := Get(fmt.Sprintf("http://%s/metrics", Local(c.Metrics)))
	return page
}
