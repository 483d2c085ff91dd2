package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// told is what a batch says of the place of a worker: of its GPUs themselves, or of its processes.
type told struct {
	gpus []string // hw.id, in order
	pids []int64  // in order
}

// read takes what a metric of a worker says, and reports whether it is of that kind.
func (t *told) read(m pmetric.Metric) bool {
	switch m.Name() {
	case signal.EngineGPUInfo:
		for attributes := range recorded(m) {
			t.gpus = insert(t.gpus, derive.Text(attributes, signal.AttrHWID), "")
		}
	case signal.EngineProcessInfo:
		t.pids = pidsOf(m, t.pids)
	default:
		return false
	}
	return true
}

// users are who a batch of a GPU says that uses it: processes, and pods of Kubernetes.
type users struct {
	pids []int64
	pods []pod
}

// take replaces what a batch tells anew.
func (u *users) take(now users) {
	if len(now.pids) > 0 {
		u.pids = now.pids
	}
	if len(now.pods) > 0 {
		u.pods = now.pods
	}
}

// holds says that a batch tells nothing new.
func (u *users) holds(now users) bool {
	return (len(now.pids) == 0 || slices.Equal(u.pids, now.pids)) && (len(now.pods) == 0 || slices.Equal(u.pods, now.pods))
}

// meet says whether two ordered lists have a number in common.
func meet(a, b []int64) bool {
	return slices.ContainsFunc(a, func(v int64) bool { _, found := slices.BinarySearch(b, v); return found })
}

// pod is a pod of Kubernetes.
type pod struct{ namespace, name string }

// readUsers reads the users of a GPU. A batch without any tells nothing: NVML may have refused to answer.
func readUsers(sms pmetric.ScopeMetricsSlice) (u users) {
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			switch m.Name() {
			case signal.GPUProcessMemory: // the list of activity lacks those that rest
				u.pids = pidsOf(m, u.pids)
			case signal.GPUAllocation:
				for attributes := range recorded(m) {
					if p := podOf(attributes); p != (pod{}) && !slices.Contains(u.pods, p) {
						u.pods = append(u.pods, p)
					}
				}
			}
		}
	}
	return u
}

// podOf reads the pod that attributes name, of a resource or of a point.
func podOf(attributes pcommon.Map) pod {
	p := pod{derive.Text(attributes, signal.AttrK8sNamespace), derive.Text(attributes, signal.AttrK8sPodName)}
	if p.namespace == "" || p.name == "" {
		return pod{}
	}
	return p
}

// pidsOf adds the processes that the points of a metric name.
func pidsOf(m pmetric.Metric, pids []int64) []int64 {
	for attributes := range recorded(m) {
		if v, ok := attributes.Get(signal.AttrProcessPID); ok {
			pids = insert(pids, v.Int(), 0)
		}
	}
	return pids
}

// recorded goes through the attributes of the points of a gauge or sum that have a value.
func recorded(m pmetric.Metric) func(yield func(pcommon.Map) bool) {
	var points pmetric.NumberDataPointSlice
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	default:
		return func(func(pcommon.Map) bool) {}
	}
	return func(yield func(pcommon.Map) bool) {
		for _, dp := range points.All() {
			if !dp.Flags().NoRecordedValue() && !yield(dp.Attributes()) {
				return
			}
		}
	}
}

// insert puts v into an ordered list, once, unless it is none.
func insert[T string | int64](list []T, v, none T) []T {
	if i, found := slices.BinarySearch(list, v); v != none && !found {
		list = slices.Insert(list, i, v)
	}
	return list
}
