package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// checkIdlePool finds a pool of which a good part was free for an hour.
func checkIdlePool(r *Reading) Outcome {
	free, ok := r.Level(signal.KVFreeLowest)
	if !ok {
		return Withhold(withheldHour)
	}
	total, _ := r.Mean(signal.KVTokens)
	waiting, _ := r.Mean(signal.Waiting)
	if !r.Over(free, mostIdle) || waiting >= 1 {
		return Nothing()
	}
	to := roomToSpare * (1 - free) * total
	spare := total - to
	if !r.Over(spare, leastSpare*total) {
		return Nothing()
	}
	return Found(Finding{
		Severity: Info, Title: "A good part of the KV pool is never used.", Confidence: 0.9,
		Evidence: []Quantity{
			Quantity{Name: "Least free part of the pool in an hour", Value: free, Unit: "1", Metric: signal.KVFreeLowest}.Against(mostIdle),
			{Name: "Room that could be given away", Value: spare, Unit: "{token}", Metric: signal.KVTokens},
		},
		Action: Action{
			Text:  fmt.Sprintf("Give away memory for %.0f tokens, as long as the longest context fits, or let more requests run at once.", spare),
			Where: r.Engine(), Levers: []Lever{{Fact: signal.KVCapacityTokens, Rise: -1}},
		},
		Predicted: &Effect{Name: "room of the pool", Unit: "{token}", From: total, To: to, Low: to / roomToSpare, High: total - spare/2},
	})
}

const (
	// roomToSpare is how many times what was seen in use at most a pool keeps: looks miss peaks.
	roomToSpare = 2
	// leastSpare is the share of a pool that is worth giving away.
	leastSpare = 0.2
)

// checkMemoryShare finds requests that wait for blocks beside memory that the engine does not take.
func checkMemoryShare(r *Reading) Outcome {
	total, ok := r.Mean(signal.HBMMemory)
	outside, known := r.Mean(signal.HBMMemory, signal.AttrHBMUse, signal.HBMUseOutside)
	usage, told := r.Mean(signal.KVUtilization)
	waiting, _ := r.Mean(signal.Waiting)
	switch {
	case !ok || !known || !told || total <= 0:
		return Withhold("no_gpu_memory")
	case r.Observed() < hour:
		return Withhold(withheldHour)
	case !r.Over(outside/total, mostOutside) || usage < usedMost || waiting < 1:
		return Nothing()
	}
	share, has := r.Number(signal.AttrMemoryUtilization)
	if !has {
		share = 1 - outside/total
	}
	// A twentieth of the memory stays free for what the engine does not count.
	more := min(share+outside/total-0.05, 0.95)
	return Found(Finding{
		Severity: Warning, Title: "Requests wait for KV blocks beside free GPU memory.", Confidence: 0.7,
		Evidence: []Quantity{
			Quantity{Name: "GPU memory outside the engine", Value: outside / total, Unit: "1", Metric: signal.HBMMemory}.Against(mostOutside),
			{Name: "KV usage", Value: usage, Unit: "1", Metric: signal.KVUtilization},
			{Name: "Requests waiting", Value: waiting, Unit: "{request}", Metric: signal.Waiting},
		},
		Action: Action{
			Text: fmt.Sprintf("Let the engine take %.2f of the memory.", more), Change: r.Change(MemoryShare, fmt.Sprintf("%.2f", more)), Where: r.Engine(),
			Levers: []Lever{{Fact: signal.AttrMemoryUtilization, Rise: 1}, {Fact: signal.KVCapacityTokens, Rise: 1}},
		},
		Predicted: &Effect{Name: "requests waiting", Unit: "{request}", From: waiting, To: 0, Low: 0, High: max(1, waiting/2)},
	})
}

// checkLease finds prompts whose KV was given up before anybody fetched it.
func checkLease(r *Reading) Outcome {
	perMinute, ok := expiredPerMinute(r)
	switch {
	case !ok:
		return Withhold("engine_does_not_tell")
	case !r.Over(perMinute, 0):
		return Nothing()
	}
	return Found(Finding{
		Severity: Warning, Title: "Prefilled KV is given up before it is fetched, and computed again.", Confidence: 0.9,
		Evidence: []Quantity{
			Quantity{Name: "Leases that ended unread", Value: perMinute, Unit: "{request}/min", Metric: signal.KVTransferFailures}.Against(0),
		},
		Action: Action{
			Text:   "Keep prefilled KV for longer, or find out what keeps the decode side from fetching it: a full KV pool there, or the network.",
			Change: r.Change(LeaseTime, leaseSeconds), Where: r.Engine(),
			Levers: []Lever{{Fact: signal.AttrEnvironmentStem + "VLLM_NIXL_ABORT_REQUEST_TIMEOUT", Rise: 1}},
		},
		Predicted: &Effect{Name: "leases that ended unread", Unit: "{request}/min", From: perMinute, To: 0, Low: 0, High: perMinute / 10},
	})
}

func expiredPerMinute(r *Reading) (float64, bool) {
	v, ok := r.Rate(signal.KVTransferFailures, signal.AttrFailure, signal.FailureExpired)
	return 60 * v, ok
}

// checkPrefixCaching finds workers whose prefix cache is off while that of another worker of the fleet finds something. Without such a
// worker nothing tells how much of the prompts repeats.
func checkPrefixCaching(r *Reading) Outcome {
	var off *Reading
	hits, told := 0.0, false
	for _, w := range r.Workers() {
		on, known := w.Fact(signal.AttrPrefixCaching)
		if known && on == "false" {
			off = w
		} else if v, ok := fleetHitRatio(w); ok {
			hits, told = max(hits, v), true
		}
	}
	switch {
	case off == nil:
		return Nothing()
	case !told:
		return Withhold("no_worker_tells_what_repeats")
	case !r.Over(hits, leastRepeated):
		return Nothing()
	}
	return Found(Finding{
		Severity: Warning, Title: "The prefix cache of a worker is off, while prompts repeat.", Confidence: 0.6,
		Evidence: []Quantity{Quantity{Name: "Hit ratio of another worker", Value: hits, Unit: "1", Metric: signal.KVHitTokens}.Against(leastRepeated)},
		Action:   Action{Text: "Switch prefix caching on.", Change: off.Change(PrefixCaching, nil), Where: off.Engine()},
		Predicted: &Effect{
			Name: "hit ratio of the fleet", Unit: "1", From: fleetHits(r), To: hits, Low: fleetHits(r), High: min(1, 1.3*hits),
		},
	})
}

// leastRepeated is the share of the prompts that has to repeat.
const leastRepeated = 0.1

func fleetHits(r *Reading) float64 {
	v, _ := fleetHitRatio(r)
	return v
}

// fleetUse is the share of the pools of a fleet's workers that has a use.
func fleetUse(r *Reading, use string) (share float64, ok bool) {
	n := 0.0
	for _, w := range r.Workers() {
		if v, known := w.use(use); known {
			share += v
			n++
		}
	}
	return share / max(n, 1), n > 0
}

func fleetHitRatio(r *Reading) (float64, bool) {
	hits, a := r.Rate(signal.KVHitTokens, signal.AttrCacheScope, signal.CacheScopeLocal)
	looked, b := r.Rate(signal.KVLookupTokens, signal.AttrCacheScope, signal.CacheScopeLocal)
	if !a || !b || looked <= 0 {
		return 0, false
	}
	return hits / looked, true
}
