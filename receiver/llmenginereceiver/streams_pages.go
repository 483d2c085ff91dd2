package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// fleetKey is a worker of a fleet.
type fleetKey struct {
	fleet  string
	member fleetMember
}

// observe takes from a page's points what the streams need of it: who its workers are, what they count as hits. It adds the points
// that say which streams are missing.
func (s *streams) observe(t *target, md pmetric.Metrics) {
	e := s.byTarget[t]
	own := 0
	for _, rm := range md.ResourceMetrics().All() {
		if isEngine(rm.Resource()) {
			own++
		}
	}
	for _, rm := range md.ResourceMetrics().All() {
		if !isEngine(rm.Resource()) {
			continue
		}
		page := readPage(rm)
		s.member(rm.Resource())
		for _, w := range e.workers {
			rank, ranked := rankOf(page.instance)
			mine := ranked && rank == w.rank || own == 1 && w.rank == 0
			if mine || own == 1 && !ranked {
				w.learn(rm.Resource(), mine, page.hits, page.hasHits)
			}
		}
		if page.engine != "" {
			s.missing(rm, e, &page)
		}
	}
}

func isEngine(r pcommon.Resource) bool {
	_, ok := r.Attributes().Get(signal.AttrEngineName)
	return ok
}

// member counts a worker of a fleet once.
func (s *streams) member(r pcommon.Resource) {
	fleet, _ := r.Attributes().Get(signal.AttrFleetName)
	instance, _ := r.Attributes().Get(signal.AttrServiceInstanceID)
	if fleet.Str() == "" {
		return
	}
	key := fleetKey{fleet.Str(), fleetMember(instance.Str())}
	s.membersMu.Lock()
	defer s.membersMu.Unlock()
	if _, ok := s.members[key]; !ok {
		s.members[key] = struct{}{}
		s.r.fleets.see(key.fleet, key.member)
	}
}

func (s *streams) forgetMembers() {
	s.membersMu.Lock()
	defer s.membersMu.Unlock()
	for key := range s.members {
		s.r.fleets.unsee(key.fleet, key.member)
	}
	clear(s.members)
}

// pageFacts are what the streams need of a worker's points.
type pageFacts struct {
	engine, version, instance string
	hits                      float64
	hasHits                   bool
	at                        pcommon.Timestamp
}

func readPage(rm pmetric.ResourceMetrics) pageFacts {
	var p pageFacts
	a := rm.Resource().Attributes()
	engine, _ := a.Get(signal.AttrEngineName)
	instance, _ := a.Get(signal.AttrServiceInstanceID)
	p.engine, p.instance = engine.Str(), instance.Str()
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		switch m.Name() {
		case signal.EngineInfo:
			version, _ := m.Gauge().DataPoints().At(0).Attributes().Get(signal.AttrEngineVersion)
			p.version, p.at = version.Str(), m.Gauge().DataPoints().At(0).Timestamp()
		case signal.KVHitTokens:
			for _, point := range m.Sum().DataPoints().All() {
				scope, ok := point.Attributes().Get(signal.AttrCacheScope)
				if !ok || scope.Str() == signal.CacheScopeLocal {
					p.hasHits = true
					p.hits += point.DoubleValue() + float64(point.IntValue())
				}
			}
		}
	}
	return p
}

// missing says which streams the engine has and the endpoint does not follow.
func (s *streams) missing(rm pmetric.ResourceMetrics, e endpointStreams, page *pageFacts) {
	if page.at == 0 {
		return // the page did not come
	}
	w := &pointWriter{table: s.table, metrics: rm.ScopeMetrics().At(0).Metrics(), now: page.at}
	for _, h := range dialect.Hints(page.engine, page.version) {
		if h.Source == signal.SourceKVEvents && e.kv || h.Source == signal.SourceForwardPasses && e.passes {
			continue
		}
		p := w.number(signal.SourceMissing, signal.AttrSource, h.Source)
		p.Attributes().PutStr(signal.AttrSourceHint, h.How)
		p.SetDoubleValue(1)
	}
}
