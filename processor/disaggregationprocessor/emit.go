package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"cmp"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

// Methods of the estimates, for llm.estimate.confidence.
const (
	methodRegression = "alpha_beta_regression"
	methodRehearsal  = "rehearsal"
	methodShapley    = "rehearsal_shapley"
)

func (f *fleet) builder(resource pcommon.Resource, gauges *derive.Gauges, start, at int64, out pmetric.Metrics) *derive.Builder {
	return derive.NewBuilder(f.table, metadata.ScopeName, resource, pcommon.Timestamp(start), pcommon.Timestamp(at), gauges, out)
}

// emitMember appends what a worker's own transfers say.
func (f *fleet) emitMember(m *member, at int64, out pmetric.Metrics) {
	b := f.builder(m.resource, &m.gauges, m.started, at, out)
	emitObserver(b, m.transfers)
	b.Sum(signal.TransferExpired).SetIntValue(int64(m.transfers.expired))
	b.Finish()
}

// emitObserver appends what transfers of one observer say.
func emitObserver(b *derive.Builder, o *observer) {
	if o.withheld == "" {
		b.Gauge(signal.TransferBase, o.model.Base)
		b.Gauge(signal.TransferBandwidth, o.model.Bandwidth)
		b.Gauge(signal.TransferBaseRatio, o.model.BaseShare())
		b.Gauge(signal.EstimateConfidence, o.model.Confidence, signal.AttrEstimate, signal.TransferBandwidth, signal.AttrEstimateMethod, methodRegression)
	}
	if o.model.MeanPost > 0 && o.model.MeanTime > 0 {
		b.Gauge(signal.TransferPostRatio, min(1, o.model.MeanPost/o.model.MeanTime))
	}
	b.Gauge(signal.TransferConcurrent, o.rate)
	b.Sum(signal.TransferHiccups).SetIntValue(o.episodes)
	if o.hiccup.Known {
		b.Gauge(signal.TransferHiccup, oneIf(o.hiccup.Alarm))
	}
	if o.hiccup.Alarm {
		b.Gauge(signal.TransferExcess, o.hiccup.Excess)
		if o.hiccup.Stall > 0 {
			b.Gauge(signal.TransferStall, o.hiccup.Stall)
		}
	}
	b.Gauge(signal.TransferFallback, o.tcp.Share)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// emit appends what the window says of the fleet.
func (f *fleet) emit(at int64, out pmetric.Metrics) {
	f.evaluate(at)
	b := f.builder(f.resource, &f.gauges, f.started, at, out)
	b.Gauge(signal.FleetWriter, 1, signal.AttrFleetWriter, f.writer)
	observed, expected := f.coverage()
	b.Gauge(signal.FleetExpected, float64(expected))
	b.Gauge(signal.FleetObserved, float64(observed))
	b.Gauge(signal.Coverage, float64(observed)/float64(max(1, expected)), signal.AttrEstimate, signal.TopologyGoodput)
	f.emitWorkers(b)
	if f.pooled.seen {
		f.emitTransfers(b)
	}
	if goodput, ok := f.goodput(); ok {
		b.Gauge(signal.DisaggregationGoodput, goodput)
	}
	f.emitForecast(b)
	b.Sum(signal.TopologyChanges).SetIntValue(int64(f.adviser.Changes()))
	for _, w := range f.withholdings() {
		b.Sum(signal.EstimateWithheld, signal.AttrEstimate, w.estimate, signal.AttrReason, w.reason).SetIntValue(f.withheld[w])
	}
	b.Finish()
}

// goodput is what was measured, requests/s. That of an aggregated fleet is the one that its gate rests on.
func (f *fleet) goodput() (v float64, known bool) {
	if f.forecast.measured {
		return f.forecast.together, f.unknown == ""
	}
	share, ok := f.attained(f.forecast.paces)
	return share * max(f.past.prefill.ttft.Count+f.past.backlog, f.past.decode.ttft.Count) / f.past.seconds, ok && f.past.seconds > 0
}

func (f *fleet) emitWorkers(b *derive.Builder) {
	put := func(topology string, t serving.Topology) {
		for _, r := range []struct {
			role string
			n    int
		}{{signal.RolePrefill, t.Prefill}, {signal.RoleDecode, t.Decode}, {signal.RoleAggregated, t.Aggregated}} {
			if r.n > 0 {
				b.Gauge(signal.TopologyWorkers, float64(r.n), signal.AttrTopology, topology, signal.AttrRole, r.role)
			}
		}
	}
	put(signal.TopologyCurrent, f.topology())
	if best, ok := f.recommended(); ok {
		put(signal.TopologyRecommended, best.Topology)
	}
}

// emitTransfers appends what all transfers of the fleet say, and what they do to its requests.
func (f *fleet) emitTransfers(b *derive.Builder) {
	emitObserver(b, f.pooled)
	exposure, ok := f.exposed()
	if ok {
		b.Gauge(signal.TransferExposed, exposure.Share)
		b.Gauge(signal.TransferUtilization, exposure.Rho)
	} else {
		f.withheld[withholding{signal.TransferExposed, serving.WithheldNoData}]++
	}
	if f.pooled.withheld != "" {
		f.withheld[withholding{signal.TransferBandwidth, f.pooled.withheld}]++
	}
	if m := f.worst(); m != nil && m.transfers.amplify(f.ranks, float64(f.cfg.Transfer.Pieces), exposure.Rho) {
		o := m.transfers
		b.Gauge(signal.TransferAmplified, o.amplified.Factor, signal.AttrAmplifier, o.amplified.Amplifier)
		b.Gauge(signal.TransferEpoch, serving.Epoch(o.hiccup.Stall, exposure.Rho, o.model.MeanTime))
	}
}

// worst is the decode worker with the longest hiccup, of which the fleet speaks; nil without one.
func (f *fleet) worst() (worst *member) {
	for _, m := range f.ordered {
		if m.role() == roleDecode && m.transfers != nil && m.transfers.hiccup.Alarm && (worst == nil || m.transfers.hiccup.Windows > worst.transfers.hiccup.Windows) {
			worst = m
		}
	}
	return worst
}

// exposed is what requests wait for their KV and nothing else.
func (f *fleet) exposed() (serving.Exposure, bool) {
	p := &f.past
	workers := float64(f.topology().Decode)
	if p.moves.Count <= 0 || p.decode.ttft.Count <= 0 || p.prefill.ttft.Count <= 0 || workers == 0 || p.seconds <= 0 {
		return serving.Exposure{}, false
	}
	step := 0.0
	if l, ok := f.decode.Line(); ok {
		step = l.Base + l.Slope*l.Mean
	}
	return serving.Exposed(serving.ExposedInput{
		Transfer: p.moves.Time / p.moves.Count, Variation: f.pooled.variation(), Noise: serving.SlowestOf(2) - 1, Ranks: f.ranks,
		Rate:        p.moves.Count / max(1, f.ranks) / p.seconds / workers,
		PrefillTTFT: p.prefill.ttft.Sum / p.prefill.ttft.Count, DecodeTTFT: p.decode.ttft.Sum / p.decode.ttft.Count, DecodeStep: step,
	})
}

func (f *fleet) withholdings() []withholding {
	all := make([]withholding, 0, len(f.withheld))
	for w := range f.withheld {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b withholding) int {
		return cmp.Or(cmp.Compare(a.estimate, b.estimate), cmp.Compare(a.reason, b.reason))
	})
	return all
}

func quantileText(q float64) string { return strconv.FormatFloat(q, 'g', -1, 64) }
