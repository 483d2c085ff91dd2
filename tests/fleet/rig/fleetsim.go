package rig

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Fleet is a simulated fleet whose workers answer like real engines.
type Fleet struct {
	*Process
	Workers []string // host:port
	Roles   []string
	Entries string // the workers as endpoints of an llm_engine receiver, JSON
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
		if !f.Running() {
			return true
		}
		control := regexp.MustCompile(`"control":"([^"]+)"`).FindStringSubmatch(f.Output())
		if control == nil {
			return false
		}
		f.Control = control[1]
		return f.endpoints(file)
	})
	require.True(tb, f.Running(), "fleetsim ended: %s", f.Output())
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
	f.Workers, f.Roles, f.Entries = nil, nil, string(text)
	for _, e := range list {
		address := strings.TrimPrefix(e.Endpoint, "http://")
		f.Workers = append(f.Workers, address[:strings.IndexByte(address, '/')])
		f.Roles = append(f.Roles, e.Role)
	}
	return true
}

// Fault gives a fault, in the form of docs/fleetsim.md, until Heal.
func (f *Fleet) Fault(body string) error {
	response, err := http.Post("http://"+f.Control+"/faults", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		said, _ := io.ReadAll(response.Body)
		return fmt.Errorf("fault %s: %s %s", body, response.Status, said)
	}
	return nil
}

// Heal ends all faults.
func (f *Fleet) Heal() error {
	request, err := http.NewRequest(http.MethodDelete, "http://"+f.Control+"/faults", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
