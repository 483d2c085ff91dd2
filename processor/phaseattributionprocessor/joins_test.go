package phaseattributionprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// site is a set of joins without rules, with workers and GPUs that say who they are.
type site struct {
	t       *testing.T
	joins   *joins
	workers map[string]*worker
}

func newSite(t *testing.T, rules ...GPURule) *site {
	return &site{t, newJoins(rules, 8), map[string]*worker{}}
}

// worker makes one, on a host unless that is "".
func (s *site) worker(instance, host string, attributes ...string) *worker {
	r := pcommon.NewResource()
	put(r.Attributes(), append([]string{signal.AttrServiceInstanceID, instance}, attributes...))
	if host != "" {
		r.Attributes().PutStr(signal.AttrHostName, host)
	}
	w := newWorker(createDefaultConfig().(*Config), nil, nil, &facts.Book{}, hooks{}, r)
	s.workers[instance] = w
	s.joins.add(w)
	return w
}

// gpu lets a GPU of host "h" be seen with its processes and pods.
func (s *site) gpu(id string, pids []int64, pods ...pod) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	put(rm.Resource().Attributes(), []string{signal.AttrHWID, id, signal.AttrHostName, "h"})
	ms := rm.ScopeMetrics().AppendEmpty().Metrics()
	m := ms.AppendEmpty()
	m.SetName(signal.GPUProcessMemory)
	points := m.SetEmptySum().DataPoints()
	for _, pid := range pids {
		points.AppendEmpty().Attributes().PutInt(signal.AttrProcessPID, pid)
	}
	m = ms.AppendEmpty()
	m.SetName(signal.GPUAllocation)
	points = m.SetEmptyGauge().DataPoints()
	for _, p := range pods {
		put(points.AppendEmpty().Attributes(), []string{signal.AttrK8sNamespace, p.namespace, signal.AttrK8sPodName, p.name})
	}
	s.joins.see(rm.Resource(), readUsers(rm.ScopeMetrics()))
}

// joined returns the GPUs of a worker.
func (s *site) joined(instance string) (ids []string) {
	for _, slot := range s.workers[instance].spending.slots {
		if slot.joined {
			ids = insert(ids, slot.gpu.id, "")
		}
	}
	return ids
}

func TestAWorkerIsJoinedWithTheGPUsOfItsProcesses(t *testing.T) {
	s := newSite(t, GPURule{Match: GPUMatch{Instance: "a*"}, IDs: []string{"GPU-3"}})
	s.gpu("GPU-0", []int64{11, 12, 99})
	a, b := s.worker("a/dp0", "h"), s.worker("a/dp1", "h")
	s.gpu("GPU-1", []int64{13, 11})
	s.gpu("MIG-2", []int64{21})
	s.gpu("GPU-3", nil)
	assert.Equal(t, []string{"GPU-3"}, s.joined("a/dp0"), "the rule, while no process is known")
	s.joins.inform(a, told{pids: []int64{10, 11}})
	s.joins.inform(b, told{pids: []int64{20, 21}})
	assert.Equal(t, []string{"GPU-0", "GPU-1"}, s.joined("a/dp0"), "tensor parallel")
	assert.Equal(t, []string{"MIG-2"}, s.joined("a/dp1"), "a slice")

	s.joins.inform(b, told{})
	s.gpu("MIG-2", nil)
	assert.Equal(t, []string{"MIG-2"}, s.joined("a/dp1"), "a batch without processes tells nothing")
	s.gpu("MIG-2", []int64{31})
	assert.Equal(t, []string{"GPU-3"}, s.joined("a/dp1"), "its process went")
	s.joins.inform(b, told{pids: []int64{31}})
	assert.Equal(t, []string{"MIG-2"}, s.joined("a/dp1"), "it began anew")

	elsewhere, nowhere := s.worker("b", "other"), s.worker("c", "")
	s.joins.inform(elsewhere, told{pids: []int64{11}})
	s.joins.inform(nowhere, told{pids: []int64{11}})
	assert.Empty(t, s.joined("b"), "a number means something on its host only")
	assert.Empty(t, s.joined("c"))
	s.joins.inform(a, told{gpus: []string{"MIG-2"}})
	assert.Equal(t, []string{"MIG-2"}, s.joined("a/dp0"), "who tells GPUs needs no processes")
}

func TestAWorkerIsJoinedWithTheGPUsOfItsPod(t *testing.T) {
	s := newSite(t)
	s.worker("a", "", signal.AttrK8sNamespace, "n", signal.AttrK8sPodName, "vllm-0")
	s.worker("b", "", signal.AttrK8sPodName, "vllm-0")
	s.gpu("GPU-0", nil, pod{"n", "vllm-0"}, pod{"n", "vllm-0"})
	s.gpu("GPU-1", nil, pod{"other", "vllm-0"})
	assert.Equal(t, []string{"GPU-0"}, s.joined("a"))
	assert.Empty(t, s.joined("b"), "a pod without a namespace is none")
}

// TestProcessesGiveGPUTime goes through the processor: the same engine and the same GPUs, joined by nothing but processes.
func TestProcessesGiveGPUTime(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
	e := newEngine("a:8000", 1_700_000_000*second)
	consume := func(md pmetric.Metrics, metric string, pids ...int64) {
		resource := md.ResourceMetrics().At(0)
		resource.Resource().Attributes().PutStr(signal.AttrHostName, "h")
		m := resource.ScopeMetrics().At(0).Metrics().AppendEmpty()
		m.SetName(metric)
		points := m.SetEmptyGauge().DataPoints()
		for _, pid := range pids {
			dp := points.AppendEmpty()
			dp.SetDoubleValue(1)
			dp.Attributes().PutInt(signal.AttrProcessPID, pid)
		}
		md.MarkReadOnly()
		require.NoError(t, p.ConsumeMetrics(t.Context(), md))
	}
	for range 20 {
		c.Add(5 * time.Second)
		e.advance(e.now + 5*second)
		consume(e.page(), signal.EngineProcessInfo, 10, 11)
		consume(e.gpu("GPU-0"), signal.GPUProcessMemory, 11)
		consume(e.gpu("GPU-1"), signal.GPUProcessMemory, 12)
		consume(e.gpu("GPU-2"), signal.GPUProcessMemory, 10)
	}
	idle, ok := last(sink, signal.PhaseGPUTime, signal.AttrPhase, signal.PhaseIdle)
	require.True(t, ok)
	assert.InDelta(t, 2*float64(idle.Timestamp()-idle.StartTimestamp())/1e9, phaseSum(t, sink, signal.PhaseGPUTime), 1e-6)
	for id, want := range map[string]bool{"GPU-0": true, "GPU-1": false, "GPU-2": true} {
		_, ok := last(sink, signal.EngineGPUInfo, signal.AttrHWID, id)
		assert.Equal(t, want, ok, id)
	}
}

// put sets attributes given as key, value, key, value.
func put(m pcommon.Map, attributes []string) {
	for i := 0; i+1 < len(attributes); i += 2 {
		m.PutStr(attributes[i], attributes[i+1])
	}
}
