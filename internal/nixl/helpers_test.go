package nixl

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

// collected keeps all events that it is given.
type collected struct {
	events []Event
	cuts   int
}

func (c *collected) Take(events []Event) { c.events = append(c.events, events...) }

func (c *collected) Cut() { c.cuts++ }

func (c *collected) values() []uint64 {
	var v []uint64
	for _, e := range c.events {
		v = append(v, e.Value)
	}
	return v
}

// agent is a simulated agent whose flush is always due.
type agent struct {
	*sim.Ring
	now time.Time
}

func start(t testing.TB, o sim.Options) *agent {
	t.Helper()
	a := &agent{now: time.Unix(1_800_000_000, 0)}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Agent == "" {
		o.Agent = "a"
	}
	if o.Capacity == 0 {
		o.Capacity = 64
	}
	o.Clock, o.Pad = func() time.Time { return a.now }, sim.Garbage(7)
	if o.Staging == 0 {
		o.Staging = 1 << 20
	}
	ring, err := sim.Create(o)
	require.NoError(t, err)
	a.Ring = ring
	t.Cleanup(func() { assert.NoError(t, ring.Kill()) })
	return a
}

func (a *agent) flush() {
	a.now = a.now.Add(time.Second)
	a.Flush(a.now)
}

// register exports events that carry the numbers from..to-1.
func (a *agent) register(from, to int) {
	for i := from; i < to; i++ {
		a.Register(uint64(i))
	}
	a.flush()
}

func open(t testing.TB, path string) *Ring {
	t.Helper()
	r, err := Open(path, false)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

func consume(t testing.TB, path string) *Ring {
	t.Helper()
	r := open(t, path)
	require.NoError(t, r.Claim())
	return r
}

func poll(t testing.TB, r *Ring, to Sink) Polled {
	t.Helper()
	p, err := r.Poll(new(Scratch), to)
	require.NoError(t, err)
	return p
}

func numbers(from, to int) []uint64 {
	var n []uint64
	for i := from; i < to; i++ {
		n = append(n, uint64(i))
	}
	return n
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return raw
}

// file writes a file that nobody has mapped.
func file(t testing.TB, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.WriteFile(path, raw, 0o644))
	return path
}
