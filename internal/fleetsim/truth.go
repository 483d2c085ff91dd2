package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Truth is what really happened up to a point of simulated time, on one worker or summed over a fleet. All figures are cumulative,
// so the truth of a window is the difference of two snapshots (quantiles excepted). Work of a step counts when the step ends;
// until then its elapsed part is InFlightSeconds, and busy + idle + in flight + abandoned = workers x simulated seconds.
type Truth struct {
	SimulatedSeconds float64 `json:"simulated_seconds"`
	Workers          int     `json:"workers"`

	BusySeconds     float64 `json:"busy_seconds"`
	IdleSeconds     float64 `json:"idle_seconds"`
	InFlightSeconds float64 `json:"in_flight_seconds"`

	// Shapley shares of the busy time; they add up to it.
	PrefillSeconds float64 `json:"prefill_seconds"`
	DecodeSeconds  float64 `json:"decode_seconds"`
	// Bounds of the prefill share: sums over steps of the smaller and the larger of marginal and stand-alone cost. Those of the
	// decode share are busy minus these.
	PrefillLowSeconds  float64 `json:"prefill_low_seconds"`
	PrefillHighSeconds float64 `json:"prefill_high_seconds"`

	Steps            int64 `json:"steps"`
	PrefillOnlySteps int64 `json:"prefill_only_steps"`
	DecodeOnlySteps  int64 `json:"decode_only_steps"`
	MixedSteps       int64 `json:"mixed_steps"`
	OutputSteps      int64 `json:"output_steps"` // steps that produced at least one token

	PrefillTokens       int64   `json:"prefill_tokens"`        // computed, recomputation after preemption included
	RecomputedTokens    int64   `json:"recomputed_tokens"`     // the part of PrefillTokens done again after a preemption
	PrefillContext      float64 `json:"prefill_context"`       // sum of the context lengths of these tokens, tokens^2
	DecodeTokens        int64   `json:"decode_tokens"`         // sum of n over steps
	DecodeContextTokens float64 `json:"decode_context_tokens"` // sum of c over steps

	Resources
	IdleJoules     float64 `json:"idle_joules"`      // drawn between steps
	InFlightJoules float64 `json:"in_flight_joules"` // of the elapsed part of steps not finished

	// Of steps that the end of a process cut short; their work counts nowhere else.
	AbandonedSeconds float64 `json:"abandoned_seconds"`
	AbandonedJoules  float64 `json:"abandoned_joules"`

	// Waiting of decodes: sum of step time x n, and the part that co-scheduled prefill causes, sum of (t(p,n,c) - t(0,n,c)) x n.
	DecodeSequenceSeconds      float64 `json:"decode_sequence_seconds"`
	DecodeDelaySequenceSeconds float64 `json:"decode_delay_sequence_seconds"`
	StallSteps                 int64   `json:"stall_steps"` // mixed steps longer than three times their prefill-free counterfactual

	ArrivedRequests  int64 `json:"arrived_requests"`
	RejectedRequests int64 `json:"rejected_requests"` // prompt longer than the model allows
	FinishedRequests int64 `json:"finished_requests"`
	// OpenRequests have arrived and are not over: arrived = finished + rejected + lost + failed + open. On a worker or pool it is what is
	// there now, prompts and answers that are handed over on either side, and nothing adds up.
	OpenRequests int64 `json:"open_requests"`
	Preemptions  int64 `json:"preemptions"`
	PromptTokens int64 `json:"prompt_tokens"` // of requests whose first token has appeared
	CachedTokens int64 `json:"cached_tokens"` // the part of PromptTokens found in the prefix cache
	OutputTokens int64 `json:"output_tokens"`

	DraftedTokens  int64 `json:"drafted_tokens"`  // proposed by speculative decoding
	AcceptedTokens int64 `json:"accepted_tokens"` // the part of DraftedTokens that was kept

	TTFT  Latency `json:"ttft_seconds"` // of the first token a client has, be its request lost later or sent again
	ITL   Latency `json:"itl_seconds"`
	E2E   Latency `json:"e2e_seconds"`
	Queue Latency `json:"queue_seconds"` // arrival to first scheduled

	Goodput   Goodput      `json:"goodput"`
	Transfers TransferSums `json:"transfers"`
	Faults    FaultSums    `json:"faults"`

	KV *KVTruth `json:"kv,omitempty"` // with Config.KVLedger
}

// Latency summarises all values since the start, in seconds; quantiles are exact to 0.25 %.
type Latency struct {
	Count uint64  `json:"count"`
	Sum   float64 `json:"sum"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// PrefillShare is the prefill's Shapley share of the busy time; 0 without busy time.
func (t Truth) PrefillShare() float64 {
	if t.BusySeconds == 0 {
		return 0
	}
	return t.PrefillSeconds / t.BusySeconds
}

// Utilisation is the busy share of the elapsed worker time, a step in progress included.
func (t Truth) Utilisation() float64 {
	if t.SimulatedSeconds == 0 {
		return 0
	}
	return (t.BusySeconds + t.InFlightSeconds) / (t.SimulatedSeconds * float64(t.Workers))
}

// StepTruth is one finished step.
type StepTruth struct {
	Worker             int     `json:"worker"`
	StartSeconds       float64 `json:"start_seconds"`
	Seconds            float64 `json:"seconds"`
	PrefillSeconds     float64 `json:"prefill_seconds"`
	PrefillLowSeconds  float64 `json:"prefill_low_seconds"`
	PrefillHighSeconds float64 `json:"prefill_high_seconds"`
	PrefillTokens      int     `json:"prefill_tokens"`
	PrefillContext     float64 `json:"prefill_context"`
	DecodeSequences    int     `json:"decode_sequences"`
	DecodeContext      float64 `json:"decode_context_tokens"`
	ClockRatio         float64 `json:"clock_ratio"` // below 1: slowed by the power limit
	Resources
}

// ledger accumulates the truth of one worker.
type ledger struct {
	sums                  Truth // without the derived and the latency fields
	ttft, itl, e2e, queue fineHistogram
}

// step books a finished step of a group of GPUs.
func (l *ledger) step(w *physics.Work, s *physics.DemandShares, seconds, gpus float64) {
	t := &l.sums
	t.Steps++
	t.BusySeconds += seconds
	t.PrefillSeconds += s.Prefill.Seconds
	t.DecodeSeconds += s.Decode.Seconds
	t.PrefillLowSeconds += s.Low.Seconds
	t.PrefillHighSeconds += s.High.Seconds
	t.bookShares(s, gpus)
	t.PrefillTokens += int64(w.PrefillTokens)
	t.PrefillContext += w.PrefillContext
	t.DecodeTokens += int64(w.DecodeSequences)
	t.DecodeContextTokens += w.DecodeContext
	n := float64(w.DecodeSequences)
	t.DecodeSequenceSeconds += seconds * n
	switch {
	case w.DecodeSequences == 0:
		t.PrefillOnlySteps++
	case w.PrefillTokens == 0:
		t.DecodeOnlySteps++
	default:
		t.MixedSteps++
		t.DecodeDelaySequenceSeconds += (seconds - s.DecodeAlone) * n
		if seconds > 3*s.DecodeAlone {
			t.StallSteps++
		}
	}
	if w.DecodeSequences+w.PrefillOutputs > 0 {
		t.OutputSteps++
	}
}

// stepTruth is the truth of a finished step.
func stepTruth(w *physics.Work, s *physics.DemandShares, start time.Duration, seconds, gpus float64) StepTruth {
	t := StepTruth{
		StartSeconds: start.Seconds(), Seconds: seconds,
		PrefillSeconds: s.Prefill.Seconds, PrefillLowSeconds: s.Low.Seconds, PrefillHighSeconds: s.High.Seconds,
		PrefillTokens: w.PrefillTokens, PrefillContext: w.PrefillContext,
		DecodeSequences: w.DecodeSequences, DecodeContext: w.DecodeContext, ClockRatio: s.Step.ClockRatio,
	}
	t.bookShares(s, gpus)
	return t
}

// merge adds another worker's sums and latencies.
func (l *ledger) merge(o *ledger) {
	t, u := &l.sums, &o.sums
	t.BusySeconds += u.BusySeconds
	t.PrefillSeconds += u.PrefillSeconds
	t.DecodeSeconds += u.DecodeSeconds
	t.PrefillLowSeconds += u.PrefillLowSeconds
	t.PrefillHighSeconds += u.PrefillHighSeconds
	t.addResources(&u.Resources)
	t.AbandonedSeconds += u.AbandonedSeconds
	t.AbandonedJoules += u.AbandonedJoules
	t.Steps += u.Steps
	t.PrefillOnlySteps += u.PrefillOnlySteps
	t.DecodeOnlySteps += u.DecodeOnlySteps
	t.MixedSteps += u.MixedSteps
	t.OutputSteps += u.OutputSteps
	t.PrefillTokens += u.PrefillTokens
	t.RecomputedTokens += u.RecomputedTokens
	t.PrefillContext += u.PrefillContext
	t.DecodeTokens += u.DecodeTokens
	t.DecodeContextTokens += u.DecodeContextTokens
	t.DecodeSequenceSeconds += u.DecodeSequenceSeconds
	t.DecodeDelaySequenceSeconds += u.DecodeDelaySequenceSeconds
	t.StallSteps += u.StallSteps
	t.ArrivedRequests += u.ArrivedRequests
	t.RejectedRequests += u.RejectedRequests
	t.FinishedRequests += u.FinishedRequests
	t.Preemptions += u.Preemptions
	t.PromptTokens += u.PromptTokens
	t.CachedTokens += u.CachedTokens
	t.OutputTokens += u.OutputTokens
	t.Goodput.add(&u.Goodput)
	t.Transfers.add(&u.Transfers)
	t.Faults.add(&u.Faults)
	t.DraftedTokens += u.DraftedTokens
	t.AcceptedTokens += u.AcceptedTokens
	l.ttft.add(&o.ttft)
	l.itl.add(&o.itl)
	l.e2e.add(&o.e2e)
	l.queue.add(&o.queue)
}

// remainder is what finished steps and restarts do not account for: the elapsed part of those in progress, and idling.
type remainder struct{ inFlightSeconds, inFlightJoules, idleJoules, downSeconds float64 }

func (r *remainder) add(o remainder) {
	r.inFlightSeconds += o.inFlightSeconds
	r.inFlightJoules += o.inFlightJoules
	r.idleJoules += o.idleJoules
	r.downSeconds += o.downSeconds
}

// snapshot completes the sums with time and latencies.
func (l *ledger) snapshot(now time.Duration, workers int, rest remainder) Truth {
	t := l.sums
	t.SimulatedSeconds, t.Workers = now.Seconds(), workers
	t.InFlightSeconds, t.InFlightJoules, t.IdleJoules = rest.inFlightSeconds, rest.inFlightJoules, rest.idleJoules
	t.Faults.DownSeconds += rest.downSeconds
	t.IdleSeconds = max(0, t.SimulatedSeconds*float64(workers)-t.BusySeconds-rest.inFlightSeconds-t.AbandonedSeconds)
	t.TTFT, t.ITL, t.E2E, t.Queue = l.ttft.summary(), l.itl.summary(), l.e2e.summary(), l.queue.summary()
	return t
}

func (h *fineHistogram) summary() Latency {
	return Latency{
		Count: h.total, Sum: h.sum, Max: h.max,
		P50: h.quantile(0.50), P90: h.quantile(0.90), P95: h.quantile(0.95), P99: h.quantile(0.99),
	}
}
