package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"
)

// sharing is what tells how a GPU is shared.
type sharing string

const (
	byProcesses sharing = "processes" // the driver's utilisation of each process, in whole per cent
	byBusyTime  sharing = "busy-time" // nothing: the workers' own counters
	byMIG       sharing = "mig"       // MIG devices of three slices each, with activity of their own
)

// Bars of the relative error of a worker's joules by phase on a shared GPU, over the run. A worker is given the same for each busy second
// whatever it computed in it, which is less than prefill draws. A fit of the counter on the work of both would tell them apart.
const sharedPrefillBar, sharedDecodeBar = 0.25, 0.12

const (
	// sharedWorkerBar is that of all joules that a worker is given, phases, idle and unattributed together.
	sharedWorkerBar = 0.12
	// lightLoad is the load below which a worker's phases are told and not judged: many of its windows are withheld and their joules
	// unattributed. So are those of both workers where one is light and busy time alone divides them: how busy it was in the window
	// before says little of this one.
	lightLoad = 0.5
)

// sharedScenario is two workers on one GPU, the second with a part of the first one's load. Each is simulated on a GPU of its own whose
// counters are added up: they do not slow each other down.
type sharedScenario struct {
	sharing
	deployment
	loads    [2]float64
	seed     uint64
	duration time.Duration
}

func (s sharedScenario) String() string {
	return fmt.Sprintf("%s/%v/synthetic/x%g+x%g/seed%d", s.sharing, s.deployment, s.loads[0], s.loads[1], s.seed)
}

// sharedInterval is the time between scrapes.
const sharedInterval = 5 * time.Second

// sharedEnergy is A2 on a GPU that two workers share: joules of each by phase against the ledgers, and all of them against the counter,
// whose every increase is wrong by 5 % at random.
func sharedEnergy(o options, report func(result)) error {
	for _, s := range sharedGrid(o) {
		r, err := newSharedRun(s)
		if err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		err = r.play()
		r.close()
		if err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		r.report(report)
	}
	return nil
}

func sharedGrid(o options) (grid []sharedScenario) {
	seeds, duration := uint64(5), time.Hour
	if o.quick {
		seeds, duration = 1, 20*time.Minute
	}
	for _, how := range []sharing{byProcesses, byBusyTime, byMIG} {
		for _, loads := range [][2]float64{{1, 1}, {1, 0.1}} {
			for seed := range seeds {
				grid = append(grid, sharedScenario{how, deployment{"llama-3-8b", "h100", "bf16", 1}, loads, seed + 1, duration})
			}
		}
	}
	return grid
}

// sharedRun is a scenario under way.
type sharedRun struct {
	sharedScenario
	fleets    [2]*fleetsim.Fleet
	passes    [2]*passFeed
	epoch     time.Time
	processor interface {
		consumer.Metrics
		Shutdown(context.Context) error
	}
	said   map[string]readings // by instance
	noise  *rand.Rand
	told   float64 // J by the counter
	before [2]fleetsim.GPUTruth
	at     time.Duration // of before
	marks  []sharedMark
	seen   map[int64]sharedMark // by window boundary
}

// sharedMark is a moment of a run.
type sharedMark struct {
	said  [2]readings
	truth [2]fleetsim.Truth
	told  float64
}

func instanceOf(i int) string { return fmt.Sprintf("worker-%d:8000", i) }

func newSharedRun(s sharedScenario) (*sharedRun, error) {
	r := &sharedRun{sharedScenario: s, said: map[string]readings{}, noise: rand.New(rand.NewPCG(s.seed, 45)), seen: map[int64]sharedMark{}}
	for i := range r.fleets {
		cfg := fleetsim.DefaultConfig()
		cfg.Seed, cfg.Workload = 10*s.seed+uint64(i), fleetsim.Synthetic{Shape: "azure-conversation", Load: s.loads[i]}
		pool := &cfg.Pools[0]
		pool.Model, pool.GPU, pool.Precision, pool.TensorParallel = s.model, s.gpu, s.precision, s.tensorParallel
		r.passes[i] = newPassFeed()
		cfg.OnPass = r.passes[i].take
		fleet, err := fleetsim.New(cfg)
		if err != nil {
			r.close()
			return nil, err
		}
		r.fleets[i], r.epoch = fleet, cfg.StartTime
		r.said[instanceOf(i)] = readings{}
	}
	return r, r.start()
}

func (r *sharedRun) start() error {
	sink, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		for _, rm := range md.ResourceMetrics().All() {
			id, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
			if said := r.said[id.Str()]; said != nil {
				one := pmetric.NewMetrics()
				rm.CopyTo(one.ResourceMetrics().AppendEmpty())
				said.take(one)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	factory := phaseattributionprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*phaseattributionprocessor.Config)
	for i := range r.fleets {
		ids := []string{"GPU-0"}
		if r.sharing == byMIG {
			ids = []string{fmt.Sprintf("MIG-%d", i)}
		}
		cfg.GPUs = append(cfg.GPUs, phaseattributionprocessor.GPURule{
			Match: phaseattributionprocessor.GPUMatch{Instance: instanceOf(i)}, IDs: ids,
		})
	}
	p, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		return err
	}
	r.processor = p
	return p.Start(context.Background(), componenttest.NewNopHost())
}

func (r *sharedRun) close() {
	for _, f := range r.fleets {
		if f != nil {
			f.Close()
		}
	}
	if r.processor != nil {
		_ = r.processor.Shutdown(context.Background())
	}
}

func (r *sharedRun) play() error {
	var decode [2]func([]byte, time.Time) (pmetric.Metrics, error) // each remembers its worker's series
	for i := range decode {
		var err error
		if decode[i], err = newDecoder(); err != nil {
			return err
		}
	}
	var page bytes.Buffer
	// Scrapes fall on the boundaries of windows, so that readings and truth are of the same time.
	for now := sharedInterval; now <= r.duration; now += sharedInterval {
		var m sharedMark
		for i, fleet := range r.fleets {
			if err := fleet.Advance(now); err != nil {
				return err
			}
			page.Reset()
			if err := fleet.WriteMetrics(0, &page); err != nil {
				return err
			}
			page.Grow(1) // the decoder writes behind the end
			md, err := decode[i](page.Bytes(), r.epoch.Add(now))
			if err != nil {
				return err
			}
			r.passes[i].append(md, r.epoch, r.epoch.Add(now))
			a := md.ResourceMetrics().At(0).Resource().Attributes()
			a.PutStr(signal.AttrServiceInstanceID, instanceOf(i))
			a.PutStr(signal.AttrK8sPodUID, instanceOf(i))
			if err := r.processor.ConsumeMetrics(context.Background(), md); err != nil {
				return err
			}
			m.truth[i] = fleet.WorkerTruth(0)
		}
		if err := r.processor.ConsumeMetrics(context.Background(), r.gpus(now)); err != nil {
			return err
		}
		m.told = r.told
		r.seen[r.epoch.Add(now).UnixNano()] = m
		r.mark(now)
	}
	return nil
}

// mark keeps the newest moment that both workers have told of, from the warm-up on.
func (r *sharedRun) mark(now time.Duration) {
	first := r.said[instanceOf(0)]
	at := int64(first[timeKey])
	m, ok := r.seen[at]
	if !ok || int64(r.said[instanceOf(1)][timeKey]) != at {
		return
	}
	delete(r.seen, at)
	for i := range m.said {
		m.said[i] = r.said[instanceOf(i)].clone()
	}
	if now < warmUpWindows*sharedInterval {
		return
	}
	if len(r.marks) == 2 {
		r.marks = r.marks[:1]
	}
	r.marks = append(r.marks, m)
}

func (r *sharedRun) report(report func(result)) {
	if len(r.marks) < 2 {
		report(result{name: "A2-shared/" + r.String(), value: fmt.Sprintf("%d marks", len(r.marks)), bar: "2"})
		return
	}
	from, to := r.marks[0], r.marks[1]
	var all float64
	for i := range r.fleets {
		a, b := mark{said: from.said[i]}, mark{said: to.said[i]}
		name := fmt.Sprintf("%v/worker%d", r.sharedScenario, i)
		phase := report
		if r.loads[i] < lightLoad || r.sharing == byBusyTime && r.loads[0] != r.loads[1] {
			phase = func(x result) {
				x.told = true
				report(x)
			}
		}
		reportRelative(phase, "A2-shared/prefill-joules/"+name, rise(a, b, signal.PhaseEnergy, signal.PhasePrefill),
			to.truth[i].Energy.Prefill-from.truth[i].Energy.Prefill, sharedPrefillBar)
		reportRelative(phase, "A2-shared/decode-joules/"+name, rise(a, b, signal.PhaseEnergy, signal.PhaseDecode),
			to.truth[i].Energy.Decode()-from.truth[i].Energy.Decode(), sharedDecodeBar)
		given := sumOver(a, b, signal.PhaseEnergy)
		spent := func(t *fleetsim.Truth) float64 { return t.Energy.Total + t.IdleJoules + t.InFlightJoules }
		reportRelative(report, "A2-shared/worker-joules/"+name, given, spent(&to.truth[i])-spent(&from.truth[i]), sharedWorkerBar)
		all += given
	}
	reportSum(report, "A2-shared/sum/"+r.String(), all, to.told-from.told)
}
