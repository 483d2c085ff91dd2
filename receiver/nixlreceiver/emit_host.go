package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"io/fs"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/link"
)

// links follows the links of the host.
type links struct {
	sys    fs.FS // nil when they are not read
	meters map[string]*meter
	last   time.Time // the reading before; zero before the first
}

func newLinks(sys fs.FS) *links { return &links{sys: sys, meters: make(map[string]*meter)} }

// reading is one look at all links.
type reading struct {
	all     []link.Link
	moved   map[string]traffic // since the reading before
	elapsed time.Duration
	rdma    traffic // of all ports, since the reading before
	served  uint64  // remote operations that they answered meanwhile
}

func (l *links) read(now time.Time) reading {
	r := reading{moved: make(map[string]traffic)}
	if l.sys == nil {
		return r
	}
	r.all = link.Read(l.sys)
	if !l.last.IsZero() {
		r.elapsed = now.Sub(l.last)
	}
	l.last = now
	present := make(map[string]bool, len(r.all))
	for _, x := range r.all {
		m := l.meters[x.Name]
		if m == nil {
			m = &meter{since: now}
			l.meters[x.Name] = m
		}
		moved, served := m.read(x)
		r.moved[x.Name], present[x.Name] = moved, true
		r.served += served
		if x.Kind.RDMA() {
			r.rdma.add(moved)
		}
	}
	for name := range l.meters {
		if !present[name] {
			delete(l.meters, name)
		}
	}
	return r
}

// hasRDMA says whether a port is seen.
func (r reading) hasRDMA() bool {
	return slices.ContainsFunc(r.all, func(l link.Link) bool { return l.Kind.RDMA() })
}

// resource is that of the host.
func (r *renderer) hostResource() pcommon.Map {
	m := pcommon.NewMap()
	if r.host != "" {
		m.PutStr(signal.AttrHostName, r.host)
	}
	return m
}

// links writes the points of every link but the loopback, which has no limit and no other side.
func (s *sheet) links(l *links, r reading) {
	for _, x := range r.all {
		if x.Kind == link.Loopback {
			continue
		}
		who := []string{signal.AttrInterface, x.Name, signal.AttrLinkTransport, string(x.Kind)}
		if x.Kind.RDMA() {
			who[0] = signal.AttrHWID
		}
		m := l.meters[x.Name]
		s.direction(x, r, who, signal.DirectionTransmit, m.since, m.total.transmit, r.moved[x.Name].transmit)
		s.direction(x, r, who, signal.DirectionReceive, m.since, m.total.receive, r.moved[x.Name].receive)
		if x.Rate > 0 {
			s.gauge(signal.NIXLLinkLimit, who...).SetDoubleValue(x.Rate)
		}
		var isUp int64
		if x.Up {
			isUp = 1
		}
		s.gauge(signal.NIXLLinkUp, who...).SetIntValue(isUp)
		for _, e := range x.Errors {
			s.count(signal.NIXLRDMAErrors, m.since, m.errors[e.Name], signal.AttrHWID, x.Name, signal.AttrRDMACounter, e.Name)
		}
	}
}

func (s *sheet) direction(x link.Link, r reading, who []string, direction string, since time.Time, total, moved uint64) {
	who = append(slices.Clone(who), signal.AttrNetDirection, direction)
	s.count(signal.NIXLLinkIO, since, total, who...)
	if x.Rate > 0 && r.elapsed > 0 {
		s.gauge(signal.NIXLLinkUse, who...).SetDoubleValue(float64(moved) / r.elapsed.Seconds() / x.Rate)
	}
}
