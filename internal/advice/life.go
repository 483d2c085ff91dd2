package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"math"
	"time"
)

// life is the state of one rule for one subject. It outlives a restart.
type life struct {
	Standing bool     `json:"standing"`
	Muted    bool     `json:"muted"` // it stands but is not told: its record is poor
	Since    int64    `json:"since"`
	Cleared  int64    `json:"cleared"`            // when it was last cleared, 0 never
	Relapses int      `json:"relapses,omitempty"` // how often it was cleared, since it last stood or was gone for a cool-down
	Holding  int      `json:"holding"`            // windows in a row in which the condition held
	Lapsed   int      `json:"lapsed"`             // in which it did not, or could not be known
	Unlike   int      `json:"unlike"`             // in which the finding differed materially from what was told
	Said     *Finding `json:"said,omitempty"`
	Trial    *trial   `json:"trial,omitempty"`
}

// mark is what tells two states of a life apart that a restart must not confuse.
type mark struct {
	standing, muted bool
	said            *Finding
	trial           *trial
	followed        int64
}

func (l *life) mark() mark {
	m := mark{standing: l.Standing, muted: l.Muted, said: l.Said, trial: l.Trial}
	if l.Trial != nil {
		m.followed = l.Trial.Followed
	}
	return m
}

// materialShare is by how much of the larger one a predicted effect changes before it is told again.
const materialShare = 0.5

// step takes a rule's answer for one window into its life. event is "" when there is nothing to tell.
func (l *life) step(o Outcome, at int64, cfg *Config) (event EventName, reason string) {
	switch {
	case o.Finding != nil:
		return l.hold(o.Finding, at, cfg), ""
	case !l.Standing:
		l.Holding = 0
		return "", ""
	}
	l.Holding, l.Unlike = 0, 0
	if l.Lapsed++; l.Lapsed < cfg.ClearAfter {
		return "", ""
	}
	reason = ReasonOver
	if o.Withheld != "" {
		reason = ReasonLost
	}
	l.clear(at, cfg)
	return Cleared, reason
}

func (l *life) hold(f *Finding, at int64, cfg *Config) EventName {
	l.Lapsed = 0
	if !l.Standing {
		if l.Holding == 0 && !l.cooling(at, cfg.CoolDown) {
			l.Relapses = 0
		}
		if l.Holding++; l.Holding < l.patience(cfg) {
			return ""
		}
		l.Standing, l.Since, l.Said, l.Unlike = true, at, f, 0
		return Raised
	}
	if !differs(l.Said, f) {
		l.Unlike = 0
		return ""
	}
	if l.Unlike++; l.Unlike < cfg.ClearAfter {
		return ""
	}
	l.Said, l.Unlike = f, 0
	return Updated
}

// patience is for how many windows in a row the condition has to hold for the advice to be raised. Each time that it comes and goes within a
// cool-down doubles it, up to the cool-down: what flaps is told ever more rarely, and what came back to stay is not held back for long.
func (l *life) patience(cfg *Config) int {
	most := int(cfg.CoolDown / cfg.Window)
	return max(cfg.RaiseAfter, min(most, cfg.RaiseAfter<<min(l.Relapses, 16)))
}

func (l *life) cooling(at int64, coolDown time.Duration) bool {
	return l.Cleared != 0 && at-l.Cleared < int64(coolDown)
}

func (l *life) clear(at int64, cfg *Config) {
	if at-l.Since >= int64(cfg.CoolDown) {
		l.Relapses = 0
	}
	l.Relapses++
	l.Standing, l.Cleared, l.Holding, l.Lapsed, l.Unlike = false, at, 0, 0, 0
}

// idle reports whether nothing of the life is worth keeping.
func (l *life) idle(at int64, cfg *Config) bool {
	return !l.Standing && l.Trial == nil && l.Holding == 0 && !l.cooling(at, cfg.CoolDown)
}

// differs reports whether b says materially else than a: another severity or change to make, another class of confidence, a first
// prediction, or an effect that is twice or half as large.
func differs(a, b *Finding) bool {
	if a == nil || a.Severity != b.Severity || a.Action.Change != b.Action.Change || word(a.Confidence) != word(b.Confidence) {
		return true
	}
	if a.Predicted == nil || b.Predicted == nil {
		return a.Predicted == nil && b.Predicted != nil
	}
	x, y := a.Predicted.From-a.Predicted.To, b.Predicted.From-b.Predicted.To
	return math.Abs(x-y) > materialShare*math.Max(math.Abs(x), math.Abs(y))
}

// The words of a confidence.
const (
	confidentHigh = 0.8
	confidentMed  = 0.5
)

// word is HIGH, MED or LOW.
func word(confidence float64) string {
	switch {
	case confidence >= confidentHigh:
		return "HIGH"
	case confidence >= confidentMed:
		return "MED"
	}
	return "LOW"
}
