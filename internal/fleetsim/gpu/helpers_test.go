//go:build unix

package gpu_test

import (
	"encoding/binary"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
)

// clock is the machine's time, moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a machine with the library open on it.
type rig struct {
	*gpu.State
	nvml  nvml.Interface
	clock *clock
}

func newRig(t testing.TB, machine gpu.Machine) *rig {
	t.Helper()
	r := newMachine(t, machine)
	r.nvml = nvml.New(nvml.WithLibraryPath(gputest.BuildStub(t)))
	ok(t, r.nvml.Init())
	t.Cleanup(func() { _ = r.nvml.Shutdown() })
	return r
}

// newMachine makes a machine and points the library at it, without opening it.
func newMachine(t testing.TB, machine gpu.Machine) *rig {
	t.Helper()
	c := newClock()
	machine.Clock = c.Now
	path := filepath.Join(t.TempDir(), "state")
	state, err := gpu.Create(path, machine)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, state.Close()) })
	t.Setenv(gpu.EnvState, path)
	return &rig{State: state, clock: c}
}

func template(t testing.TB, model string, n int) gpu.Machine {
	t.Helper()
	m, err := gpu.Template(model, n)
	require.NoError(t, err)
	return m
}

func (r *rig) device(t testing.TB, index int) nvml.Device {
	t.Helper()
	d, ret := r.nvml.DeviceGetHandleByIndex(index)
	ok(t, ret)
	return d
}

func (r *rig) update(t testing.TB, device int, sample gpu.Sample) {
	t.Helper()
	require.NoError(t, r.Update(device, sample))
}

func ok(t testing.TB, ret nvml.Return) {
	t.Helper()
	require.Equal(t, nvml.SUCCESS, ret, ret.Error())
}

// got returns the value of a call that must succeed.
func got[V any](t testing.TB) func(V, nvml.Return) V {
	return func(v V, ret nvml.Return) V {
		t.Helper()
		ok(t, ret)
		return v
	}
}

// number is the unsigned integer in a field or sample.
func number(b [8]byte) uint64 { return binary.LittleEndian.Uint64(b[:]) }

// fields reads field values that must all be answered; each is an unsigned integer of the scope all links.
func (r *rig) fields(t testing.TB, d nvml.Device, ids ...uint32) []uint64 {
	t.Helper()
	const allLinks = 0xffffffff
	values := make([]nvml.FieldValue, len(ids))
	for i, id := range ids {
		values[i] = nvml.FieldValue{FieldId: id, ScopeId: allLinks}
	}
	ok(t, d.GetFieldValues(values))
	out := make([]uint64, len(ids))
	for i, v := range values {
		require.Equal(t, nvml.SUCCESS, nvml.Return(v.NvmlReturn), "field %d", v.FieldId)
		require.Contains(t, []nvml.ValueType{nvml.VALUE_TYPE_UNSIGNED_INT, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG}, nvml.ValueType(v.ValueType))
		out[i] = number(v.Value)
	}
	return out
}
