package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "time"

// Adviser holds a recommendation back until it is sure, lasts, and pays for the change. Times are data time, in unix nanoseconds.
type Adviser struct {
	candidate Topology
	since     int64 // the candidate has been better since then
	seen      int   // evaluations in a row
	stands    bool

	current   Topology
	changedAt int64
	changes   int
	known     bool
}

const (
	// adviceGain is how much better a topology must be, with probability adviceSurety, in adviceWindows evaluations in a row that span
	// adviceLasting at least.
	adviceGain    = 1.05
	adviceSurety  = 0.9
	adviceWindows = 3
	adviceLasting = 10 * time.Minute
	// adviceCoolDown follows a change of the fleet, by whoever made it.
	adviceCoolDown = 15 * time.Minute
	// switchTime is what a worker group is away for when it changes its role: answers drain, the engine loads its weights.
	switchTime = 3 * time.Minute
	// payback is the time in which the gain must make up for that.
	payback = time.Hour
)

// AdviceGain is the ratio of goodputs that a recommendation must exceed.
func AdviceGain() float64 { return adviceGain }

// See tells the adviser the topology there is.
func (a *Adviser) See(now int64, current Topology) {
	if a.known && current != a.current {
		a.changedAt = now
		a.changes++
		a.stands, a.seen = false, 0
	}
	a.current, a.known = current, true
}

// Changes is how often the topology changed.
func (a *Adviser) Changes() int { return a.changes }

// Consider takes an evaluation: the best topology, the probability that it is better enough, and the two goodputs in requests/s. It
// reports whether to recommend it. Of two neighbours that are about as good now one is best and now the other: what has to last is that one of
// them is better than what there is.
func (a *Adviser) Consider(now int64, best Topology, surety, current, then float64) bool {
	better := best != a.current && surety > adviceSurety && paysBack(a.current, best, current, then)
	if !better {
		a.seen, a.stands = 0, false
		return false
	}
	if a.seen == 0 || !best.besides(a.candidate) {
		a.since, a.seen = now, 0
	}
	a.candidate = best
	a.seen++
	lasting := time.Duration(now - a.since)
	cooling := a.changedAt > 0 && time.Duration(now-a.changedAt) < adviceCoolDown
	a.stands = a.seen >= adviceWindows && lasting >= adviceLasting && !cooling
	return a.stands
}

// Candidate is the topology that was better in the last evaluation; ok is false without one.
func (a *Adviser) Candidate() (t Topology, ok bool) { return a.candidate, a.seen > 0 }

// Stands reports whether the last evaluation recommended.
func (a *Adviser) Stands() bool { return a.stands }

// paysBack weighs the gain over the payback time against the goodput of the groups that are away while they change.
func paysBack(from, to Topology, current, then float64) bool {
	flipped := max(to.Prefill-from.Prefill, 0) + max(to.Decode-from.Decode, 0) + max(to.Aggregated-from.Aggregated, 0)
	if from.Groups() == 0 {
		return false
	}
	lost := current * float64(flipped) / float64(from.Groups()) * switchTime.Seconds()
	return (then-current)*(payback-switchTime).Seconds() > lost
}
