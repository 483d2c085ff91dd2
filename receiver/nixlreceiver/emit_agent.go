package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// identify fixes the resource of an agent. What is found out later does not change it.
func (r *renderer) identify(a *agent) {
	m := pcommon.NewMap()
	if r.host != "" {
		m.PutStr(signal.AttrHostName, r.host)
	}
	if a.slot == noSlot {
		m.PutStr(signal.AttrNIXLAgentName, a.name)
	} else {
		m.PutInt(signal.AttrNIXLAgentSlot, int64(a.slot))
	}
	m.PutStr(signal.AttrNIXLSource, a.source())
	m.PutStr(signal.AttrNIXLLayout, a.layout())
	if a.owner != nil && a.owner.ContainerID != "" {
		m.PutStr(signal.AttrContainerID, a.owner.ContainerID)
	}
	if a.owner != nil && a.owner.PodUID != "" {
		m.PutStr(signal.AttrK8sPodUID, a.owner.PodUID)
	}
	a.resource, a.emitted = m, true
}

// layout names the format of the file.
func (a *agent) layout() string {
	if a.store != nil {
		return "store-1"
	}
	return a.ring.Geometry().Layout.String()
}

// agent appends the points of one agent, and returns the sheet for more.
func (r *renderer) agent(out pmetric.Metrics, a *agent, now time.Time) *sheet {
	s := r.sheet(out, a.resource, now)
	s.transfers(a)
	s.memory(a)
	s.failures(a)
	s.state(a, now)
	return s
}

func (s *sheet) transfers(a *agent) {
	sums := a.sums()
	for _, d := range []struct {
		name        string
		bytes, done nixl.EventType
	}{
		{signal.DirectionTransmit, nixl.TxBytes, nixl.TxRequests}, {signal.DirectionReceive, nixl.RxBytes, nixl.RxRequests},
	} {
		s.count(signal.NIXLTransferIO, a.start, sums[d.bytes], signal.AttrNetDirection, d.name)
		s.count(signal.NIXLTransferCount, a.start, sums[d.done], signal.AttrNetDirection, d.name)
	}
	s.sum(signal.NIXLBusyTime, a.start).SetDoubleValue(float64(sums[nixl.XferTime]) * microsecond)
	if a.store != nil {
		s.stored(a)
		return
	}
	for d, name := range []string{signal.DirectionTransmit, signal.DirectionReceive, signal.DirectionUnknown} {
		s.observed(signal.NIXLTransferTime, a, a.tally.Duration[d], microsecond, name)
		s.observed(signal.NIXLTransferPost, a, a.tally.Post[d], microsecond, name)
		if nixl.Direction(d) != nixl.Undirected {
			s.observed(signal.NIXLTransferSize, a, a.tally.Size[d], 1, name)
			s.observed(signal.NIXLThroughput, a, a.tally.Throughput[d], 1, name)
		}
	}
}

// observed leaves out what there never was: the ring of most agents has one direction.
func (s *sheet) observed(name string, a *agent, h nixl.Histogram, scale float64, direction string) {
	if h.Count() > 0 {
		s.histogram(name, a.start, scaled(h, scale), signal.AttrNetDirection, direction)
	}
}

// stored are the histograms of a store, which tell no direction.
func (s *sheet) stored(a *agent) {
	bounds := make([]float64, len(a.snapshot.Bounds))
	for i, b := range a.snapshot.Bounds {
		bounds[i] = bound(b, microsecond)
	}
	for _, h := range []struct {
		name   string
		counts []uint64
		sum    uint64
	}{
		{signal.NIXLTransferTime, a.snapshot.Duration, a.snapshot.DurationSum},
		{signal.NIXLTransferPost, a.snapshot.Post, a.snapshot.PostSum},
	} {
		d := distribution{bounds: bounds, counts: h.counts, sum: float64(h.sum) * microsecond}
		s.histogram(h.name, a.start, d, signal.AttrNetDirection, signal.DirectionUnknown)
	}
}

func (s *sheet) memory(a *agent) {
	sums := a.sums()
	registered, released := sums[nixl.MemoryRegistered], sums[nixl.MemoryDeregistered]
	s.count(signal.NIXLMemoryRegister, a.start, registered)
	s.count(signal.NIXLMemoryRelease, a.start, released)
	s.sum(signal.NIXLMemory, a.start).SetIntValue(whole(registered) - whole(released))
}

func (s *sheet) failures(a *agent) {
	for i, n := range a.sums().Errors() {
		if n > 0 {
			s.count(signal.NIXLErrors, a.start, n, signal.AttrErrorType, s.errors[i])
		}
	}
	dropped := func(reason string, n uint64) {
		s.count(signal.NIXLEventsDropped, a.start, n, signal.AttrReason, reason)
	}
	dropped(signal.DroppedStaging, a.sums()[nixl.EventsDropped])
	if a.store != nil {
		return
	}
	dropped(signal.DroppedRingFull, a.ringFull)
	dropped(signal.DroppedDecode, a.tally.Unknown)
	dropped(signal.DroppedOverrun, a.overwritten)
	s.count(signal.NIXLContention, a.first, a.contention)
	s.gauge(signal.NIXLRingUsage).SetDoubleValue(a.usage)
}

func (s *sheet) state(a *agent, now time.Time) {
	if a.state != unknown {
		s.gauge(signal.NIXLAgentUp).SetIntValue(map[liveness]int64{up: 1, down: 0}[a.state])
	}
	s.count(signal.NIXLAgentRestarts, a.first, a.restarts)
	s.gauge(signal.NIXLLastEventAge).SetDoubleValue(max(0, now.Sub(a.lastEvent).Seconds()))
	s.info(a)
}

func (s *sheet) info(a *agent) {
	p := s.gauge(signal.NIXLAgentInfo)
	p.SetIntValue(1)
	m := p.Attributes()
	if !s.nameless {
		m.PutStr(signal.AttrNIXLAgentName, a.name)
	}
	if rank := a.rank(); rank != "" {
		m.PutStr(signal.AttrNIXLLocalRank, rank)
	}
	if a.ring != nil {
		mode := string(ModeObserve)
		if a.ring.Owned() {
			mode = string(ModeConsume)
		}
		m.PutStr(signal.AttrNIXLReaderMode, mode)
	}
	if a.owner == nil {
		return
	}
	m.PutInt(signal.AttrProcessPID, int64(a.owner.PID))
	if a.owner.Engine != "" {
		m.PutStr(signal.AttrEngineName, a.owner.Engine)
	}
	if a.owner.ServingPort > 0 {
		m.PutInt(signal.AttrServerPort, int64(a.owner.ServingPort))
	}
	for _, name := range signal.NIXLEnvironment() {
		if value, ok := a.owner.Environment[name]; ok {
			m.PutStr(fmt.Sprint(signal.AttrEnvironmentStem, name), value)
		}
	}
}
