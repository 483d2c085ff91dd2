package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// maxFigures bounds the figures of one subject. A worker has about 60.
	maxFigures = 256
	// subjectsPerWorker bounds the subjects: a worker may come with eight GPUs and as many agents.
	subjectsPerWorker = 20
)

// register holds what is shown as it arrives: the figures of KV cache, transfers, split, GPUs and sources. It is safe for concurrent use.
type register struct {
	table      map[string]shown
	limit      int
	maxWorkers int // of the subjects: what the page has no worker for is not looked at with each update

	mu       sync.RWMutex
	subjects map[subjectKey]*subject
	workers  int // of the subjects
}

// shown is a metric of the table with its name, which keeps no batch alive.
type shown struct {
	shownMetric
	name string
}

func newRegister(maxWorkers int) *register {
	r := &register{table: map[string]shown{}, limit: maxWorkers * subjectsPerWorker, maxWorkers: maxWorkers, subjects: map[subjectKey]*subject{}}
	for name, m := range shownTable() {
		r.table[name] = shown{m, name}
	}
	return r
}

// observe takes a batch. It reads md and never writes to it. What is refused is added to rejected.
func (r *register) observe(md pmetric.Metrics, now time.Time, rejected *tally) {
	for _, rm := range md.ResourceMetrics().All() {
		key, ok := readSubject(rm.Resource().Attributes())
		if !ok {
			continue
		}
		intake := intake{register: r, key: key, resource: rm.Resource().Attributes(), now: now, rejected: rejected}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if known, ok := r.table[m.Name()]; ok {
					intake.metric(m, known)
				}
			}
		}
	}
}

// intake is one resource of a batch on its way in. Its subject is made with the first metric that is shown.
type intake struct {
	register *register
	key      subjectKey
	resource pcommon.Map
	now      time.Time
	rejected *tally
	subject  *subject
}

func (i *intake) metric(m pmetric.Metric, known shown) {
	if (m.Type() == pmetric.MetricTypeHistogram) != (known.as == asTail) {
		i.rejected[rejectUnsupported] += int64(points(m))
		return
	}
	if i.subject == nil {
		if i.subject = i.register.admit(i.key, i.resource); i.subject == nil {
			i.rejected[rejectFull] += int64(points(m))
			return
		}
	}
	i.subject.mu.Lock()
	defer i.subject.mu.Unlock()
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		i.numbers(m.Gauge().DataPoints(), known, false)
	case pmetric.MetricTypeSum:
		i.numbers(m.Sum().DataPoints(), known, temporality(m))
	case pmetric.MetricTypeHistogram:
		i.tails(m.Histogram(), known)
	default:
		i.rejected[rejectUnsupported] += int64(points(m))
	}
}

func (i *intake) inTime(at pcommon.Timestamp) bool {
	skew := i.now.Sub(at.AsTime())
	return skew <= maxSkew && skew >= -maxSkew
}

func (i *intake) tails(h pmetric.Histogram, known shown) {
	delta := h.AggregationTemporality() == pmetric.AggregationTemporalityDelta
	for _, p := range h.DataPoints().All() {
		switch {
		case !i.inTime(p.Timestamp()):
			i.rejected[rejectOutOfTime]++
		case !i.subject.takeTail(known, p, delta, i.now, i.rejected):
			i.rejected[rejectFull]++
		default:
			i.subject.heard = i.now
		}
	}
}

func (i *intake) numbers(ps pmetric.NumberDataPointSlice, known shown, delta bool) {
	s := i.subject
	for _, p := range ps.All() {
		v := value(p)
		switch {
		case !i.inTime(p.Timestamp()):
			i.rejected[rejectOutOfTime]++
		case !p.Flags().NoRecordedValue() && (math.IsNaN(v) || math.IsInf(v, 0)):
			i.rejected[rejectNotANumber]++
		case !s.take(known, p, delta, i.now):
			i.rejected[rejectFull]++
		default:
			s.heard = i.now
		}
	}
}

// admit returns the subject of key, a new one where there is none, and nil when there is no place for a new one.
func (r *register) admit(key subjectKey, resource pcommon.Map) *subject {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.subjects[key]
	if !ok {
		if len(r.subjects) >= r.limit || key.kind == kindWorker && r.workers >= r.maxWorkers {
			return nil
		}
		if key.kind == kindWorker {
			r.workers++
		}
		key.host, key.instance, key.model = strings.Clone(key.host), strings.Clone(key.instance), strings.Clone(key.model)
		s = &subject{key: key, id: key.id(), figures: map[figureKey]*reading{}}
		r.subjects[key] = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if take(&s.fleet, cmp.Or(text(resource, signal.AttrFleetName), text(resource, signal.AttrModel))) {
		s.fleetOf = shortID(s.fleet)
	}
	take(&s.name, cmp.Or(text(resource, signal.AttrHWName), key.instance))
	return s
}

// evict forgets the subjects and figures that were silent for too long.
func (r *register) evict(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, s := range r.subjects {
		s.mu.Lock()
		s.forget(now)
		if len(s.figures) == 0 {
			delete(r.subjects, key)
			if key.kind == kindWorker {
				r.workers--
			}
		}
		s.mu.Unlock()
	}
}

// conditions returns what the sections say of a worker or a fleet.
func (r *register) conditions(key subjectKey, now time.Time) conditions {
	r.mu.RLock()
	s := r.subjects[key]
	r.mu.RUnlock()
	if s == nil {
		return conditions{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conditions(r.table, now)
}

// all returns the subjects in no order, so that what takes its time with them holds up no batch.
func (r *register) all() []*subject {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.subjects))
}

// views returns what is shown of the subjects that are wanted, of all where want is nil, in a fixed order. It is the dear part of an update
// and made for those who look only.
func (r *register) views(now time.Time, want func(*subject) bool) []subjectView {
	views := []subjectView{}
	for _, s := range r.all() {
		if want == nil || want(s) {
			views = append(views, r.view(s, now))
		}
	}
	slices.SortFunc(views, func(a, b subjectView) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return views
}

func (r *register) view(s *subject, now time.Time) subjectView {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := subjectView{
		ID: s.id, Kind: s.key.kind, Name: s.name, Host: clip(s.key.host), Instance: clip(s.key.instance), FleetID: s.fleetOf,
		Sections: map[string]sectionView{},
	}
	heard := map[string]time.Time{}
	for key, f := range s.figures {
		known := r.table[key.metric]
		if f.heard.last.After(heard[known.section]) {
			heard[known.section] = f.heard.last
		}
		if f.heard.stale(now) {
			continue
		}
		for _, shown := range f.figures(key.of[:len(known.of)], known.as, now) {
			section := v.Sections[known.section]
			if section == nil {
				section = sectionView{}
				v.Sections[known.section] = section
			}
			section[key.metric] = append(section[key.metric], shown)
		}
	}
	for name, last := range heard {
		if v.Sections[name] == nil && now.Sub(last) > minSilence {
			if v.Silent == nil {
				v.Silent = map[string]int64{}
			}
			v.Silent[name] = last.UnixMilli()
		}
	}
	for _, section := range v.Sections {
		for _, figures := range section {
			sortFigures(figures)
		}
	}
	return v
}
