package serving

import (
	"encoding/json"
	"fmt"
	"math"
)

// keptStorm is the form in which a KVStorm is kept.
type keptStorm struct {
	Windows []KVChurn
	Calm    []float64
	Active  bool
	Since   float64
}

// MarshalJSON writes what it remembers.
func (s KVStorm) MarshalJSON() ([]byte, error) {
	return json.Marshal(keptStorm{s.windows, s.calm, s.active, s.since})
}

// UnmarshalJSON takes back what was written. It fails for more windows than are remembered, and for what is no amount.
func (s *KVStorm) UnmarshalJSON(text []byte) error {
	var k keptStorm
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}
	if n := max(len(k.Windows), len(k.Calm)); n > maxWindows {
		return fmt.Errorf("storm must have at most %d windows (got %d)", maxWindows, n)
	}
	for _, w := range k.Windows {
		if !amounts(w.End, w.Seconds, w.Stored, w.Regret, w.Evicted) {
			return fmt.Errorf("windows of a storm must have amounts (got %+v)", w)
		}
	}
	if !amounts(append(k.Calm, k.Since)...) {
		return fmt.Errorf("rates of calm windows must be amounts (got %v, since %v)", k.Calm, k.Since)
	}
	*s = KVStorm{windows: k.Windows, calm: k.Calm, active: k.Active, since: k.Since}
	return nil
}

// keptLowest is the form in which a KVLowest is kept.
type keptLowest struct {
	Minutes       [60]float64
	Minute, First int64
}

// MarshalJSON writes what it remembers.
func (l KVLowest) MarshalJSON() ([]byte, error) {
	return json.Marshal(keptLowest{l.minutes, l.minute, l.first})
}

// UnmarshalJSON takes back what was written.
func (l *KVLowest) UnmarshalJSON(text []byte) error {
	var k keptLowest
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}
	if !amounts(k.Minutes[:]...) || k.First < 0 || k.Minute < k.First-1 {
		return fmt.Errorf("minutes must be amounts and follow the first (got %d after %d)", k.Minute, k.First)
	}
	*l = KVLowest{minutes: k.Minutes, minute: k.Minute, first: k.First}
	return nil
}

func amounts(all ...float64) bool {
	for _, v := range all {
		if !(v >= 0) || math.IsInf(v, 1) {
			return false
		}
	}
	return true
}
