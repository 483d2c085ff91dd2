package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// latencies keeps a worker's latency histograms over a trailing time, and its load.
type latencies struct {
	span    float64 // s
	windows []latencyWindow
	count   int // windows ever seen
	recent  trailing
}

// trailing is what the windows of the trailing time add up to; written again with each window.
type trailing struct {
	seconds                float64
	ttft, itl, queue, tpot window.Value
}

// latencyWindow is one window's part of the trailing time.
type latencyWindow struct {
	from, to               int64 // unix nanoseconds
	seconds                float64
	ttft, itl, queue, tpot window.Value
	running, kvUsage       window.Level
}

func newLatencies(span time.Duration) *latencies { return &latencies{span: span.Seconds()} }

func (l *latencies) add(w window.Window) {
	l.count++
	l.windows = append(l.windows, latencyWindow{
		from: w.From, to: w.To, seconds: w.Seconds(),
		ttft: w.Totals[inTTFT], itl: w.Totals[inITL], queue: w.Totals[inQueueTime], tpot: w.Totals[inTPOT],
		running: w.Levels[inRunning], kvUsage: w.Levels[inKVUsage],
	})
	l.trim()
	l.recent.take(l.windows)
}

// trim drops windows from before the trailing time.
func (l *latencies) trim() {
	var kept float64
	for i := len(l.windows) - 1; i >= 0; i-- {
		kept += l.windows[i].seconds
		if kept >= l.span {
			l.windows = append(l.windows[:0], l.windows[i:]...)
			return
		}
	}
}

// take adds up windows.
func (t *trailing) take(windows []latencyWindow) {
	t.seconds = 0
	for _, v := range []*window.Value{&t.ttft, &t.itl, &t.queue, &t.tpot} {
		v.Reset()
	}
	for i := range windows {
		w := &windows[i]
		t.seconds += w.seconds
		addLatency(&t.ttft, w.ttft)
		addLatency(&t.itl, w.itl)
		addLatency(&t.queue, w.queue)
		addLatency(&t.tpot, w.tpot)
	}
}

// balance is the state of a worker against its objectives.
type balance struct {
	serving.Balance
	method   string
	withheld string
	untold   string // why it rests on pressures and not on rehearsals
}

const (
	withheldNoRequests = "no_requests"
	withheldOnePhase   = "one_phase_only"
	// Windows until a confidence may be called MED and HIGH: with fewer, the load may not have shown itself yet.
	windowsForMed  = 12
	windowsForHigh = 120
	justBelowMed   = 0.49
	justBelowHigh  = 0.79
)

// balance compares the latencies of the trailing time with the objective.
func (l *latencies) balance(target objectives.InForce, maxSeqs int) balance {
	ttft, itl, queue := l.recent.ttft, l.recent.itl, l.recent.queue
	last := l.windows[len(l.windows)-1]
	in := serving.Pressures{
		TTFT:     quantile(ttft, target.TTFT.Quantile, target.TTFT.Max),
		ITL:      quantile(itl, target.ITL.Quantile, target.ITL.Max),
		Queue:    quantile(queue, target.TTFT.Quantile, target.TTFT.Max),
		KVUsage:  last.kvUsage.Mean,
		SeqUsage: 0,
	}
	if maxSeqs > 0 {
		in.SeqUsage = last.running.Mean / float64(maxSeqs)
	}
	b, ok := in.Balance()
	if !ok && (in.TTFT.Seen || in.ITL.Seen) {
		return balance{withheld: withheldOnePhase, Balance: serving.Balance{Prefill: in.TTFT.Value, Decode: in.ITL.Value}}
	}
	if !ok {
		return balance{withheld: withheldNoRequests}
	}
	// LOW: which latency misses its objective by more is known well, but where prefill and decode share steps the phase to strengthen is
	// more often the other one (docs/estimators.md, "Which side").
	b.Confidence = math.Min(b.Confidence, justBelowMed)
	return balance{Balance: b, method: methodObjective}
}

// quantile reads a latency quantile in units of its objective, with the interval that the sample size and the buckets leave.
func quantile(h window.Value, q float64, objective time.Duration) serving.Ratio {
	value, width, ok := estimate.Quantile(q, h.Bounds, h.Counts)
	if !ok {
		return serving.Ratio{}
	}
	// The rank of a sample quantile scatters by sqrt(q(1-q)/n): read the quantiles one such step either side.
	step := math.Sqrt(q * (1 - q) / h.Count)
	lo, _, _ := estimate.Quantile(math.Max(0, q-step), h.Bounds, h.Counts)
	hi, _, _ := estimate.Quantile(math.Min(1, q+step), h.Bounds, h.Counts)
	unit := objective.Seconds()
	return serving.Ratio{Seen: true, Value: value / unit, Low: lo / unit, High: hi / unit, Width: width / unit}
}

// goodput is how many requests met the objectives.
type goodput struct {
	serving.Goodput
	method     string
	confidence float64
	withheld   string
}

// goodput compares the latencies of the requests that finished in the trailing time with the objective. The confidence is how close
// the bounds are; it is never MED where an objective lies in a bucket too wide to interpolate, nor HIGH against an implied one. spans
// narrow the bounds where there are some.
func (l *latencies) goodput(target objectives.InForce, spans *spanLedger) goodput {
	ttft, tpot, seconds := l.recent.ttft, l.recent.tpot, l.recent.seconds
	g, ok := serving.GoodputOf(tpot.Count/seconds, serving.Buckets{Bounds: ttft.Bounds, Counts: ttft.Counts},
		serving.Buckets{Bounds: tpot.Bounds, Counts: tpot.Counts}, target.TTFT.Max.Seconds(), target.ITL.Max.Seconds())
	if !ok {
		return goodput{withheld: withheldNoRequests}
	}
	limit := 1.0
	switch {
	case l.count < windowsForMed:
		limit = justBelowMed
	case l.count < windowsForHigh || target.TTFTImplied || target.ITLImplied:
		limit = justBelowHigh
	}
	unbucketed := limit
	if g.Coarse {
		limit = justBelowMed
	}
	width := 0.0
	if g.High > 0 {
		width = (g.High - g.Low) / (tpot.Count / seconds)
	}
	return l.joint(goodput{Goodput: g, method: methodFrechet, confidence: math.Min(limit, 1-width)}, spans, unbucketed)
}
