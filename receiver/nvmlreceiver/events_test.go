//go:build cgo && linux

package nvmlreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/xid"
)

func TestXIDsAreLogEventsAndCounts(t *testing.T) {
	b := newBench(t, template(t, "h100", 2), busy())
	r := b.observe(nil)
	id := r.device(1)
	r.until("registration", func() bool { return b.state.Calls()["nvmlEventSetWait_v2"] >= 2 })
	require.NoError(t, b.state.EmitXID(1, 31))
	require.NoError(t, b.state.EmitXID(1, 31))
	r.until("two events", func() bool { return r.logs.LogRecordCount() == 2 })
	r.until("counts", func() bool {
		dp, ok := r.last()[series{id, signal.GPUXIDCount, "31"}]
		return ok && dp.IntValue() == 2
	})
	assert.Equal(t, healthOK, r.health(id), "a fault of a program is none of the GPU")

	rl := r.logs.AllLogs()[0].ResourceLogs().At(0)
	device, _ := rl.Resource().Attributes().Get(signal.AttrHWID)
	assert.Equal(t, id, device.Str())
	record := rl.ScopeLogs().At(0).LogRecords().At(0)
	assert.Equal(t, "nvidia.gpu.xid", record.EventName())
	assert.Equal(t, plog.SeverityNumberWarn, record.SeverityNumber())
	assert.Equal(t, "XID 31: a kernel accessed memory that is not mapped", record.Body().Str())
	assert.Equal(t, map[string]any{signal.AttrGPUXID: int64(31), signal.AttrGPUXIDClass: "application"}, record.Attributes().AsRaw())
	assert.NotZero(t, record.Timestamp())

	require.NoError(t, b.state.EmitXID(1, 48))
	r.until("degraded", func() bool { return r.health(id) == healthDegraded })
	require.NoError(t, b.state.EmitXID(1, 79))
	r.until("failed", func() bool { return r.health(id) == healthFailed })
	all := r.logs.AllLogs()
	assert.Equal(t, plog.SeverityNumberFatal, all[len(all)-1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SeverityNumber())
}

func TestHealth(t *testing.T) {
	b := newBench(t, template(t, "h100", 1), busy())
	r := b.observe(nil)
	id := r.device(0)
	require.NoError(t, b.state.SetHealth(0, sim.Health{RemapPending: true}))
	r.until("predicted", func() bool { return r.health(id) == healthPredicted })
	require.NoError(t, b.state.SetHealth(0, sim.Health{RemapFailure: true}))
	r.until("failed", func() bool { return r.health(id) == healthFailed })
	assert.Equal(t, int64(1), r.last()[series{id, signal.GPUMemoryRepair, "failed"}].IntValue())
}

func TestXIDCountsAreBounded(t *testing.T) {
	var counts xidCounts
	since := time.Unix(1000, 0)
	for code := range uint64(500) {
		counts.add(xid.Meaning{Code: code, Class: xid.Application, Severity: xid.Warning}, since, since)
	}
	assert.Len(t, counts.all(), maxXIDCodes)
	_, recent := counts.recent(since)
	assert.False(t, recent)

	counts.add(xid.Meaning{Code: 79, Class: xid.Link, Severity: xid.Fatal}, since, since)
	counts.add(xid.Meaning{Code: 63, Class: xid.Memory, Severity: xid.Warning}, since, since.Add(time.Minute))
	worst, recent := counts.recent(since.Add(2 * time.Minute))
	assert.True(t, recent)
	assert.Equal(t, xid.Fatal, worst, "a lesser event does not make a grave one better")
	_, recent = counts.recent(since.Add(degradedFor))
	assert.False(t, recent)
}

// A wait without an event stays inside the library: it beats, sees an event, and ends when it is told to.
func TestAWaitLastsUntilAnEventOrTheEnd(t *testing.T) {
	l := newLone(t, "h100", nil, nil)
	l.begin()
	events, err := l.find.lib.Events(l.worker.uuid)
	require.NoError(t, err)
	type answer struct {
		event gpu.Event
		err   error
	}
	var pulse gpu.Pulse
	answers := make(chan answer, 1)
	wait := func() {
		event, err := events.Wait(time.Millisecond, &pulse)
		answers <- answer{event, err}
	}
	go wait()
	require.Eventually(t, func() bool { return pulse.Beats.Load() >= 5 }, patience, time.Millisecond)
	assert.Empty(t, answers)
	require.NoError(t, l.state.EmitXID(0, 48))
	assert.Equal(t, answer{event: gpu.Event{XID: 48, GPUInstance: -1, ComputeInstance: -1}}, <-answers)
	go wait()
	pulse.Stop.Store(1)
	assert.Equal(t, gpu.Timeout, gpu.CodeOf((<-answers).err))
	events.Close()
	l.end()
}

// A driver that says at once that nothing came is asked once each half step, not as fast as it answers.
func TestADriverThatDoesNotWaitCostsNoCore(t *testing.T) {
	const function, step = "nvmlEventSetWait_v2", 20 * time.Millisecond
	l := newLone(t, "h100", nil, nil)
	l.begin()
	events, err := l.find.lib.Events(l.worker.uuid)
	require.NoError(t, err)
	require.NoError(t, l.state.SetFault(sim.System, function, sim.Fault{Return: sim.Timeout}))
	var pulse gpu.Pulse
	ended := make(chan error)
	began := time.Now()
	go func() {
		_, err := events.Wait(step, &pulse)
		ended <- err
	}()
	require.Eventually(t, func() bool { return pulse.Beats.Load() >= 3 }, patience, time.Millisecond)
	pulse.Stop.Store(1)
	assert.Equal(t, gpu.Timeout, gpu.CodeOf(<-ended))
	assert.LessOrEqual(t, l.state.Calls()[function], 1+uint64(time.Since(began)/(step/2)))
	events.Close()
	l.end()
}

// A wait that beats is not held up, however long it lasts.
func TestAWaitIsHeldUpWhenItBeatsNoMore(t *testing.T) {
	c := &handClock{now: time.Unix(1_700_000_000, 0)}
	w := newWatch(c)
	held := func() bool {
		_, held := w.blocked(time.Second)
		return held
	}
	w.enter(gpu.EventWait)
	for range 3 {
		c.advance(time.Minute)
		w.pulse.Beats.Add(1)
		assert.False(t, held())
	}
	c.advance(time.Second)
	assert.False(t, held())
	c.advance(time.Millisecond)
	assert.True(t, held())
	w.pulse.Beats.Add(1)
	assert.False(t, held())
	w.leave()
	c.advance(time.Minute)
	w.pulse.Beats.Add(1)
	assert.False(t, held(), "outside")
}
