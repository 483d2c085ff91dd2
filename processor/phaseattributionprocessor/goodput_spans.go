package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// methodSpans names goodput that request spans narrow.
const methodSpans = "request_spans"

// joint narrows goodput by the spans of the requests that finished in the trailing time. The newest windows are left out: their spans
// may be on the way. limit is the highest confidence that windows and objectives allow, buckets aside.
func (l *latencies) joint(g goodput, spans *spanLedger, limit float64) goodput {
	if g.withheld != "" || spans == nil || len(l.windows) == 0 {
		return g
	}
	newest := l.windows[len(l.windows)-1].to
	var seen serving.Seen
	var finished, seconds float64
	for _, w := range l.windows {
		finished += w.tpot.Count
		seconds += w.seconds
		if w.to > newest-int64(spanLag) {
			continue
		}
		told, met := spans.between(w.from, w.to)
		seen.Finished += w.tpot.Count
		seen.Told += told
		seen.Met += met
	}
	rate := finished / seconds
	joint, ok := g.Joint(rate, seen)
	if !ok {
		return g
	}
	width := 0.0
	if rate > 0 {
		width = (joint.High - joint.Low) / rate
	}
	return goodput{Goodput: joint, method: methodSpans, confidence: math.Min(limit, 1-width)}
}

// emitSpanLatency appends the latencies that spans tell and the engine's page does not: never both, which would count requests twice.
func emitSpanLatency(b *builder, s *sums, spans *spanLedger) {
	if spans == nil {
		return
	}
	for i, phase := range spanPhaseOrder() {
		if i < len(s.phases) && len(s.phases[i].Counts) > 0 {
			continue
		}
		if h := spans.latency(i); h.value.Count > 0 {
			b.latencyPoint(phase, h.since, h.value.Bounds, h.value.Counts, h.value.Sum)
		}
	}
}

// latencyPoint appends a cumulative histogram of llm.phase.latency.
func (b *builder) latencyPoint(phase string, start pcommon.Timestamp, bounds, counts []float64, sum float64) {
	dp := b.HistogramSince(start, signal.PhaseLatency, signal.AttrPhase, phase)
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().EnsureCapacity(len(counts))
	var n uint64
	for _, c := range counts {
		whole := uint64(math.Round(c))
		dp.BucketCounts().Append(whole)
		n += whole
	}
	dp.SetCount(n)
	dp.SetSum(sum)
}
