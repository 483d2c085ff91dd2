package rig

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Hosts stand for the agents of many hosts, each of which sends what one was recorded to send, under names of its own and at a phase of its own.
type Hosts struct {
	recording *Recording
	each      int // hosts of a fleet
	schedule  []request
	next      int // of the schedule
	begin     time.Time

	client
}

// NewHosts connects the agents of so many fleets, of so many hosts each, to a gateway.
func NewHosts(tb testing.TB, r *Recording, fleets, each int, gateway string) *Hosts {
	tb.Helper()
	h := &Hosts{recording: r, each: each}
	h.connect(tb, gateway)
	for host := range fleets * each {
		phase := AgentInterval * time.Duration(host) / time.Duration(fleets*each)
		for _, b := range r.batches {
			if due := b.after + phase; due < r.length {
				h.schedule = append(h.schedule, request{due: due, md: func() pmetric.Metrics { return h.rename(b.md, host, phase) }})
			}
		}
	}
	slices.SortStableFunc(h.schedule, func(a, b request) int { return cmp.Compare(a.due, b.due) })
	return h
}

// Send sends what is due in one interval of the agents, at its time, which is theirs.
func (h *Hosts) Send(ctx context.Context, round int, _ time.Duration) {
	if h.begin.IsZero() {
		h.begin = time.Now()
	}
	first := h.next
	for h.next < len(h.schedule) && h.schedule[h.next].due < time.Duration(round+1)*AgentInterval {
		h.next++
	}
	h.send(ctx, h.begin, h.schedule[first:h.next])
}

// rename makes of a recorded batch one of another host, with the times at which that sends it.
func (h *Hosts) rename(recorded pmetric.Metrics, host int, phase time.Duration) pmetric.Metrics {
	md := pmetric.NewMetrics()
	recorded.CopyTo(md)
	n, shift := namer{fleet: host / h.each, host: host}, h.begin.Sub(h.recording.began)+phase
	for _, rm := range md.ResourceMetrics().All() {
		n.rename(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				each(m, func(p point) {
					n.rename(p.Attributes())
					p.SetTimestamp(later(p.Timestamp(), shift))
					p.SetStartTimestamp(later(p.StartTimestamp(), shift))
				})
			}
		}
	}
	return md
}

// later leaves a time that is not set.
func later(t pcommon.Timestamp, by time.Duration) pcommon.Timestamp {
	if t == 0 {
		return 0
	}
	return pcommon.NewTimestampFromTime(t.AsTime().Add(by))
}

// point is what points of every kind have.
type point interface {
	Attributes() pcommon.Map
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
}

func each(m pmetric.Metric, do func(point)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			do(p)
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			do(p)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			do(p)
		}
	}
}

// namer gives a host and what is on it names that no other has.
type namer struct{ fleet, host int }

func (n namer) rename(attributes pcommon.Map) {
	for key, value := range attributes.All() {
		if value.Type() == pcommon.ValueTypeStr {
			if name := n.name(key, value.Str()); name != value.Str() {
				value.SetStr(name)
			}
		}
	}
}

func (n namer) name(key, name string) string {
	switch key {
	case signal.AttrFleetName:
		return fmt.Sprintf("fleet-%d", n.fleet)
	case signal.AttrHostName:
		return fmt.Sprintf("host-%d", n.host)
	case signal.AttrServiceInstanceID, signal.AttrServerAddress:
		return strings.Replace(name, "127.0.0.1", fmt.Sprintf("10.0.%d.%d", n.host>>8, n.host&255), 1)
	case signal.AttrHWID: // GPU-<uuid>, of which the recorded host's differ behind the first group, too
		_, rest, _ := strings.Cut(strings.TrimPrefix(name, "GPU-"), "-")
		return fmt.Sprintf("GPU-%08x-%s", n.host, rest)
	case signal.AttrNIXLAgentName: // <uuid>
		_, rest, _ := strings.Cut(name, "-")
		return fmt.Sprintf("%08x-%s", n.host, rest)
	case signal.AttrHWSerial:
		return fmt.Sprintf("%s-%d", name, n.host)
	}
	return name
}
