package rig

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Fleet is a simulated fleet whose workers answer like real engines.
type Fleet struct {
	*Process
	Workers []string // host:port
	Roles   []string
	Control string // host:port of its control server
}

// NewFleet runs a scenario of fleetsim on free loopback ports.
func NewFleet(tb testing.TB, scenario string, args ...string) *Fleet {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "endpoints")
	f := &Fleet{}
	command := append([]string{"run", scenario, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--endpoints", file}, args...)
	f.Process = Run(tb, "fleetsim "+scenario, exec.Command(Built(tb, "fleetsim"), command...))
	Eventually(tb, "fleetsim listens", func() bool {
		var said struct{ Control string }
		if !f.Running() || json.Unmarshal([]byte(firstLine(f.Output())), &said) != nil {
			return false
		}
		f.Control = said.Control
		return f.endpoints(file)
	})
	return f
}

func (f *Fleet) endpoints(file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	var list []struct{ Endpoint, Role string }
	if json.Unmarshal(text, &list) != nil || len(list) == 0 {
		return false
	}
	f.Workers, f.Roles = nil, nil
	for _, e := range list {
		address := strings.TrimPrefix(e.Endpoint, "http://")
		f.Workers = append(f.Workers, address[:strings.IndexByte(address, '/')])
		f.Roles = append(f.Roles, e.Role)
	}
	return true
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
