package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// workerState says whether a worker counts.
type workerState string

const (
	stateOK    workerState = "ok"
	stateStale workerState = "stale" // silent: shown with its age, kept out of the verdict
	stateDown  workerState = "down"  // its last scrape failed
)

// workerFacts is what the verdict knows of one worker.
type workerFacts struct {
	state      workerState
	role       string
	load       number // requests running and waiting, mean over the trailing minute
	waiting    number // requests, mean over the trailing minute
	kv         number // share of KV blocks in use
	samples    number // first tokens in the trailing minute
	tokens     number // tokens generated in the trailing minute
	imbalance  number
	confidence number // of the imbalance
	prefill    number // pressure
	decode     number // pressure
	withheld   string // why the imbalance was withheld, "" when it was not
	ttft, itl  limit
	seconds    [4]float64 // worker time of the trailing minute by phaseIndex
}

// limit is a latency beside its objective.
type limit struct {
	at        percentile.Estimate // the latency at the objective's quantile, of the trailing minute
	known     bool                // there are samples
	objective number              // seconds
	quantile  float64
	implied   bool
	above     number // share of samples above the objective
}

// missed reports whether the latency is above its objective; decided is false where either is unknown.
func (l limit) missed() (missed, decided bool) {
	if !l.known || !l.objective.ok {
		return false, false
	}
	if l.at.Over && l.at.Value < l.objective.value {
		return false, false
	}
	return l.at.Over || l.at.Value > l.objective.value, true
}

// ratio is the latency over its objective.
func (l limit) ratio() number {
	if !l.known || !l.objective.ok {
		return number{}
	}
	return some(l.at.Value / l.objective.value)
}

// fleetFacts is what the verdict knows of one fleet.
type fleetFacts struct {
	counted     []workerFacts // the workers that count: neither stale nor down
	stale, down int           // how many others there are
	ttft, itl   limit         // of the merged distributions
	observed    time.Duration
}

// add takes a worker in.
func (f *fleetFacts) add(w workerFacts) {
	switch w.state {
	case stateStale:
		f.stale++
	case stateDown:
		f.down++
	default:
		f.counted = append(f.counted, w)
	}
}

// total is how many workers the fleet has, those included that do not count.
func (f fleetFacts) total() int { return len(f.counted) + f.stale + f.down }

// weights returns each worker's part of the load, equal parts where nothing runs or nobody tells.
func weights(ws []workerFacts) []float64 {
	parts := make([]float64, len(ws))
	total := 0.0
	for i, w := range ws {
		parts[i] = max(0, w.load.orZero())
		total += parts[i]
	}
	for i := range parts {
		if total <= 0 {
			parts[i] = 1 / float64(len(parts))
		} else {
			parts[i] /= total
		}
	}
	return parts
}

// met reports whether both latencies are within their objectives and every worker that counts has room in its KV pool. Such a fleet leans to one
// side and is held back by neither.
func (f fleetFacts) met() bool {
	for _, l := range []limit{f.ttft, f.itl} {
		if missed, decided := l.missed(); missed || !decided {
			return false
		}
	}
	for _, w := range f.counted {
		if w.kv.orZero() >= kvLimit {
			return false
		}
	}
	return true
}

// prefillShare is prefill's share of the busy time of the trailing minute, over all workers that count.
func (f fleetFacts) prefillShare() number {
	var prefill, decode float64
	for _, w := range f.counted {
		prefill += w.seconds[phaseIndex(signal.PhasePrefill)]
		decode += w.seconds[phaseIndex(signal.PhaseDecode)]
	}
	if prefill+decode <= 0 {
		return number{}
	}
	return some(prefill / (prefill + decode))
}
