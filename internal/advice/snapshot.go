package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// schema is the version of the snapshot's form. Another one is dropped: advice that is raised once more does less harm than advice that
// is misread.
const schema = 1

// snapshot is what outlives a restart: which advice stands, what is being verified, and the records. What was measured does not.
type snapshot struct {
	Schema   int           `json:"schema"`
	Subjects []saved       `json:"subjects"`
	Records  []savedRecord `json:"records"`
}

type saved struct {
	Ref     Ref              `json:"ref"`
	Lives   map[string]*life `json:"lives"`
	Verdict *verdictLife     `json:"verdict,omitempty"`
}

type savedRecord struct {
	Fleet  string `json:"fleet"`
	Rule   string `json:"rule"`
	Record record `json:"record"`
}

// Snapshot returns what is to outlive a restart.
func (a *Advisor) Snapshot() ([]byte, error) {
	shot := snapshot{Schema: schema}
	for _, ref := range a.sorted() {
		if s := a.subjects[ref]; len(s.lives) > 0 || s.verdict != nil {
			shot.Subjects = append(shot.Subjects, saved{Ref: ref, Lives: s.lives, Verdict: s.verdict})
		}
	}
	for _, s := range a.pending {
		shot.Subjects = append(shot.Subjects, s)
	}
	for key, r := range a.records {
		shot.Records = append(shot.Records, savedRecord{key.fleet, key.rule, r})
	}
	return json.Marshal(shot)
}

// Restore takes what Snapshot returned, before anything is observed. now is wall time: subjects that are not seen within MaxStale are
// forgotten without a word.
func (a *Advisor) Restore(data []byte, now time.Time) error {
	var shot snapshot
	if err := json.Unmarshal(data, &shot); err != nil {
		return fmt.Errorf("advice snapshot: %w", err)
	}
	if shot.Schema != schema {
		return fmt.Errorf("advice snapshot: schema must be %d (got %d)", schema, shot.Schema)
	}
	if len(shot.Subjects) > a.cfg.MaxSubjects {
		return fmt.Errorf("advice snapshot: must have at most %d subjects (got %d)", a.cfg.MaxSubjects, len(shot.Subjects))
	}
	for _, s := range shot.Subjects {
		a.pending[s.Ref.text()] = s
	}
	for _, r := range shot.Records {
		a.records[recordKey{r.Fleet, r.Rule}] = r.Record
	}
	a.loaded = now
	return nil
}

func (r Ref) text() string {
	return string(r.Kind) + "\x00" + r.Host + "\x00" + r.Instance + "\x00" + r.Model
}

// recall gives a subject back what was remembered of it. Rules that are no more are left out.
func (a *Advisor) recall(s *state) {
	was, ok := a.pending[s.text()]
	if !ok {
		return
	}
	delete(a.pending, s.text())
	for _, rule := range a.rules[s.Kind] {
		if l := was.Lives[rule.ID]; l != nil && l.whole() {
			s.lives[rule.ID] = l
		}
	}
	s.verdict = was.Verdict
}

// whole reports whether a life that was read back can be lived on.
func (l *life) whole() bool {
	if l.Relapses < 0 {
		return false
	}
	if l.Said == nil {
		return !l.Standing && l.Trial == nil
	}
	return l.Trial == nil || l.Trial.Lever >= 0 && l.Trial.Lever < len(l.Trial.Levers)
}

// expire forgets what was remembered of subjects that did not come back.
func (a *Advisor) expire(now time.Time) {
	if len(a.pending) > 0 && now.Sub(a.loaded) > a.cfg.MaxStale {
		clear(a.pending)
		maps.DeleteFunc(a.records, func(k recordKey, _ record) bool { return a.fleets[k.fleet] == nil })
	}
}
