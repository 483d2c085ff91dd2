package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// transport weighs the evidence on what carries an agent's transfers: counters of links, then UCX's log, then its configuration, then
// the band in which the bandwidth lies.
type transport struct {
	counters, log, configuration string
}

// opinion is a transport and what speaks for it.
type opinion struct{ transport, evidence string }

// told reads what the nixl receiver inferred.
func (t *transport) told(m pmetric.Metric) {
	if m.Type() != pmetric.MetricTypeGauge {
		return
	}
	for _, dp := range m.Gauge().DataPoints().All() {
		name := derive.Text(dp.Attributes(), signal.AttrTransport)
		if name == "" || name == signal.TransportUnknown || dp.Flags().NoRecordedValue() {
			continue
		}
		switch derive.Text(dp.Attributes(), signal.AttrEvidence) {
		case signal.EvidenceCounters:
			t.counters = name
		case signal.EvidenceLog:
			t.log = name
		}
	}
}

// configured reads UCX_TLS: a list of transports that leaves only one kind says which it is.
func (t *transport) configured(m pmetric.Metric) {
	if m.Type() != pmetric.MetricTypeGauge {
		return
	}
	for _, dp := range m.Gauge().DataPoints().All() {
		list := derive.Text(dp.Attributes(), signal.AttrEnvironmentStem+"UCX_TLS")
		if list == "" || strings.HasPrefix(list, "^") || strings.Contains(list, "all") {
			continue
		}
		tcp, rdma := false, false
		for _, one := range strings.Split(list, ",") {
			switch {
			case one == "tcp":
				tcp = true
			case strings.HasPrefix(one, "rc") || strings.HasPrefix(one, "dc") || strings.HasPrefix(one, "ud") || one == "ib":
				rdma = true
			}
		}
		if tcp && !rdma {
			t.configuration = signal.TransportTCP
		}
	}
}

// verdict is the transport by the best evidence. Where that says RDMA and the bandwidth is TCP's, it is a conflict, and both are told.
func (t *transport) verdict(o *observer) []opinion {
	best := opinion{}
	for _, e := range []opinion{
		{t.counters, signal.EvidenceCounters}, {t.log, signal.EvidenceLog}, {t.configuration, signal.EvidenceConfiguration},
	} {
		if e.transport != "" {
			best = e
			break
		}
	}
	bands := bandsOf(o)
	onlyTCP := slices.Equal(bands, []string{serving.CarriedByTCP})
	switch {
	case best.transport == "" && len(bands) == 0:
		return []opinion{{signal.TransportUnknown, signal.EvidenceBandwidth}}
	case best.transport == "":
		all := make([]opinion, 0, len(bands))
		for _, b := range bands {
			all = append(all, opinion{b, signal.EvidenceBandwidth})
		}
		return all
	case onlyTCP && best.transport == signal.TransportRDMA:
		return []opinion{{signal.TransportUnknown, signal.EvidenceConflict}, best, {signal.TransportTCP, signal.EvidenceBandwidth}}
	}
	return []opinion{best}
}

// bandsOf are the transports that the bandwidth fits; that of a fallback goes before the one that was usual.
func bandsOf(o *observer) []string {
	switch {
	case o.tcp.Found && o.tcp.Share > 0.5:
		return []string{serving.CarriedByTCP}
	case o.withheld == "":
		return serving.TransportsOf(o.model.BandwidthLow, o.model.BandwidthHigh)
	}
	return nil
}
