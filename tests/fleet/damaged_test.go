package fleet

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// A queue whose file lost its head does not stop a packaged collector: it is put aside, and that is said.
func TestDamagedQueueIsPutAside(t *testing.T) {
	state := t.TempDir()
	s := newStation(t, state, "env", "OTELCOL_BINARY="+rig.Built(t, "otelcol-inference"), starter(t))
	s.sink.Down()
	stop := s.feeder.Start(t, 5*time.Millisecond)
	s.accepted(t, 1000)
	stop()
	s.gateway.Kill()
	queue := filepath.Join(state, "gateway", "exporter_otlp_http__metrics")
	good, err := os.ReadFile(queue)
	require.NoError(t, err)

	zeros := append(make([]byte, 2*os.Getpagesize()), good[2*os.Getpagesize():]...)
	for i, damaged := range [][]byte{zeros, good[:100]} {
		require.NoError(t, os.WriteFile(queue, damaged, 0o600))
		s.gateway.Start(t)
		aside, err := filepath.Glob(queue + ".damaged-*")
		require.NoError(t, err)
		require.Len(t, aside, 1)
		kept, err := os.ReadFile(aside[0])
		require.NoError(t, err)
		assert.Equal(t, damaged, kept, "damage %d", i)
		assert.Contains(t, s.gateway.Output(), "queue "+queue+" is damaged: it is put aside as "+aside[0])
		s.gateway.Kill()
		require.NoError(t, os.Remove(aside[0]))
	}

	// A good one is left alone, and what waits in it arrives.
	require.NoError(t, os.WriteFile(queue, good, 0o600))
	s.gateway.Start(t)
	s.sink.Up(t)
	rig.Arrived(t, s.sink, s.feeder)
	aside, err := filepath.Glob(queue + ".damaged-*")
	require.NoError(t, err)
	assert.Empty(t, aside)
}
