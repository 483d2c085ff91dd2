package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// subjectKind is what figures are about.
type subjectKind string

const (
	kindWorker subjectKind = "worker"
	kindFleet  subjectKind = "fleet"
	kindAgent  subjectKind = "agent" // of NIXL
	kindGPU    subjectKind = "gpu"
	kindHost   subjectKind = "host"
)

func subjectKinds() []subjectKind {
	return []subjectKind{kindWorker, kindFleet, kindAgent, kindGPU, kindHost}
}

// subjectKey tells subjects apart. A worker's is that of workerKey.
type subjectKey struct {
	kind                  subjectKind
	host, instance, model string
}

func (k subjectKey) id() string {
	switch k.kind {
	case kindWorker:
		return workerKey{k.host, k.instance, k.model}.id()
	case kindFleet:
		return shortID(k.instance)
	}
	return shortID(string(k.kind) + "\x00" + k.host + "\x00" + k.instance)
}

// readSubject says what a resource is; false for what the page does not show. The key shares memory with the attributes.
func readSubject(attrs pcommon.Map) (k subjectKey, ok bool) {
	k = subjectKey{host: text(attrs, signal.AttrHostName), instance: text(attrs, signal.AttrServiceInstanceID)}
	engine, observer := text(attrs, signal.AttrEngineName), text(attrs, signal.AttrObserver)
	switch {
	case text(attrs, signal.AttrHWID) != "":
		k.kind, k.instance = kindGPU, text(attrs, signal.AttrHWID)
	case text(attrs, signal.AttrNIXLSource) != "":
		k.kind, k.instance = kindAgent, agentName(attrs)
	case engine != "" && observer == "":
		k.kind, k.model = kindWorker, text(attrs, signal.AttrModel)
	case observer != "" || engine != "":
		return k, false // tells of engines and is none
	case k.instance == "" && text(attrs, signal.AttrFleetName) != "":
		k.kind, k.host, k.instance = kindFleet, "", text(attrs, signal.AttrFleetName)
	case k.instance == "" && k.host != "":
		k.kind, k.instance = kindHost, k.host
	}
	return k, k.instance != "" && max(len(k.host), len(k.instance), len(k.model)) <= maxLabel
}

// agentName is the name of a NIXL agent, or the number that stands for a random one, with its process.
func agentName(attrs pcommon.Map) string {
	name := cmp.Or(text(attrs, signal.AttrNIXLAgentName), asText(attrs, signal.AttrNIXLAgentSlot))
	if pid := asText(attrs, signal.AttrProcessPID); name != "" && pid != "" {
		return name + "/" + pid
	}
	return name
}

// asText returns an attribute of any type as text, empty where it is absent.
func asText(attrs pcommon.Map, name string) string {
	v, ok := attrs.Get(name)
	if !ok {
		return ""
	}
	return v.AsString()
}

// figureKey tells the figures of a subject apart: the metric and its attributes, in the order of shownMetric.of.
type figureKey struct {
	metric string
	of     [maxPlaces]string
}

// reading is one number of a subject.
type reading struct {
	heard cadence
	at    pcommon.Timestamp
	last  number
	flow  *flow    // of a rate
	tail  *latency // of a histogram
}

// subject is one resource with what is shown of it. Its lock guards all fields but key and id.
type subject struct {
	key subjectKey
	id  string

	mu      sync.Mutex
	name    string
	fleet   string
	fleetOf string // its id, "" where it is of no fleet
	heard   time.Time
	figures map[figureKey]*reading
}

// fleetID is the id of its fleet, "" where it is of none.
func (s *subject) fleetID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleetOf
}

// number returns a level, a total or a rate.
func (f *reading) number(as display, now time.Time) number {
	if as != asRate {
		return f.last
	}
	n := f.flow.increase(now)
	n.value /= trailingLength.Seconds()
	return n
}

// figures returns what is shown of a reading that is not silent.
func (f *reading) figures(of []string, as display, now time.Time) []figureView {
	if as == asTail {
		merged := percentile.Merge([]percentile.Distribution{f.tail.distribution(now)})
		var shown []figureView
		for _, q := range []float64{0.5, 0.99} {
			if e, ok := merged.Quantile(q); ok {
				shown = append(shown, figureView{Of: append(slices.Clone(of), words.Quantile(q)), Value: some(e.Value).rounded()})
			}
		}
		return shown
	}
	n := f.number(as, now)
	if !n.ok {
		return nil
	}
	return []figureView{{Of: slices.Clone(of), Value: n.rounded()}}
}

// take takes a point of a shown metric. It returns false where it has no place for it.
func (s *subject) take(known shown, p pmetric.NumberDataPoint, delta bool, now time.Time) bool {
	key := keyOf(known, p.Attributes())
	if p.Flags().NoRecordedValue() {
		s.end(key, p.Timestamp())
		return true
	}
	f := s.reading(key, known.as)
	if f == nil {
		return false
	}
	if p.Timestamp() < f.at {
		return true // another stream of the same figure is newer
	}
	f.at = p.Timestamp()
	f.heard.observe(now)
	f.last = some(value(p))
	if f.flow != nil {
		values, increase := [1]float64{value(p)}, [1]float64{}
		got := f.flow.counter.observe(point{
			at: int64(p.Timestamp()), start: int64(p.StartTimestamp()), delta: delta, values: values[:],
		}, increase[:])
		if got == counted && increase[0] >= 0 {
			f.flow.window.add(now, increase[:])
		}
	}
	return true
}

// end drops a figure whose stream ended.
func (s *subject) end(key figureKey, at pcommon.Timestamp) {
	if f, ok := s.figures[key]; ok && at >= f.at {
		delete(s.figures, key)
	}
}

// reading returns the place of a figure, nil where there is none.
func (s *subject) reading(key figureKey, as display) *reading {
	f, ok := s.figures[key]
	if ok {
		return f
	}
	if len(s.figures) >= maxFigures {
		return nil
	}
	f = &reading{}
	switch as {
	case asRate:
		f.flow = &flow{counter: counter{trustStart: true}}
	case asTail:
		f.tail = &latency{}
	}
	s.figures[key.clone()] = f
	return f
}

// takeTail takes a point of a histogram. It returns false where there is no place for it.
func (s *subject) takeTail(known shown, p pmetric.HistogramDataPoint, delta bool, now time.Time, rejected *tally) bool {
	key := keyOf(known, p.Attributes())
	if p.Flags().NoRecordedValue() {
		s.end(key, p.Timestamp())
		return true
	}
	f := s.reading(key, asTail)
	if f == nil {
		return false
	}
	o := observation{now: now, tally: rejected}
	o.buckets(f.tail, p, delta)
	if o.taken {
		f.at = p.Timestamp()
		f.heard.observe(now)
	}
	return true
}

func keyOf(known shown, attrs pcommon.Map) figureKey {
	key := figureKey{metric: known.name}
	for i, name := range known.of {
		key.of[i] = asText(attrs, name)
	}
	return key
}

// clone returns a key that keeps no batch alive. The name of the metric is one of the table.
func (k figureKey) clone() figureKey {
	for i, v := range k.of {
		k.of[i] = clip(v)
	}
	return k
}

// forget drops the figures that have been silent for too long.
func (s *subject) forget(now time.Time) {
	for key, f := range s.figures {
		if now.Sub(f.heard.last) > evictAfter {
			delete(s.figures, key)
		}
	}
}

// sortFigures puts figures into a fixed order.
func sortFigures(figures []figureView) {
	slices.SortFunc(figures, func(a, b figureView) int {
		return slices.Compare(a.Of, b.Of)
	})
}
