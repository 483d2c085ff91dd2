package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"
	"math"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

func workersDown(f figures) (candidate, bool) {
	if f.down == 0 {
		return candidate{}, false
	}
	c := candidate{code: WorkersDown, loss: float64(f.down) / float64(f.all), confidence: 1}
	c.title = fmt.Sprintf("%d of %d workers %s down.", f.down, f.all, words.Plural(f.down, "is", "are"))
	if f.all == 1 {
		c.title = "The worker is down."
	}
	c.direction = "The last scrape failed. The figures below are those of the other workers."
	if f.down == f.all {
		c.direction = "The last scrape failed. Does the engine run, and is the address right?"
	}
	return c, true
}

// tcpFallback is the candidate of KV that comes over TCP where something better is there: what decode workers wait for then.
func tcpFallback(f figures) (candidate, bool) {
	if f.fallback.value <= 0 {
		return candidate{}, false
	}
	confidence := float64(confidentHigh)
	if f.observed < fullWindow {
		confidence = earlyWorth
	}
	c := candidate{
		code: TCPFallback, loss: f.decodeTTFT.Above, confidence: confidence, title: "KV transfers have fallen back to TCP.",
		detail:    fmt.Sprintf("%.0f %% of the transfers go over TCP.", 100*f.fallback.value),
		direction: "Decode is not short of capacity: it waits for KV.",
		evidence:  []Quantity{{Name: "Share of transfers over TCP", Value: f.fallback.value, Unit: "1", Metric: signal.TransferFallback}},
	}
	if f.decodeTTFT.Known && f.decodeTTFT.Objective > 0 {
		c.detail += " From its arrival at a decode worker to its next token a request takes " + against("", f.decodeTTFT) + "."
	}
	return c, true
}

// side is the phase that holds the fleet back, "" for neither: by the imbalance, where it leans to neither side by what is missed and what
// requests wait for, and before there is an estimate by where queues point. Of a fleet that meets its objectives neither does.
func (f figures) side() Code {
	b := f.balance
	switch {
	case f.idle() || b.imbalance.ok && f.met():
		return ""
	case b.imbalance.ok && f.shortage().plain:
		return DecodeBound
	case b.imbalance.ok && b.imbalance.value > band:
		return PrefillBound
	case b.imbalance.ok && b.imbalance.value < -band:
		return DecodeBound
	case b.imbalance.ok:
		return f.shortage().code
	}
	return b.lean
}

func prefillBound(f figures) (candidate, bool) {
	if f.side() != PrefillBound {
		return candidate{}, false
	}
	return f.short(candidate{
		code: PrefillBound, loss: f.ttft.Above * (1 - f.churn().again), confidence: f.balance.confidence, title: "Prefill-bound.",
		detail:    f.boundDetail("TTFT", f.ttft, func(w workerFigures) Latency { return w.ttft }),
		direction: pressure("prefill", "decode", f.balance) + "Relief has to come from the prefill side.",
	}), true
}

func decodeBound(f figures) (candidate, bool) {
	if f.side() != DecodeBound {
		return candidate{}, false
	}
	explained, _ := f.mixed()
	waiting := f.decodeTTFT.Above
	if f.fallback.value > 0 {
		waiting = 0 // for KV that comes over TCP
	}
	return f.short(candidate{
		code: DecodeBound, loss: max(f.itl.Above*(1-explained), waiting), confidence: f.balance.confidence, title: "Decode-bound.",
		detail:    f.boundDetail("ITL", f.itl, func(w workerFigures) Latency { return w.itl }),
		direction: pressure("decode", "prefill", f.balance) + f.decodeRelief(),
	}), true
}

// mixing is the candidate of interference: the ITL objective is missed for the prefill that rides in decode's steps.
func mixing(f figures) (candidate, bool) {
	explained, confidence := f.mixed()
	if missed, _ := f.itl.Missed(); !missed || explained <= 0 || f.idle() {
		return candidate{}, false
	}
	if f.observed < fullWindow {
		confidence = min(confidence, earlyWorth)
	}
	lost, without := f.lost()
	return candidate{
		code: Interference, loss: f.itl.Above * explained * (1 - f.churn().again), confidence: confidence, title: "Prefill gets in the way of decode.",
		detail: fmt.Sprintf("%.0f %% of decode's waiting is for prefill in the same steps: %s, without prefill %s on average.",
			100*lost, against("ITL", f.itl), words.Seconds(without)),
		direction: "Relief is a smaller token budget per step, or prefill on other workers.",
		evidence: []Quantity{
			{Name: "Decode time lost to prefill", Value: lost, Unit: "1", Metric: signal.InterferenceLost},
			{Name: "Mean ITL without prefill", Value: without, Unit: "s", Metric: signal.InterferenceCounterfactual},
		},
	}, true
}

// mixed is which share of what misses the ITL objective mixing explains, 0..1, and how sure that is: of the time that a token takes at the
// objective's quantile, the part that is not its own step's. Of the bucket that the quantile lies in, the lower edge counts: what the
// histogram cannot tell is not laid to mixing.
func (f figures) mixed() (explained, confidence float64) {
	lost, without := f.lost()
	if missed, _ := f.itl.Missed(); !missed || lost <= 0 || without <= 0 {
		return 0, 0
	}
	for i, part := range f.weights() {
		confidence += part * f.workers[i].mixConfidence
	}
	return max(0, 1-without/max(f.itl.At.Low, f.itl.Objective)), confidence
}

// lost is the share of decode's waiting that prefill causes and the mean ITL without it, over the workers that tell both.
func (f figures) lost() (share, without float64) {
	weight := 0.0
	for i, part := range f.weights() {
		if w := f.workers[i]; w.lost.ok && w.counterfactual.ok {
			share += part * w.lost.value
			without += part * w.counterfactual.value
			weight += part
		}
	}
	if weight <= 0 {
		return 0, 0
	}
	return share / weight, without / weight
}

func evenly(f figures) (candidate, bool) {
	b := f.balance
	if f.idle() || !b.imbalance.ok || f.side() != "" {
		return candidate{}, false
	}
	c := candidate{code: Balanced, confidence: b.confidence, title: "On target.", beside: "Objectives are met.", detail: f.bothDetail()}
	if !f.met() {
		explained, _ := f.mixed()
		c.beside = "Prefill and decode are in balance." // interference may be the verdict
		c.title, c.loss = "Balanced.", max(f.ttft.Above, f.itl.Above*(1-explained))*(1-f.churn().again)
	}
	c.direction = "Neither phase holds the other back: more load needs more of both."
	if f.met() && math.Abs(b.imbalance.value) > band {
		phase := "Prefill"
		if b.imbalance.value < 0 {
			phase = "Decode"
		}
		c.direction = phase + " is nearer its limit and gives first when load grows."
	}
	return c, true
}

func idling(f figures) (candidate, bool) {
	if !f.idle() {
		return candidate{}, false
	}
	c := candidate{code: Idle, confidence: 1, title: "Idle.", detail: "No requests in the last minute."}
	if f.observed < fullWindow {
		c.confidence, c.detail = earlyWorth, "No requests so far."
	}
	return c, true
}

func unknown(f figures) candidate {
	c := candidate{code: Unknown}
	reason := f.withheld()
	switch {
	case len(f.workers) == 0:
		c.title, c.detail = "No data.", fmt.Sprintf("All %d workers have fallen silent.", f.all)
		if f.all == 1 {
			c.detail = "The worker has fallen silent."
		}
	case reason != "":
		c.title, c.detail = "Withheld.", "No phase estimate: "+strings.ReplaceAll(reason, "_", " ")+"."
		c.direction = "No verdict rather than a wrong one. The figures below are measured and hold."
	default:
		c.title = "Too early to tell."
		if f.observed >= fullWindow {
			c.title = "No estimate."
		}
		n := len(f.workers)
		c.detail = fmt.Sprintf("%d %s, none with an estimate yet.", n, words.Plural(n, "worker reports", "workers report"))
	}
	return c
}
