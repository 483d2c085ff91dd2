package serving

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// keptAdviser is the form in which an Adviser is kept. How often the topology changed is not: sums begin anew.
type keptAdviser struct {
	Candidate, Current Topology
	Since, ChangedAt   int64
	Seen               int
	Likely, Stands     bool
}

// MarshalJSON writes what it was told and what it concluded.
func (a Adviser) MarshalJSON() ([]byte, error) {
	return json.Marshal(keptAdviser{
		Candidate: a.candidate, Current: a.current, Since: a.since, ChangedAt: a.changedAt, Seen: a.seen, Likely: a.likely, Stands: a.stands,
	})
}

// UnmarshalJSON takes back what was written. It fails for what an Adviser cannot have concluded.
func (a *Adviser) UnmarshalJSON(text []byte) error {
	var k keptAdviser
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}
	switch {
	case !k.Current.possible() || !k.Candidate.possible():
		return fmt.Errorf("topologies must have at least 0 groups and at most %d (got %+v and %+v)", mostGroups, k.Current, k.Candidate)
	case min(k.Since, k.ChangedAt) < 0 || k.Seen < 0:
		return fmt.Errorf("times and evaluations must be at least 0 (got since %d, changed at %d, %d seen)", k.Since, k.ChangedAt, k.Seen)
	case !k.Likely && (k.Since != 0 || k.Seen != 0) || k.Stands && (!k.Likely || k.Seen < adviceWindows):
		return fmt.Errorf("a recommendation must be likely and seen %d times (got %+v)", adviceWindows, k)
	case k.Likely && (k.Candidate == k.Current || k.Candidate.Groups() == 0):
		return fmt.Errorf("candidate must be another topology (got %+v of %+v)", k.Candidate, k.Current)
	}
	*a = Adviser{
		candidate: k.Candidate, since: k.Since, seen: k.Seen, likely: k.Likely, stands: k.Stands,
		current: k.Current, changedAt: k.ChangedAt, known: k.Current.Groups() > 0,
	}
	return nil
}

// mostGroups bounds the groups of each role of a topology that is taken back.
const mostGroups = 1_000_000

// possible reports whether there may be such a topology.
func (t Topology) possible() bool {
	return min(t.Prefill, t.Decode, t.Aggregated) >= 0 && max(t.Prefill, t.Decode, t.Aggregated) <= mostGroups
}

// Known reports whether it was told a topology.
func (a *Adviser) Known() bool { return a.known }

// Latest is the latest time it remembers, 0 for none.
func (a *Adviser) Latest() int64 { return max(a.since, a.changedAt) }

// Rest lets a time in which nobody looked not count as one for which something lasted. The cool-down goes on.
func (a *Adviser) Rest(pause time.Duration) {
	if a.likely {
		a.since += int64(pause)
	}
}

// MarshalJSON writes which forecasts held. Those that wait are left out: what is measured after a pause is not what they were of.
func (r ForecastRecord) MarshalJSON() ([]byte, error) { return json.Marshal(r.held) }

// UnmarshalJSON takes back what was written. It fails for more forecasts than count.
func (r *ForecastRecord) UnmarshalJSON(text []byte) error {
	var held []bool
	if err := json.Unmarshal(text, &held); err != nil {
		return err
	}
	if len(held) > recordLength {
		return fmt.Errorf("record must be of at most %d forecasts (got %d)", recordLength, len(held))
	}
	*r = ForecastRecord{held: held}
	return nil
}

// Follow puts an earlier record before this one.
func (r *ForecastRecord) Follow(earlier ForecastRecord) {
	all := slices.Concat(earlier.held, r.held)
	r.held = all[max(0, len(all)-recordLength):]
}
