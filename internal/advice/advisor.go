package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Advisor holds the subjects and asks the rules. It is not safe for concurrent use.
type Advisor struct {
	cfg      Config
	rules    map[Kind][]Rule
	inputs   map[string]bool
	subjects map[Ref]*state
	touched  []*state
	fleets   map[string]*fleet
	homes    map[home]string // fleet by where its workers serve
	records  map[recordKey]record
	pending  map[string]saved // what was remembered of subjects that were not seen since the restart, by their text
	loaded   time.Time
	known    *known
	changed  bool // see Changed
	withheld map[Silence]int64
}

// New makes an Advisor for the given rules.
func New(cfg Config, rules []Rule) *Advisor {
	a := &Advisor{
		cfg: cfg, rules: map[Kind][]Rule{}, inputs: map[string]bool{}, subjects: map[Ref]*state{}, fleets: map[string]*fleet{}, homes: map[home]string{},
		records: map[recordKey]record{}, pending: map[string]saved{}, known: newKnown(), withheld: map[Silence]int64{},
	}
	for _, r := range rules {
		a.rules[r.Subject] = append(a.rules[r.Subject], r)
		for _, name := range r.Inputs {
			a.inputs[name] = true
		}
	}
	for _, name := range verdictInputs() {
		a.inputs[name] = true
	}
	return a
}

// Wants reports whether a metric is read at all.
func (a *Advisor) Wants(metric string) bool { return a.inputs[metric] }

// Changed reports whether what Snapshot returns became another since Changed was asked last, but for how far a condition has come towards being
// raised or cleared, which matters to nobody after a restart.
func (a *Advisor) Changed() bool {
	was := a.changed
	a.changed = false
	return was
}

// Subjects is how many subjects are remembered.
func (a *Advisor) Subjects() int { return len(a.subjects) }

// Subject is where the points of one subject are observed.
type Subject struct{ s *state }

// Learn takes a fact that the subject's resource tells, and reports whether it is news.
func (s Subject) Learn(name, value string) bool {
	if s.s.Facts[name] == value {
		return false
	}
	s.s.Facts[strings.Clone(name)] = strings.Clone(value)
	return true
}

// Carry replaces what the subject carries.
func (s Subject) Carry(v any) { s.s.Carry = v }

// Observe takes a point; false when it was refused for its time, or because the subject has too many streams.
func (s Subject) Observe(p Point) bool { return s.s.take(p) }

// Subject returns a subject, made by create at first sight. ok is false when there is no room for a new one. now is wall time.
func (a *Advisor) Subject(ref Ref, now time.Time, create func() Identity) (Subject, bool) {
	s := a.subjects[ref]
	if s == nil {
		if s = a.admit(ref, create); s == nil {
			return Subject{}, false
		}
	}
	if !s.heard.IsZero() && now.After(s.heard) {
		s.pause = now.Sub(s.heard)
	}
	s.heard, s.silent = now, false
	if !s.touched {
		s.touched = true
		a.touched = append(a.touched, s)
	}
	return Subject{s}, true
}

func (a *Advisor) admit(ref Ref, create func() Identity) *state {
	if unanswered := a.subjects[Ref{Kind: Worker, Host: ref.Host, Instance: ref.Instance}]; unanswered != nil && ref.Model != "" {
		delete(a.subjects, unanswered.Ref) // the endpoint that the worker is found at
		a.part(unanswered)
	}
	if len(a.subjects) >= a.cfg.MaxSubjects {
		return nil
	}
	s := newState(create(), &a.cfg, a.known)
	a.subjects[s.Ref] = s
	a.recall(s)
	a.join(s)
	return s
}

// Judge closes the windows that are complete and says what came of them.
func (a *Advisor) Judge() Report {
	var out Report
	var fleets []*fleet
	for _, s := range a.touched {
		s.touched = false
		if s.Kind == Fleet {
			continue // its windows end with those of its members
		}
		a.adopt(s)
		if w, ok := s.complete(false); ok {
			s.keep(w, a.cfg.Trailing)
			a.judge(read(s, &a.cfg), &out)
			if f := a.fleetOf(s); f != nil && !slices.Contains(fleets, f) {
				fleets = append(fleets, f)
			}
		}
	}
	a.touched = a.touched[:0]
	for _, f := range fleets {
		a.judgeFleet(f, &out)
	}
	return out
}

// Sweep finishes the windows of subjects that fell silent and forgets those that are silent for too long. now is wall time.
func (a *Advisor) Sweep(now time.Time) Report {
	var out Report
	fleets := map[*fleet]bool{}
	for _, ref := range a.sorted() {
		s := a.subjects[ref]
		if ref.Kind == Fleet {
			continue
		}
		silence := now.Sub(s.heard)
		if !s.silent && silence > 3*max(a.cfg.Window, s.pause) {
			s.silent = true
			if w, ok := s.complete(true); ok {
				s.keep(w, a.cfg.Trailing)
				a.judge(read(s, &a.cfg), &out)
			}
			out.export(s, now.UnixNano()).finish()
			fleets[a.fleetOf(s)] = true
		}
		if silence > a.cfg.MaxStale {
			a.forget(s, now, &out)
			fleets[a.fleetOf(s)] = true
		}
	}
	a.sweepFleets(fleets, now, &out)
	a.expire(now)
	return out
}

// sorted are the subjects in an order that does not change.
func (a *Advisor) sorted() []Ref {
	refs := slices.Collect(maps.Keys(a.subjects))
	slices.SortFunc(refs, compareRefs)
	return refs
}

// forget drops a subject. What stood there is cleared: nobody will say that it is over.
func (a *Advisor) forget(s *state, now time.Time, out *Report) {
	for _, id := range slices.Sorted(maps.Keys(s.lives)) {
		if l := s.lives[id]; l.Standing && !l.Muted {
			out.Events = append(out.Events, Event{
				Name: Cleared, At: now.UnixNano(), Subject: s.Identity, Rule: id, Since: l.Since, Finding: *l.Said, Reason: ReasonGone,
			})
		}
	}
	out.export(s, now.UnixNano()).finish()
	delete(a.subjects, s.Ref)
	a.changed = true
	a.part(s)
}

// judge asks the rules of one subject about its newest window.
func (a *Advisor) judge(r *Reading, out *Report) {
	if arrivals, ok := r.arrivals(); ok {
		r.demand.add(arrivals, r.At)
	}
	gauges := out.export(r.state, r.At)
	for _, rule := range a.rules[r.Kind] {
		l := r.lives[rule.ID]
		if l == nil {
			l = &life{}
		}
		before := l.mark()
		a.ask(rule, l, r, out)
		a.changed = a.changed || l.mark() != before
		if l.idle(r.At, &a.cfg) {
			delete(r.lives, rule.ID)
			continue
		}
		r.lives[rule.ID] = l
		if l.Standing && !l.Muted {
			k := levelKey{signal.Advice, rule.ID, string(l.Said.Severity)}
			gauges.set(k, 1, k.attributes()...)
		}
	}
	if r.Kind == Fleet {
		a.verdict(r, gauges, out)
		a.exportRecords(r, gauges)
	}
	gauges.finish()
}

// ask puts one rule's answer into its life, and tells what happened.
func (a *Advisor) ask(rule Rule, l *life, r *Reading, out *Report) {
	r.standing = l.Standing
	outcome := rule.Check(r)
	r.standing = false
	if outcome.Finding != nil && !outcome.Finding.finite() {
		outcome = Withhold("not_finite")
	}
	if outcome.Withheld != "" {
		a.withheld[Silence{rule.ID, outcome.Withheld}]++
	}
	tell := func(e Event) {
		e.At, e.Subject, e.Rule, e.Since, e.Finding = r.At, r.Identity, rule.ID, l.Since, *l.Said
		out.Events = append(out.Events, e)
	}
	key := recordKey{r.Fleet, rule.ID}
	if o := a.verify(rule, l, r); o != nil {
		tell(Event{Name: Verified, Observed: o})
	}
	name, reason := l.step(outcome, r.At, &a.cfg)
	poor := a.records[key].poor()
	switch name {
	case Raised, Updated:
		l.Said.aim(r)
		if l.Trial == nil || l.Trial.Followed == 0 {
			l.Trial = newTrial(l.Said, r)
		}
		if name == Raised {
			l.Muted = poor
		}
	case "":
		if l.Standing && !l.Muted && poor {
			l.Muted = true
			tell(Event{Name: Cleared, Reason: ReasonRecord})
		}
		return
	}
	if !l.Muted {
		tell(Event{Name: name, Reason: reason})
	}
}

// verify looks after the trial of an advice. What could be measured and compared goes into the record.
func (a *Advisor) verify(rule Rule, l *life, r *Reading) *Observation {
	if l.Trial == nil || rule.Measure == nil {
		return nil
	}
	if !l.Standing && l.Trial.Followed == 0 && !l.cooling(r.At, a.cfg.CoolDown) {
		l.Trial = nil // nobody followed it, and its time is over
		return nil
	}
	o, done := l.Trial.step(r, rule.Measure, &a.cfg)
	if done {
		l.Trial = nil
	}
	if o == nil {
		return nil
	}
	key := recordKey{r.Fleet, rule.ID}
	if o.Result != NotComparable {
		a.records[key] = a.records[key].add(o.Result == Inside)
	}
	o.Record, o.Records = a.records[key].share(), len(a.records[key])
	return o
}
