package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// maxAdvice bounds the advice that is kept, standing or past.
	maxAdvice = 500
	// keepPast is how long advice that no longer stands is shown.
	keepPast = time.Hour
	// maxRecords bounds the track records that are kept.
	maxRecords = 500
)

// advisory holds what the advice connector says: the verdict in force and the advice of each subject. The words come as log events when
// something changes; that it still holds comes as gauges, window by window. It is safe for concurrent use.
type advisory struct {
	mu       sync.Mutex
	verdicts map[string]*verdictSaid // by the fleet's id
	advice   map[adviceKey]*adviceSaid
	records  map[recordKey]*reading
}

// adviceKey tells advice apart: one rule speaks once of a subject.
type adviceKey struct {
	subject subjectKey
	rule    string
}

type recordKey struct{ fleet, rule string }

// verdictSaid is the verdict on a fleet: its last event, and the code that the gauge has had since.
type verdictSaid struct {
	event *verdictEvent     // nil before the first
	code  string            // of the gauge
	at    pcommon.Timestamp // of its last point
	heard cadence           // of the gauge
}

// adviceSaid is one advice: its last event, and whether it stands.
type adviceSaid struct {
	event    adviceEvent
	severity string
	fleet    string
	name     string // of the subject
	stands   bool
	verified bool
	heard    cadence // of the gauge
	changed  time.Time
}

func newAdvisory() *advisory {
	return &advisory{verdicts: map[string]*verdictSaid{}, advice: map[adviceKey]*adviceSaid{}, records: map[recordKey]*reading{}}
}

// observeLogs takes the events of the connector and passes over all other log records. It returns how many it refused.
func (a *advisory) observeLogs(ld plog.Logs, now time.Time) (malformed, full int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rl := range ld.ResourceLogs().All() {
		who, ok := readAdvised(rl.Resource().Attributes())
		if !ok {
			continue
		}
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				switch a.event(who, r, now) {
				case eventMalformed:
					malformed++
				case eventFull:
					full++
				}
			}
		}
	}
	return malformed, full
}

// reception is what became of an event.
type reception int

const (
	eventTaken reception = iota
	eventForeign
	eventMalformed
	eventFull
)

func (a *advisory) event(who advised, r plog.LogRecord, now time.Time) reception {
	switch r.EventName() {
	case eventVerdict:
		e, ok := readVerdict(r)
		if !ok || who.key.kind != kindFleet {
			return eventMalformed
		}
		v := a.verdict(who.fleetID())
		if v == nil {
			return eventFull
		}
		if v.event == nil || e.at >= v.event.at {
			v.event = e
		}
		return eventTaken
	case eventRaised, eventUpdated, eventCleared, eventVerified:
		e, ok := readAdvice(r)
		if !ok {
			return eventMalformed
		}
		return a.say(who, e, now)
	}
	return eventForeign
}

func (a *advisory) say(who advised, e adviceEvent, now time.Time) reception {
	said := a.of(who, e.Rule, now)
	if said == nil {
		return eventFull
	}
	if e.at < said.event.at {
		return eventTaken // late: what came after holds
	}
	if e.name == eventVerified {
		said.verified = true // a change was followed by its effect; whether the advice stands is another matter
	} else {
		said.stands = e.name != eventCleared
		said.verified = said.verified && !said.stands
	}
	if e.Observed == nil {
		e.Observed = said.event.Observed
	}
	said.event, said.severity, said.changed = e, e.Severity, now
	return eventTaken
}

// verdict returns what is said of a fleet, nil where there is no place for it.
func (a *advisory) verdict(fleet string) *verdictSaid {
	v, ok := a.verdicts[fleet]
	if !ok {
		if len(a.verdicts) >= maxAdvice {
			return nil
		}
		v = &verdictSaid{}
		a.verdicts[fleet] = v
	}
	return v
}

// of returns the place of an advice. Where all are taken, one that does not stand makes room.
func (a *advisory) of(who advised, rule string, now time.Time) *adviceSaid {
	key := adviceKey{who.key.clone(), clip(rule)}
	said, ok := a.advice[key]
	if ok {
		return said
	}
	if len(a.advice) >= maxAdvice {
		var oldest *adviceSaid
		var place adviceKey
		for k, s := range a.advice {
			if !s.stands && (oldest == nil || s.changed.Before(oldest.changed)) {
				oldest, place = s, k
			}
		}
		if oldest == nil {
			return nil
		}
		delete(a.advice, place)
	}
	said = &adviceSaid{fleet: who.fleet, name: who.name, changed: now, event: adviceEvent{Rule: key.rule}}
	a.advice[key] = said
	return said
}

// observeMetrics takes the connector's gauges.
func (a *advisory) observeMetrics(md pmetric.Metrics, now time.Time) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				switch m.Name() {
				case signal.Advice, signal.Verdict, signal.AdviceRecord:
					if who, ok := readAdvised(rm.Resource().Attributes()); ok && m.Type() == pmetric.MetricTypeGauge {
						a.gauge(who, m, now)
					}
				}
			}
		}
	}
}

func (a *advisory) gauge(who advised, m pmetric.Metric, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range m.Gauge().DataPoints().All() {
		if skew := now.Sub(p.Timestamp().AsTime()); skew > maxSkew || skew < -maxSkew {
			continue // held back in a queue: it says nothing of now
		}
		holds := !p.Flags().NoRecordedValue() && value(p) != 0
		rule := text(p.Attributes(), signal.AttrAdviceID)
		switch {
		case m.Name() == signal.Verdict:
			a.verdictGauge(who, text(p.Attributes(), signal.AttrVerdictCode), p.Timestamp(), holds, now)
		case rule == "":
		case m.Name() == signal.AdviceRecord:
			a.record(recordKey{who.fleetID(), clip(rule)}, p, now)
		default:
			a.adviceGauge(who, rule, text(p.Attributes(), signal.AttrAdviceSeverity), holds, now)
		}
	}
}

func (a *advisory) verdictGauge(who advised, code string, at pcommon.Timestamp, holds bool, now time.Time) {
	v := a.verdict(who.fleetID())
	switch {
	case v == nil:
	case holds:
		v.code, v.at = clip(code), at
		v.heard.observe(now)
	case v.code == code:
		v.code = ""
	}
}

func (a *advisory) adviceGauge(who advised, rule, severity string, holds bool, now time.Time) {
	if !holds {
		if said, ok := a.advice[adviceKey{who.key, rule}]; ok && said.severity == severity && said.stands {
			said.stands, said.changed = false, now
		}
		return
	}
	if said := a.of(who, rule, now); said != nil {
		said.stands, said.severity = true, clip(severity)
		said.heard.observe(now)
	}
}

func (a *advisory) record(key recordKey, p pmetric.NumberDataPoint, now time.Time) {
	f, ok := a.records[key]
	if p.Flags().NoRecordedValue() {
		delete(a.records, key)
		return
	}
	if !ok {
		if len(a.records) >= maxRecords {
			return
		}
		f = &reading{}
		a.records[key] = f
	}
	f.last = some(value(p))
	f.heard.observe(now)
}

// evict forgets advice that ended long ago, and what silent subjects were told.
func (a *advisory) evict(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, said := range a.advice {
		silent := !said.heard.last.IsZero() && now.Sub(said.heard.last) > evictAfter
		if said.stands && silent {
			said.stands, said.changed = false, now
		}
		if !said.stands && now.Sub(said.changed) > keepPast {
			delete(a.advice, key)
		}
	}
	for fleet, v := range a.verdicts {
		if !v.heard.last.IsZero() && now.Sub(v.heard.last) > keepPast {
			delete(a.verdicts, fleet)
		}
	}
	for key, f := range a.records {
		if now.Sub(f.heard.last) > keepPast {
			delete(a.records, key)
		}
	}
}
