//go:build cgo && linux

package nvmlreceiver

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gonvml"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// handClock is moved by the test. Nothing waits on it.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func (c *handClock) After(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }
func (c *handClock) Ticks(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }

// desk is a reader of one simulated GPU, in lock step with it: both live on one clock that the test moves.
type desk struct {
	t       testing.TB
	clock   *handClock
	state   *sim.State
	reader  *reader
	words   *vocabulary
	done    sim.Sample
	history []sim.Sample // what the GPU had done, at each update
}

func newDesk(t testing.TB, model string, change func(*Config)) *desk {
	t.Helper()
	d := &desk{t: t, clock: &handClock{now: time.Unix(1_700_000_000, 0)}}
	machine := template(t, model, 1)
	machine.Clock = d.clock.Now
	var err error
	d.state, err = sim.Create(filepath.Join(t.TempDir(), "state"), machine)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.state.Close()) })
	t.Setenv("FLEETSIM_NVML_STATE", d.state.Path())
	d.work(time.Millisecond, load{power: 100})

	lib := gonvml.NewHost().Library(gputest.BuildStub(t))
	require.NoError(t, lib.Open(func() {}))
	t.Cleanup(func() { require.NoError(t, lib.Close()) })
	device, err := lib.ByIndex(0)
	require.NoError(t, err)
	id, err := device.Identity(func() {})
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	cfg.Preset = PresetFull
	if change != nil {
		change(cfg)
	}
	telemetry, err := metadata.NewTelemetryBuilder(componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	tell := newReporter(telemetry, zap.NewNop(), d.clock)
	d.reader = newReader(device, id, newPlan(cfg, true, false), d.clock, newGuard(d.clock), newLedger(d.clock.Now()), tell)
	d.words = &vocabulary{metrics: signal.Index(signal.GPUMetrics())}
	require.NoError(t, d.reader.open())
	t.Cleanup(d.reader.close)
	return d
}

// work lets the GPU work for a while.
func (d *desk) work(dt time.Duration, l load) {
	now := d.clock.advance(dt)
	s, seconds := &d.done, dt.Seconds()
	s.Time, s.Power, s.MemoryUsed, s.Temperature = now, l.power, 1<<30, 50
	s.Energy += l.power * seconds
	a := &s.Activity
	a.Graphics += l.activity.Graphics * seconds
	a.SM += l.activity.SM * seconds
	a.SMOccupancy += l.activity.SMOccupancy * seconds
	a.Tensor += l.activity.Tensor * seconds
	a.DRAM += l.activity.DRAM * seconds
	s.PCIe.Receive += l.pcie.Receive * seconds
	s.NVLink.Transmit += l.nvlink.Transmit * seconds
	require.NoError(d.t, d.state.Update(0, *s))
	d.history = append(d.history, *s)
}

// collect reads the GPU and returns its points.
func (d *desk) collect() map[series]pmetric.NumberDataPoint { return bySeries(d.collectPage()) }

func (d *desk) collectPage() pmetric.Metrics {
	require.NoError(d.t, d.reader.collect())
	out := pmetric.NewMetrics()
	e := emitter{reader: d.reader, page: newPage(out, d.words, d.reader.id, ""), at: d.clock.Now()}
	e.all()
	return out
}

func (d *desk) point(points map[series]pmetric.NumberDataPoint, metric, attributes string) pmetric.NumberDataPoint {
	dp, ok := points[series{d.reader.id.UUID, metric, attributes}]
	require.True(d.t, ok, "%s{%s} is missing", metric, attributes)
	return dp
}

func randomLoad(random *rand.Rand) load {
	if random.IntN(3) == 0 {
		return load{power: 90}
	}
	return load{
		power: 200 + 500*random.Float64(),
		activity: sim.Activity{
			Graphics: random.Float64(), SM: random.Float64(), SMOccupancy: random.Float64(), Tensor: random.Float64(), DRAM: random.Float64(),
		},
		pcie: sim.Traffic{Receive: 50e9 * random.Float64()}, nvlink: sim.Traffic{Transmit: 400e9 * random.Float64()},
	}
}

// The GPU renews its counters every 5 ms, and the receiver comes at any time between two renewals; the load changes all the time.
// After a minute the integrals must be within 0.5 % of the elapsed time, at any interval of samples and of collections.
func TestActivityIntegralsFollowTheTruth(t *testing.T) {
	const refresh = 5 * time.Millisecond
	for _, sampling := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 10 * time.Second} {
		for _, collection := range []time.Duration{130 * time.Millisecond, 30 * time.Second} {
			t.Run(fmt.Sprintf("sampling %s, collection %s", sampling, collection), func(t *testing.T) {
				d := newDesk(t, "h100", nil)
				random := rand.New(rand.NewPCG(1, uint64(sampling+collection)))
				begin := d.clock.Now()
				nextSample, nextCollection, worst := begin.Add(sampling), begin.Add(collection), 0.0
				var late time.Duration // after the last renewal
				for d.clock.Now().Sub(begin) < 100*time.Second {
					l := randomLoad(random)
					for range 1 + random.IntN(16) {
						d.work(refresh-late, l)
						late = time.Duration(random.Int64N(int64(refresh)))
						d.clock.advance(late)
						if now := d.clock.Now(); !now.Before(nextSample) {
							nextSample = now.Add(sampling)
							require.NoError(t, d.reader.sample(false))
						}
						if now := d.clock.Now(); !now.Before(nextCollection) {
							nextCollection = now.Add(collection)
							if points := d.collect(); now.Sub(begin) > time.Minute {
								worst = max(worst, d.worstOff(points))
							}
						}
					}
				}
				t.Logf("worst error %.2f %% of the elapsed time", 100*worst)
				assert.NotZero(t, worst)
				assert.Less(t, worst, 0.005)
			})
		}
	}
}

// worstOff is the largest error of the activity points, over the elapsed time.
func (d *desk) worstOff(points map[series]pmetric.NumberDataPoint) (worst float64) {
	for unit, of := range map[string]func(sim.Sample) float64{
		signal.UnitGraphics:  func(s sim.Sample) float64 { return s.Activity.Graphics },
		signal.UnitSM:        func(s sim.Sample) float64 { return s.Activity.SM },
		signal.UnitOccupancy: func(s sim.Sample) float64 { return s.Activity.SMOccupancy },
		signal.UnitTensor:    func(s sim.Sample) float64 { return s.Activity.Tensor },
		signal.UnitDRAM:      func(s sim.Sample) float64 { return s.Activity.DRAM },
		signal.UnitPCIeRx:    func(s sim.Sample) float64 { return s.PCIe.Receive / pcieSpeed(5, 16) },
	} {
		dp := d.point(points, signal.GPUActivityTime, unit)
		from, to := dp.StartTimestamp().AsTime(), dp.Timestamp().AsTime()
		off := (dp.DoubleValue() - (d.at(to, of) - d.at(from, of))) / to.Sub(from).Seconds()
		worst = max(worst, off, -off)
	}
	return worst
}

// A sampler that was held up for longer than a minute takes nothing for activity that it did not see.
func TestALongGapIsNoActivity(t *testing.T) {
	d := newDesk(t, "h100", nil)
	d.work(2*time.Minute, load{activity: sim.Activity{SM: 1}})
	require.NoError(t, d.reader.sample(false))
	d.work(time.Second, load{activity: sim.Activity{SM: 0.5}})
	assert.InDelta(t, 0.5, d.point(d.collect(), signal.GPUActivityTime, signal.UnitSM).DoubleValue(), 1e-6)
}

// Without GPM the driver's utilisation samples are integrated: whole percent of a sixth of a second each.
func TestUtilizationSamplesFollowTheTruth(t *testing.T) {
	for _, collection := range []time.Duration{300 * time.Millisecond, 5 * time.Second} {
		t.Run(collection.String(), func(t *testing.T) {
			d := newDesk(t, "a100", nil)
			random := rand.New(rand.NewPCG(2, uint64(collection)))
			var worst float64
			for at := time.Duration(0); at < 2*time.Minute; at += collection {
				for left := collection; left > 0; left -= 100 * time.Millisecond {
					d.work(100*time.Millisecond, randomLoad(random))
					require.NoError(t, d.reader.sample(false))
				}
				if at < 10*time.Second {
					d.collect()
					continue
				}
				points := d.collect()
				for unit, of := range map[string]func(sim.Sample) float64{
					signal.UnitGraphics: func(s sim.Sample) float64 { return s.Activity.Graphics },
					signal.UnitDRAM:     func(s sim.Sample) float64 { return s.Activity.DRAM },
				} {
					dp := d.point(points, signal.GPUActivityTime, unit)
					from, to := d.at(dp.StartTimestamp().AsTime(), of), d.at(dp.Timestamp().AsTime(), of)
					elapsed := dp.Timestamp().AsTime().Sub(dp.StartTimestamp().AsTime()).Seconds()
					off := (dp.DoubleValue() - (to - from)) / elapsed
					worst = max(worst, off, -off)
				}
				_, gpm := points[series{d.reader.id.UUID, signal.GPUActivityTime, signal.UnitTensor}]
				assert.False(t, gpm, "an A100 has no GPM")
			}
			t.Logf("worst error %.2e of the elapsed time", worst)
			assert.Less(t, worst, 0.01)
		})
	}
}

// at is what the GPU had done at a time: it works evenly between two updates, and as before after the last.
func (d *desk) at(when time.Time, of func(sim.Sample) float64) float64 {
	i, _ := slices.BinarySearchFunc(d.history, when, func(s sim.Sample, when time.Time) int { return s.Time.Compare(when) })
	i = max(1, min(i, len(d.history)-1))
	before, after := d.history[i-1], d.history[i]
	return of(before) + when.Sub(before.Time).Seconds()/after.Time.Sub(before.Time).Seconds()*(of(after)-of(before))
}

// What the energy counter shows is reported to the millijoule, and driver reloads lose nothing but what the counter lost.
func TestEnergyIsConserved(t *testing.T) {
	d := newDesk(t, "h100", nil)
	counter := func() uint64 {
		require.NoError(t, d.reader.device.Read(gpu.Energy, &d.reader.reading))
		return d.reader.reading.Energy
	}
	d.collect()
	begin := counter()
	random := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		d.work(time.Duration(random.IntN(900))*time.Millisecond+time.Millisecond, randomLoad(random))
		got := d.point(d.collect(), signal.HWEnergy, "").DoubleValue()
		assert.Equal(t, float64(counter()-begin)*1e-3, got)
	}
}

// A GPU without an energy counter has the energy of the driver's power samples; one with a counter never has.
func TestEnergyWithoutACounter(t *testing.T) {
	d := newDesk(t, "h100", nil)
	require.NoError(t, d.state.SetFault(0, "nvmlDeviceGetTotalEnergyConsumption", sim.Fault{Return: sim.NotSupported}))
	d.collect()
	random := rand.New(rand.NewPCG(4, 4))
	for range 100 {
		d.work(100*time.Millisecond, randomLoad(random))
		require.NoError(t, d.reader.sample(false))
	}
	dp := d.point(d.collect(), signal.HWEnergy, "")
	energy := func(s sim.Sample) float64 { return s.Energy }
	truth := d.at(dp.Timestamp().AsTime(), energy) - d.at(dp.StartTimestamp().AsTime(), energy)
	assert.InEpsilon(t, truth, dp.DoubleValue(), 0.005)
	assert.Greater(t, dp.Timestamp().AsTime().Sub(dp.StartTimestamp().AsTime()), 9*time.Second)
}

func TestBytesOfTheLinks(t *testing.T) {
	d := newDesk(t, "h100", nil)
	d.collect()
	before := d.done
	for range 50 {
		d.work(100*time.Millisecond, load{pcie: sim.Traffic{Receive: 3e9}, nvlink: sim.Traffic{Transmit: 100e9}})
		require.NoError(t, d.reader.sample(false))
	}
	points := d.collect()
	pcie, nvlink := d.done.PCIe.Receive-before.PCIe.Receive, d.done.NVLink.Transmit-before.NVLink.Transmit
	assert.InEpsilon(t, pcie, value(d.point(points, signal.GPUIO, "receive,pcie")), 1e-6)
	assert.InEpsilon(t, nvlink, value(d.point(points, signal.GPUIO, "transmit,nvlink")), 1e-6)
	assert.InEpsilon(t, nvlink, value(d.point(points, signal.HWGPUIO, "transmit")), 1e-6, "nothing went over PCIe that way")
	assert.InEpsilon(t, pcie/pcieSpeed(5, 16), value(d.point(points, signal.GPUActivityTime, signal.UnitPCIeRx)), 1e-6)
}
