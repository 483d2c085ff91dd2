package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// number is a value that may be absent.
type number struct {
	value float64
	ok    bool
}

func some(v float64) number              { return number{v, true} }
func optional(v float64, ok bool) number { return number{v, ok} }
func (n number) orZero() float64         { return n.value }

// workerFigures is what the verdict knows of one worker.
type workerFigures struct {
	role                          string
	down                          bool   // its last scrape failed
	load                          number // requests running and waiting, trailing mean
	waiting, waitingLeast         number // requests: trailing mean, and the least window's
	kv, kvPeak                    number // share of KV blocks in use: now, and at most in the trailing time
	samples                       float64
	tokens                        float64
	imbalance                     number
	confidence                    float64 // of the imbalance
	prefill                       number  // pressure
	decode                        number  // pressure
	withheld                      string  // why the imbalance was withheld, "" when it was not
	ttft, itl                     Latency
	prefillSeconds, decodeSeconds float64 // of the trailing time
	lost                          number  // share of decode's waiting that prefill causes
	counterfactual                number  // mean ITL without prefill, s
	mixConfidence                 float64
	storm                         bool   // of evictions
	thrash                        number // share of what is stored that was evicted shortly before, trailing mean
	thrashConfidence              float64
}

// figures is what the verdict knows of one fleet.
type figures struct {
	all, silent, down int
	workers           []workerFigures // that count
	ttft, itl         Latency
	// Of a disaggregated fleet: every worker has a role of its own. Its ttft is that of the prefill pool.
	disaggregated                      bool
	prefillTTFT, decodeITL, decodeTTFT Latency
	observed                           float64 // s
	fallback                           number  // share of KV transfers that have fallen back to TCP
	balance                            balance
	said                               Code // the verdict in force, "" without any
}

// Limits of what is judged.
const (
	band         = 0.2 // of the imbalance within which the phases are balanced
	maxImbalance = 3   // as llm.phase.imbalance is bounded
	fullWindow   = 60  // s of data before a verdict is more than preliminary
	kvLimit      = 0.9 // KV usage at which decode has no room
	comfort      = 0.7 // share of every limit below which no phase is said to hold the fleet back
	earlyWorth   = 0.3 // the most that a preliminary verdict is worth
)

// figure returns the figures of a fleet.
func figure(r *Reading) figures {
	if r.known == nil {
		f := r.figures()
		r.known = &f
	}
	return *r.known
}

func (r *Reading) figures() figures {
	f := figures{observed: r.seconds, ttft: r.front().TTFT(), itl: r.ITL(), disaggregated: r.disaggregated()}
	if f.disaggregated {
		decode := r.pool(signal.RoleDecode)
		f.prefillTTFT, f.decodeITL, f.decodeTTFT = f.ttft, decode.ITL(), decode.TTFT()
	}
	for _, w := range r.Silent {
		if w.Kind == Worker {
			f.silent++
		}
	}
	for _, w := range r.Workers() {
		x := figureWorker(w)
		if x.down {
			f.down++
		} else {
			f.workers = append(f.workers, x)
		}
	}
	if r.verdict != nil {
		f.said = r.verdict.Said.Code
	}
	f.fallback = optional(r.Level(signal.TransferFallback))
	f.all = f.silent + f.down + len(f.workers)
	f.balance = f.weigh()
	return f
}

// disaggregated reports whether all workers of a fleet have a role of their own, and both phases are there. Encoders and routers serve neither.
func (r *Reading) disaggregated() bool {
	prefill, decode, beside := len(r.Workers(signal.RolePrefill)), len(r.Workers(signal.RoleDecode)), len(r.Workers(signal.RoleEncode, signal.RoleRouter))
	return prefill > 0 && decode > 0 && prefill+decode+beside == len(r.Workers())
}

// front is where requests arrive: the prefill pool of a disaggregated fleet, whose decode workers see each request once more.
func (r *Reading) front() *Reading {
	if r.disaggregated() {
		return r.pool(signal.RolePrefill)
	}
	return r
}

// pool is the reading of a fleet's workers of one role.
func (r *Reading) pool(role string) *Reading {
	return &Reading{state: &state{}, Members: r.Workers(role), At: r.At, fresh: r.fresh, seconds: r.seconds}
}

func figureWorker(r *Reading) workerFigures {
	up, asked := r.Level(signal.Up)
	running, runs := r.Mean(signal.Running)
	waiting, waits := r.Mean(signal.Waiting)
	w := workerFigures{
		role: r.Role(), down: asked && up == 0, ttft: r.TTFT(), itl: r.ITL(),
		load: optional(running+waiting, runs || waits), waiting: optional(waiting, waits), waitingLeast: optional(r.Least(signal.Waiting)),
		kv: optional(r.Level(signal.KVUtilization)), kvPeak: optional(r.Peak(signal.KVUtilization)),
		imbalance: optional(r.Level(signal.PhaseImbalance)), confidence: r.Confidence(signal.EstimateImbalance),
		prefill:        optional(r.Level(signal.PhasePressure, signal.AttrPhase, signal.PhasePrefill)),
		decode:         optional(r.Level(signal.PhasePressure, signal.AttrPhase, signal.PhaseDecode)),
		lost:           optional(r.Level(signal.InterferenceLost)),
		counterfactual: optional(r.Level(signal.InterferenceCounterfactual)),
		mixConfidence:  r.Confidence(signal.EstimateInterference),
		thrash:         optional(r.Mean(signal.KVThrash)), thrashConfidence: r.Confidence(signal.KVThrash),
	}
	storm, told := r.Level(signal.KVStorm)
	w.storm = told && storm > 0
	w.samples = w.ttft.Count
	w.tokens, _, _ = r.Increase(signal.TokensGenerated)
	for _, metric := range []string{signal.PhaseWorkerTime, signal.PhaseGPUTime} { // a worker has one of them
		prefill, _, _ := r.Increase(metric, signal.AttrPhase, signal.PhasePrefill)
		decode, _, _ := r.Increase(metric, signal.AttrPhase, signal.PhaseDecode)
		w.prefillSeconds += prefill
		w.decodeSeconds += decode
	}
	if !w.imbalance.ok {
		w.withheld = r.WithheldReason(signal.EstimateImbalance)
	}
	return w
}

// weights returns each worker's part of the load, equal parts where nothing runs or nobody tells.
func (f figures) weights() []float64 {
	parts := make([]float64, len(f.workers))
	total := 0.0
	for i, w := range f.workers {
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

// comfortable reports whether both latencies and the KV usage of every worker that counts are well below their limits. Such a fleet
// leans to one side and is held back by neither.
func (f figures) comfortable() bool {
	if wait, ok := f.decodeTTFT.Ratio(); ok && wait > comfort {
		return false
	}
	for _, l := range []Latency{f.ttft, f.itl} {
		if ratio, ok := l.Ratio(); !ok || l.At.Over || ratio > comfort {
			return false
		}
	}
	for _, w := range f.workers {
		if w.kv.orZero()/kvLimit > comfort {
			return false
		}
	}
	return true
}

// idle reports whether no worker had anything to do. It takes a report to say so: silence is not idleness.
func (f figures) idle() bool {
	for _, w := range f.workers {
		if !w.load.ok || w.load.value > 0 || w.samples > 0 || w.tokens > 0 {
			return false
		}
	}
	return len(f.workers) > 0
}

// withheld returns the reason given by the workers that have no estimate, the most frequent first by name.
func (f figures) withheld() string {
	count := map[string]int{}
	best := ""
	for _, w := range f.workers {
		if w.withheld == "" || w.imbalance.ok {
			continue
		}
		count[w.withheld]++
		n := count[w.withheld]
		if best == "" || n > count[best] || (n == count[best] && w.withheld < best) {
			best = w.withheld
		}
	}
	return best
}

// prefillShare is prefill's share of the busy time of the trailing time.
func (f figures) prefillShare() number {
	var prefill, decode float64
	for _, w := range f.workers {
		prefill += w.prefillSeconds
		decode += w.decodeSeconds
	}
	if prefill+decode <= 0 {
		return number{}
	}
	return some(prefill / (prefill + decode))
}
