package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// fleetKey is a worker of a fleet.
type fleetKey struct {
	fleet  string
	member fleetMember
}

// observe takes from a page's points what the streams need of it: who its workers are, what they count as hits.
func (s *streams) observe(t *target, md pmetric.Metrics) {
	e := s.byTarget[t]
	own := 0
	for _, rm := range md.ResourceMetrics().All() {
		if isEngine(rm.Resource()) {
			own++
		}
	}
	var members []fleetKey
	for _, rm := range md.ResourceMetrics().All() {
		if !isEngine(rm.Resource()) {
			continue
		}
		page := readPage(rm)
		if m, ok := memberOf(rm.Resource()); ok {
			members = append(members, m)
		}
		for _, w := range e.workers {
			rank, ranked := rankOf(page.instance)
			mine := ranked && rank == w.rank || own == 1 && w.rank == 0
			if mine || own == 1 && !ranked {
				w.learn(rm.Resource(), mine, page.hits, page.hasHits)
			}
		}
	}
	s.see(t, members)
}

func isEngine(r pcommon.Resource) bool {
	_, ok := r.Attributes().Get(signal.AttrEngineName)
	return ok
}

// memberOf tells which fleet a worker is in, if any.
func memberOf(r pcommon.Resource) (m fleetKey, ok bool) {
	fleet, _ := r.Attributes().Get(signal.AttrFleetName)
	instance, _ := r.Attributes().Get(signal.AttrServiceInstanceID)
	return fleetKey{fleet.Str(), fleetMember(instance.Str())}, fleet.Str() != ""
}

// see counts the workers that a target has now, and no longer those that it had before. One that is down is still there.
func (s *streams) see(t *target, now []fleetKey) {
	s.membersMu.Lock()
	defer s.membersMu.Unlock()
	before := s.members[t]
	if slices.Equal(before, now) {
		return
	}
	for _, m := range now {
		s.r.fleets.see(m.fleet, m.member)
	}
	for _, m := range before {
		s.r.fleets.unsee(m.fleet, m.member)
	}
	s.members[t] = now
}

func (s *streams) forgetMembers() {
	s.membersMu.Lock()
	defer s.membersMu.Unlock()
	for _, members := range s.members {
		for _, m := range members {
			s.r.fleets.unsee(m.fleet, m.member)
		}
	}
	clear(s.members)
}

// pageFacts are what the streams need of a worker's points.
type pageFacts struct {
	instance string
	hits     float64
	hasHits  bool
}

func readPage(rm pmetric.ResourceMetrics) pageFacts {
	var p pageFacts
	instance, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
	p.instance = instance.Str()
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		if m.Name() != signal.KVHitTokens {
			continue
		}
		for _, point := range m.Sum().DataPoints().All() {
			scope, ok := point.Attributes().Get(signal.AttrCacheScope)
			if !ok || scope.Str() == signal.CacheScopeLocal {
				p.hasHits = true
				p.hits += point.DoubleValue() + float64(point.IntValue())
			}
		}
	}
	return p
}
