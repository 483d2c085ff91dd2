package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"regexp"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// How a device that several workers use is divided between them, the surest first (docs/estimators.md, "Shared GPUs").
type sharingRule int32

const (
	notShared      sharingRule = iota
	byProcesses                // by how busy the driver says that their processes kept the device
	bySlices                   // MIG: by slices held, and how active each was
	byBusyTime                 // by how busy the workers' own counters say they were
	evenly                     // nothing is known: each is given its part, and none of it is divided by phase
	numSharingRule = iota
)

// suffix is what the rule adds to the method of an estimate.
func (r sharingRule) suffix() string {
	return [numSharingRule]string{"", "_by_process_utilization", "_by_mig_slices", "_by_busy_time", "_evenly"}[r]
}

// surest bounds the confidence of an amount that came about by the rule. On simulated GPUs prefill's joules came out 16 to 28 % low where
// two workers share one: each second of a worker is given the same, and one of prefill draws more (docs/estimators.md).
func (r sharingRule) surest() float64 {
	return [numSharingRule]float64{1, 0.3, 0.3, 0.2, 0}[r]
}

// identity is by what a worker's processes are known on a GPU. One that tells none of it is not found among them.
type identity struct {
	container, pod string
	pid            int64                   // of the resource, 0 when not told
	pids           atomic.Pointer[[]int64] // of llm.engine.process.info
	busy           atomic.Pointer[float64] // share of the last window that it was busy; nil while not known
}

func (i *identity) read(resource pcommon.Resource) {
	a := resource.Attributes()
	i.container, i.pod = derive.Text(a, signal.AttrContainerID), derive.Text(a, signal.AttrK8sPodUID)
	i.pid = whole(a, signal.AttrProcessPID)
}

// whole reads a whole number, 0 when it is not there.
func whole(m pcommon.Map, key string) int64 {
	v, ok := m.Get(key)
	if !ok {
		return 0
	}
	return v.Int()
}

// known reports whether the worker's processes can be told at all.
func (i *identity) known() bool {
	return i.container != "" || i.pod != "" || i.pid != 0 || i.pids.Load() != nil
}

// learn takes how busy the worker was in a window, which may be known although its phases are not. One that does not tell leaves what was
// known.
func (i *identity) learn(s *serving.Split) {
	switch s.Withheld {
	case "", serving.WithheldWarmUp, serving.WithheldConstantLoad, serving.WithheldUncertain:
	default:
		return
	}
	busy := s.Prefill + s.Decode + s.Unattributed
	if elapsed := busy + s.Idle; elapsed > 0 {
		busy /= elapsed
		i.busy.Store(&busy)
	}
}

// owns reports whether the process is the worker's. A pid is surer than a container, and that than a pod, in which several may run.
func (i *identity) owns(p *process) bool {
	if pids := i.pids.Load(); pids != nil {
		for _, pid := range *pids {
			if pid == p.pid {
				return true
			}
		}
		return false
	}
	switch {
	case i.pid != 0:
		return i.pid == p.pid
	case i.container != "" && p.container != "":
		return i.container == p.container
	}
	return i.pod != "" && i.pod == p.pod
}

// process is one on a GPU.
type process struct {
	pid            int64
	container, pod string
	active         float64 // share of the time that it kept SMs busy
}

// processesOf reads the points of nvidia.gpu.process.utilization.
func processesOf(sms pmetric.ScopeMetricsSlice) (all []process) {
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			if m.Name() != signal.GPUProcessActivity || m.Type() != pmetric.MetricTypeGauge {
				continue
			}
			for _, dp := range m.Gauge().DataPoints().All() {
				a := dp.Attributes()
				if derive.Text(a, signal.AttrGPUUnit) != signal.UnitSM || dp.Flags().NoRecordedValue() {
					continue
				}
				if v := derive.Number(dp); v >= 0 && v <= 1 {
					all = append(all, process{
						pid: whole(a, signal.AttrProcessPID), container: derive.Text(a, signal.AttrContainerID), pod: derive.Text(a, signal.AttrK8sPodUID), active: v,
					})
				}
			}
		}
	}
	return all
}

// slicesOf reads from the name of a MIG device how many compute slices it has, as NVML names it: "... MIG 3g.40gb", or with a compute
// instance of its own "... MIG 1c.3g.40gb", whose own slices count. 1 when the name does not tell.
func slicesOf(name string) float64 {
	found := regexp.MustCompile(`\bMIG (?:(\d+)c\.)?(\d+)g\.`).FindStringSubmatch(name)
	if found == nil {
		return 1
	}
	if n, err := strconv.Atoi(found[1]); err == nil && n > 0 {
		return float64(n)
	}
	if n, err := strconv.Atoi(found[2]); err == nil && n > 0 {
		return float64(n)
	}
	return 1
}

// allSlices is how many compute slices a GPU has: 7, of an A30 4 (NVIDIA MIG User Guide, "Supported MIG Profiles").
func allSlices(name string) float64 {
	if regexp.MustCompile(`\bA30\b`).MatchString(name) {
		return 4
	}
	return 7
}
