package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

// The counters of an agent.
const (
	inAgentTime = iota
	inAgentBytes
	inAgentPost
	agentCounters
)

// agent is a NIXL agent: it has transfers and no requests. What it says is about its own resource, with its worker's identity on
// llm.fleet.name where it is joined.
type agent struct {
	mu        sync.Mutex
	cfg       *Config
	resource  pcommon.Resource
	host      string
	intake    derive.Intake
	aligner   *window.Aligner
	transfers *observer
	transport transport
	gauges    derive.Gauges
	started   int64
	seen      time.Time
	interval  time.Duration
	silent    bool
	joined    bool
}

func newAgent(cfg *Config, inputs derive.Inputs, id identity, resource pcommon.Resource) *agent {
	a := &agent{
		cfg: cfg, resource: pcommon.NewResource(), host: id.Host, transfers: newObserver(), joined: id.fleet != "",
		aligner: window.NewAligner(window.Config{
			Width: cfg.Window, Lateness: cfg.AllowedLateness, MaxGap: max(cfg.MaxStale, bridgedWindows*cfg.Window),
		}, agentCounters, 0),
	}
	resource.CopyTo(a.resource)
	a.intake = derive.Intake{Inputs: inputs, Into: a.aligner}
	return a
}

// agentInputs tells which counter a point of an agent is. Directions add up: an agent initiates one or the other.
func agentInputs() derive.Inputs {
	return derive.NewInputs(func(metric string) derive.Pick {
		switch metric {
		case signal.NIXLTransferTime:
			return derive.Always(inAgentTime)
		case signal.NIXLTransferIO:
			return derive.Always(inAgentBytes)
		case signal.NIXLTransferPost:
			return derive.Always(inAgentPost)
		}
		return nil
	}, func(string) derive.Pick { return nil })
}

// consume takes one batch of the agent's metrics. rate is that of its host's links; fleetOf finds the fleet of the worker at a place.
func (a *agent) consume(rm pmetric.ResourceMetrics, now time.Time, rate float64, fleetOf func(place) string, table map[string]signal.Metric, out pmetric.Metrics) (late int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.intake.Begin(now)
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			late += a.intake.Read(m)
			switch m.Name() {
			case signal.NIXLAgentInfo:
				a.join(m, fleetOf)
				a.transport.configured(m)
			case signal.NIXLTransport:
				a.transport.told(m)
			}
		}
	}
	if !a.seen.IsZero() {
		a.interval = derive.Interval(a.interval, now.Sub(a.seen))
	}
	a.seen, a.silent = now, false
	if win, ok := a.aligner.Close(); ok {
		a.close(win, rate, table, out)
	}
	return late
}

// join finds the agent's worker by host and port, and notes its fleet on what is derived from now on.
func (a *agent) join(m pmetric.Metric, fleetOf func(place) string) {
	if a.joined || m.Type() != pmetric.MetricTypeGauge {
		return
	}
	for _, dp := range m.Gauge().DataPoints().All() {
		port, ok := dp.Attributes().Get(signal.AttrServerPort)
		if !ok {
			continue
		}
		if name := fleetOf(placeOf(a.host, port.Int())); name != "" {
			a.resource.Attributes().PutStr(signal.AttrFleetName, name)
			a.joined = true
			return
		}
	}
}

func (a *agent) close(win window.Window, rate float64, table map[string]signal.Metric, out pmetric.Metrics) {
	if a.started == 0 {
		a.started = win.From
	}
	time, bytes := win.Totals[inAgentTime], win.Totals[inAgentBytes]
	if a.cfg.Transfer.LinkRate > 0 {
		rate = a.cfg.Transfer.LinkRate
	}
	a.transfers.see(serving.TransferWindow{
		Elapsed: win.Seconds(), Count: time.Count, Time: time.Sum, Bytes: bytes.Sum, Post: win.Totals[inAgentPost].Sum, Durations: bucketsOf(time),
	}, rate, window.Value{}, 0)
	if !a.transfers.seen {
		return
	}
	b := derive.NewBuilder(table, metadata.ScopeName, a.resource, pcommon.Timestamp(a.started), pcommon.Timestamp(win.To), &a.gauges, out)
	emitObserver(b, a.transfers)
	for _, v := range a.transport.verdict(a.transfers) {
		b.Gauge(signal.TransferTransport, 1, signal.AttrTransport, v.transport, signal.AttrEvidence, v.evidence)
	}
	if a.transfers.withheld == "" && rate > 0 && win.Seconds() > 0 {
		b.Gauge(signal.TransferUtilization, min(1, bytes.Sum/win.Seconds()/rate))
	}
	b.Finish()
}

// sweep marks the gauges of an agent that fell silent as no longer recorded. It reports whether the agent can be forgotten.
func (a *agent) sweep(now time.Time, table map[string]signal.Metric, out pmetric.Metrics) (forget bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	silence := now.Sub(a.seen)
	forget = silence > a.cfg.MaxStale
	if !a.silent && (forget || silence > 3*max(a.cfg.Window, a.interval)) {
		a.silent = true
		if win, ok := a.aligner.Flush(); ok {
			a.close(win, 0, table, out)
		}
		if !a.gauges.Empty() {
			at := pcommon.NewTimestampFromTime(now)
			derive.NewBuilder(table, metadata.ScopeName, a.resource, pcommon.Timestamp(a.started), at, &a.gauges, out).Finish()
		}
	}
	return forget
}
