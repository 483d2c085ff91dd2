package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/hostproc/podresources"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// Bounds of the joins.
const (
	podResourcesTimeout = 5 * time.Second
	maxProcessPoints    = 256 // of a device
)

// joiner says whose a device is: its processes, their containers and pods, and the containers that the kubelet gave it to.
type joiner struct {
	plan    *plan
	proc    *hostproc.Reader
	kubelet *podresources.Client // nil when nobody is asked
	socket  string
	tell    *reporter

	mu          sync.Mutex
	allocations []podresources.Allocation
}

func newJoiner(cfg *Config, p *plan, tell *reporter) (*joiner, error) {
	j := &joiner{plan: p, proc: hostproc.New(os.DirFS(cfg.ProcPath)), socket: cfg.PodResources.Socket, tell: tell}
	if j.socket == "" || !p.on[signal.GPUAllocation] {
		return j, nil
	}
	var err error
	j.kubelet, err = podresources.New(j.socket)
	return j, err
}

func (j *joiner) close() error {
	if j.kubelet == nil {
		return nil
	}
	return j.kubelet.Close()
}

// refresh asks the kubelet. Without its socket there is no Kubernetes here and nothing is asked. What was known before is forgotten
// when it cannot be asked again.
func (j *joiner) refresh(ctx context.Context) {
	if j.kubelet == nil {
		return
	}
	var all []podresources.Allocation
	_, err := os.Stat(j.socket)
	if err == nil {
		asking, cancel := context.WithTimeout(ctx, podResourcesTimeout)
		defer cancel()
		all, err = j.kubelet.List(asking)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		err = fmt.Errorf("no GPU has its pods: %s: %w; let the collector's user read the socket, or set pod_resources::socket to \"\"", j.socket, err)
	}
	j.tell.aside("kubelet", err)
	j.mu.Lock()
	j.allocations = all
	j.mu.Unlock()
}

// emit adds allocations and processes to the page of a device of this GPU.
func (j *joiner) emit(e *emitter, of gpu.Identity) {
	if e.on(signal.GPUAllocation) {
		j.emitAllocations(e, of)
	}
	if e.got[gpu.Processes] {
		j.emitMemory(e)
	}
	if e.got[gpu.ProcessUsage] {
		j.emitUsage(e)
	}
}

func (j *joiner) emitAllocations(e *emitter, of gpu.Identity) {
	j.mu.Lock()
	all := j.allocations
	j.mu.Unlock()
	for _, a := range all {
		if !means(a.Device, e.id, of) {
			continue
		}
		dp := e.page.point(signal.GPUAllocation, time.Time{}, e.at)
		dp.SetIntValue(1)
		dp.Attributes().PutStr(signal.AttrK8sNamespace, a.Namespace)
		dp.Attributes().PutStr(signal.AttrK8sPodName, a.Pod)
		dp.Attributes().PutStr(signal.AttrK8sContainer, a.Container)
		dp.Attributes().PutStr(signal.AttrGPUResource, a.Resource)
	}
}

// means says whether Kubernetes' name means this device, a GPU or a MIG device of the GPU of.
func means(d podresources.Device, id, of gpu.Identity) bool {
	if d.UUID != "" {
		return d.UUID == id.UUID
	}
	return d.Minor >= 0 && d.Minor == of.Minor && d.GPUInstance == id.GPUInstance
}

func (j *joiner) emitMemory(e *emitter) {
	for i, p := range e.reading.Processes {
		if i == maxProcessPoints {
			return
		}
		if !p.HasMemory {
			continue
		}
		dp := e.page.point(signal.GPUProcessMemory, e.ledger.since, e.at)
		dp.SetIntValue(int64(p.Memory))
		j.describe(int(p.PID), dp.Attributes())
	}
}

// emitUsage emits the mean of each process's samples.
func (j *joiner) emitUsage(e *emitter) {
	type sums struct{ n, sm, memory float64 }
	var order []uint32
	byPID := make(map[uint32]*sums)
	for _, u := range e.reading.ProcessUsage {
		s := byPID[u.PID]
		if s == nil {
			if len(order) == maxProcessPoints {
				continue
			}
			s = &sums{}
			byPID[u.PID] = s
			order = append(order, u.PID)
		}
		s.n++
		s.sm += float64(u.SM)
		s.memory += float64(u.Memory)
	}
	for _, pid := range order {
		s := byPID[pid]
		for _, unit := range []struct {
			name string
			sum  float64
		}{{signal.UnitSM, s.sm}, {signal.UnitDRAM, s.memory}} {
			dp := e.page.point(signal.GPUProcessActivity, time.Time{}, e.at)
			dp.SetDoubleValue(unit.sum / s.n / 100)
			j.describe(int(pid), dp.Attributes())
			dp.Attributes().PutStr(signal.AttrGPUUnit, unit.name)
		}
	}
}

// describe puts who a process is. What cannot be read is left out: the process has ended, or is in another PID namespace.
func (j *joiner) describe(pid int, to pcommon.Map) {
	to.PutInt(signal.AttrProcessPID, int64(pid))
	if p, err := j.proc.Process(pid); err == nil {
		to.PutStr(signal.AttrProcessExecutable, p.Name)
	}
	w, err := j.proc.Workload(pid)
	if err != nil {
		return
	}
	if w.ContainerID != "" {
		to.PutStr(signal.AttrContainerID, w.ContainerID)
	}
	if w.PodUID != "" {
		to.PutStr(signal.AttrK8sPodUID, w.PodUID)
	}
}
