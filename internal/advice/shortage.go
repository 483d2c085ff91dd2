package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"
	"math"
)

// Where an overloaded fleet is short
//
// llm.phase.imbalance compares what a little more capacity of either phase would bring. Where queues grow without end a little brings
// nothing on either side, and the imbalance is 0 however late first tokens are. What is missed and what requests wait for then say which
// side is short. The same holds where few samples leave the imbalance uncertain and the queue is plain to see.
//
//	TTFT missed, a queue at workers whose KV pool fills up                  decode: there is no room
//	TTFT missed, a queue, and prefill takes less than a quarter of the      decode: the batch has no place
//	busy time
//	TTFT missed, a queue, and the imbalance above +0.2 or prefill takes     prefill
//	half of the busy time or more
//	TTFT missed, a queue otherwise                                          decode: the batch has no place
//	ITL missed and not TTFT, and mixing explains no more than half of it    decode
//
// The first two decide whatever the imbalance says: no faster prefill makes room, what preempted requests compute again looks like prefill, and a
// worker that hardly prefills is not held back by it.
//
// A queue that was said to wait for prefill goes on to do so while the share of prefill is not told, or down to 0.4 of it: estimates come and go in
// an overloaded fleet, and what requests wait for does not.
//
// A queue is one that did not drain in the trailing time: what a burst leaves waiting for a moment is none.

// shortage is the side that is short by what is missed and what requests wait for; none for a fleet that shows neither.
type shortage struct {
	code   Code
	waits  string // what requests wait for, "" where they do not
	plain  bool   // it decides whatever the imbalance says
	relief string
}

// Shares of the busy time that prefill takes.
const (
	hardly    = 0.25 // below it prefill holds no queue back
	most      = 0.5  // from it on prefill is what a queue waits for
	stillMost = 0.4  // the same once it was said, so that a share about one half does not have the verdict come and go
)

// shortage looks for it. Workers with one role are compared by their pools' pressures instead, which know such queues.
func (f figures) shortage() shortage {
	ttft, _ := f.ttft.Missed()
	itl, _ := f.itl.Missed()
	explained, _ := f.mixed()
	if f.disaggregated {
		return shortage{}
	}
	waiting, least, roomless := 0.0, 0.0, 0.0
	for _, w := range f.workers {
		waiting += w.waiting.orZero()
		least += w.waitingLeast.orZero()
		if w.kvPeak.orZero() >= kvLimit {
			roomless += w.waiting.orZero()
		}
	}
	share := f.prefillShare()
	switch queued := waiting >= float64(len(f.workers)) && least >= 1; {
	case ttft && queued && roomless > waiting/2:
		return shortage{DecodeBound, "room in the KV cache", true,
			"Relief is room: more memory for KV, less of it for each request, or more workers."}
	case ttft && queued && !(share.ok && share.value < hardly) && (f.balance.imbalance.value > band || f.mostlyPrefill(share)):
		return shortage{PrefillBound, "their prefill", false, "Relief has to come from the prefill side."}
	case ttft && queued && share.ok:
		return shortage{DecodeBound, "a place in the batch", share.value < hardly,
			"Prefill takes less than half of the busy time: relief is a larger batch where memory allows, or more workers."}
	case itl && !ttft && explained <= 0.5:
		return shortage{code: DecodeBound}
	}
	return shortage{}
}

// mostlyPrefill reports whether prefill takes so much of the busy time that it is what a queue waits for.
func (f figures) mostlyPrefill(share number) bool {
	if f.said == PrefillBound {
		return !share.ok || share.value >= stillMost
	}
	return share.ok && share.value >= most
}

// short puts what requests wait for into a candidate of the same side: first tokens that are late for it are what it costs.
func (f figures) short(c candidate) candidate {
	s := f.shortage()
	if s.code != c.code || s.waits == "" {
		return c
	}
	c.loss, c.confidence = max(c.loss, f.ttft.Above*(1-f.churn().again)), f.sureOf(c.code)
	c.detail = fmt.Sprintf("Requests wait for %s: %s.", s.waits, against("TTFT", f.ttft))
	c.direction = s.relief
	if math.Abs(f.balance.imbalance.value) <= band {
		c.direction += " It takes more than a little: the queue grows without end."
	}
	return c
}

// sureOf is the confidence of a side: that of the imbalance, or of a queue on that side. A queue is seen and not estimated; that nothing else is
// behind it is not.
func (f figures) sureOf(side Code) float64 {
	if s := f.shortage(); s.code == side && s.waits != "" && f.observed >= fullWindow {
		return max(f.balance.confidence, justBelowHigh)
	}
	return f.balance.confidence
}

// met reports whether nothing is missed: both latencies within their objectives, also of requests that come to decode workers, and room
// in every KV pool.
func (f figures) met() bool {
	if late, _ := f.decodeTTFT.Missed(); late {
		return false
	}
	for _, l := range []Latency{f.ttft, f.itl} {
		if missed, decided := l.Missed(); missed || !decided {
			return false
		}
	}
	for _, w := range f.workers {
		if w.kv.orZero() >= kvLimit {
			return false
		}
	}
	return true
}
