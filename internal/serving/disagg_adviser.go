package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "time"

// Adviser holds a recommendation back until it is sure, lasts, and pays for the change. Times are data time, in unix nanoseconds.
type Adviser struct {
	candidate Topology
	since     int64 // the candidate has been better since then
	seen      int   // evaluations since then that were sure of it
	likely    bool  // the last evaluation found it better
	stands    bool

	current   Topology
	changedAt int64
	changes   int
	known     bool
}

const (
	// adviceGain is how much better a topology must be, with probability adviceSurety in adviceWindows evaluations, the last of them among these,
	// and more probably than not (adviceDoubt) for adviceLasting at least. Surety is of the estimates, which get better with time; lasting is
	// of the load, which may be a burst. So an evaluation that is less sure does not begin the time anew, and does not withdraw what was recommended.
	adviceGain    = 1.05
	adviceSurety  = 0.9
	adviceDoubt   = 0.5
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
		a.forget()
	}
	a.current, a.known = current, true
}

// Changes is how often the topology changed.
func (a *Adviser) Changes() int { return a.changes }

// Evaluation is what an adviser is told: the best topology, the probability that it is better enough, and the goodput of what there is and of it,
// requests/s. It speaks for the time since From, which is the evaluation before it.
type Evaluation struct {
	From, Now     int64
	Best          Topology
	Surety        float64
	Current, Then float64
}

// Consider takes an evaluation, and reports whether to recommend its topology. Of two neighbours that are about as good now one is best and now
// the other: what has to last is that one of them is better than what there is.
func (a *Adviser) Consider(e Evaluation) bool {
	if e.Best == a.current || e.Surety <= adviceDoubt || !paysBack(a.current, e.Best, e.Current, e.Then) {
		a.forget()
		return false
	}
	if !a.likely || !e.Best.besides(a.candidate) {
		a.forget()
		a.since = e.From
	}
	a.candidate, a.likely = e.Best, true
	if e.Surety <= adviceSurety {
		return a.stands
	}
	a.seen++
	lasting := time.Duration(e.Now - a.since)
	cooling := a.changedAt > 0 && time.Duration(e.Now-a.changedAt) < adviceCoolDown
	a.stands = a.seen >= adviceWindows && lasting >= adviceLasting && !cooling
	return a.stands
}

// forget has whatever was better begin anew.
func (a *Adviser) forget() { a.since, a.seen, a.likely, a.stands = 0, 0, false, false }

// Candidate is the topology that was better in the last evaluation; ok is false without one.
func (a *Adviser) Candidate() (t Topology, ok bool) { return a.candidate, a.likely }

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
