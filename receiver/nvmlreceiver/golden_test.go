//go:build cgo && linux

package nvmlreceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/hostproc/podresources"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/xid"
)

// golden compares a text with a file of testdata; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "UPDATE_GOLDEN=1 renews %s", path)
}

// machines are the kinds of GPU that answer differently.
func machines() map[string]func(*sim.Model, *lone) {
	links := func(n int) func(*sim.Model, *lone) {
		return func(m *sim.Model, l *lone) { m.Fans, l.done.NVLinks = 2, make([]sim.Traffic, n) }
	}
	return map[string]func(*sim.Model, *lone){
		"a100": func(m *sim.Model, l *lone) { links(12)(m, l); m.RetiresPages = true },
		"h100": links(18), "b200": links(18), "mig": links(18),
	}
}

// newMachine is a GPU of a kind of machines.
func newMachine(t testing.TB, kind string, change func(*Config)) *lone {
	model := strings.Replace(kind, "mig", "h100", 1)
	l := newLone(t, model, change, machines()[kind])
	if kind == "mig" {
		require.NoError(t, l.state.ConfigureMIG(0, true, sim.MIGInstance{Slices: 3, Memory: 30 << 30}, sim.MIGInstance{Slices: 4, Memory: 40 << 30}))
		l.done.MIG = make([]sim.MIGSample, 2)
	}
	return l
}

// everyValueDiffers makes the GPU show another number for everything that it can show.
func (l *lone) everyValueDiffers() {
	s := &l.done
	s.MemoryUsed, s.Power, s.Temperature, s.MemoryTemperature = 21<<30, 517, 56, 61
	s.SMClock, s.MemoryClock, s.Encoder, s.Decoder, s.FanSpeed = 1.71e9, 2.59e9, 0.11, 0.23, 0.37
	s.Processes = []sim.Process{{PID: 4242, Memory: 16 << 30, SM: 0.75, DRAM: 0.5}, {PID: 7, Kind: sim.MPSCompute, Memory: 1 << 30, SM: 0.125, DRAM: 0.0625}}
	if len(s.MIG) > 0 {
		s.Processes[1].MIG = 1
	}
	for i, reason := range []sim.ThrottleReasons{
		sim.ThrottleSWPowerCap, sim.ThrottleSyncBoost, sim.ThrottleBoardLimit, sim.ThrottleReliability, sim.ThrottleSWThermal, sim.ThrottleHWThermal,
		sim.ThrottleHWPowerBrake,
	} {
		s.ThrottleReasons = reason
		l.work(time.Duration(100+10*i) * time.Millisecond)
		l.worker.note(l.worker.sample())
	}
	h := sim.Health{
		ECC:               []sim.ECCErrors{{VolatileCorrected: 3, VolatileUncorrected: 5, AggregateCorrected: 7, AggregateUncorrected: 11}},
		RemappedCorrected: 13, RemappedUncorrected: 17, RemapPending: true, PCIeReplays: 19,
		NVLinks: []sim.NVLinkErrors{{Link: 2, Replay: 23, Recovery: 29, CRCFlit: 31, CRCData: 37}},
		Retired: []sim.RetiredPage{{Address: 1}, {Address: 2}, {Address: 3, DoubleBit: true}}, RetiredPending: true,
	}
	require.NoError(l.t, l.state.SetHealth(0, h))
	codes := xid.NewTable()
	for _, code := range []uint64{31, 31, 45} {
		l.worker.ledger.xids.add(codes.Lookup(code), l.worker.ledger.since, l.clock.Now())
	}
	l.find.manager.shop.join.allocations = []podresources.Allocation{{
		Namespace: "serving", Pod: "vllm-0", Container: "engine", Resource: "nvidia.com/gpu",
		Device: podresources.Device{UUID: l.worker.uuid, Minor: -1, GPUInstance: -1},
	}}
}

// printPoints is every point of a batch as metric{attributes} = value unit, under its resource.
func printPoints(m pmetric.Metrics) string {
	var out strings.Builder
	for _, rm := range m.ResourceMetrics().All() {
		fmt.Fprintf(&out, "resource %s\n", printAttributes(rm.Resource().Attributes()))
		single := pmetric.NewMetrics()
		rm.CopyTo(single.ResourceMetrics().AppendEmpty())
		var lines []string
		forEach(single, func(_ string, m pmetric.Metric, dp pmetric.NumberDataPoint) {
			lines = append(lines, fmt.Sprintf("  %s%s = %.7g %s\n", m.Name(), printAttributes(dp.Attributes()), value(dp), m.Unit()))
		})
		slices.Sort(lines)
		out.WriteString(strings.Join(lines, ""))
	}
	return out.String()
}

func printAttributes(a pcommon.Map) string {
	var parts []string
	for _, k := range sortedKeys(a.AsRaw()) {
		v, _ := a.Get(k)
		parts = append(parts, k+"="+v.AsString())
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Every value that comes out of each kind of GPU, under each preset and with everything on.
func TestEveryValue(t *testing.T) {
	for kind := range machines() {
		t.Run(kind, func(t *testing.T) {
			proc := fakeProc(t, map[int]string{4242: "0::/kubepods/burstable/pod2c48913c-b29f-11e7-9350-020968147796/" + strings.Repeat("0123456789abcdef", 4) + "\n"})
			var out strings.Builder
			for _, preset := range []string{"minimal", "default", "full", "everything"} {
				l := newMachine(t, kind, func(c *Config) {
					c.Preset, c.ProcPath = Preset(preset), proc
					if preset == "everything" {
						everything(c)
					}
				})
				l.begin()
				l.collect(time.Second)
				l.everyValueDiffers()
				l.work(500 * time.Millisecond)
				fmt.Fprintf(&out, "# %s\n%s", preset, printPoints(l.worker.collect()))
				l.end()
			}
			golden(t, kind+".txt", out.String())
		})
	}
}
