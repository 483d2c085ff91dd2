//go:build !(linux && amd64)

package rig

import (
	"os/exec"
	"testing"
	"time"
)

func (s *Skew) start(tb testing.TB, _ *exec.Cmd) { s.Set(tb, 0) }

// Set needs Linux on amd64.
func (s *Skew) Set(tb testing.TB, _ time.Duration) {
	tb.Helper()
	tb.Skip("the clock of one program is set on Linux on amd64 only")
}
