package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// role is what a worker does, as far as this processor tells roles apart.
type role int

const (
	roleUnknown role = iota
	rolePrefill
	roleDecode
	roleAggregated
	roleOther // encode, router
)

func roleOf(name string) role {
	switch name {
	case signal.RolePrefill:
		return rolePrefill
	case signal.RoleDecode:
		return roleDecode
	case signal.RoleAggregated:
		return roleAggregated
	case signal.RoleEncode, signal.RoleRouter:
		return roleOther
	}
	return roleUnknown
}

// member is a worker of a fleet. The fleet's lock guards it.
type member struct {
	resource pcommon.Resource // a copy; never written
	id       identity
	told     role // by resource or llm.engine.info
	intake   derive.Intake
	aligner  *window.Aligner
	mark     int64 // watermark
	seen     time.Time
	covered  int64 // end of the last window that it was seen through

	transfers *observer // nil of a prefill worker
	gauges    derive.Gauges
	splitter  *serving.Splitter    // of an aggregated worker
	running   serving.Batch        // its requests
	costs     serving.StepCost     // there
	batch     float64              // usual number of sequences in its steps that decode
	spread    float64              // relative, of a decode step of that batch by these costs
	meddled   serving.Interference // what prefill costs decode there, fading
	started   int64                // data time of the first window
	waiting   float64
	waited    bool
	kv        float64 // capacity, tokens
	behaviour behaviour
}

// behaviour is what a worker whose role nobody tells was seen to do.
type behaviour struct{ requests, generated, fetched, prompt float64 }

// common is what a fleet's members use one after the other.
type common struct {
	shapes window.Shapes
	room   derive.Room
}

func newMember(cfg *Config, inputs derive.Inputs, common *common, id identity, resource pcommon.Resource) *member {
	m := &member{
		resource: pcommon.NewResource(), id: id,
		aligner: window.NewAligner(window.Config{
			Width: cfg.Window, Lateness: cfg.AllowedLateness, MaxGap: max(cfg.MaxStale, bridgedWindows*cfg.Window), Shapes: &common.shapes,
		}, inputCounters, inputGauges),
	}
	m.intake = derive.Intake{Inputs: inputs, Into: m.aligner, Room: &common.room}
	m.told = roleOf(id.role)
	resource.CopyTo(m.resource)
	return m
}

// bridgedWindows is over how many windows a gap between scrapes is bridged at least.
const bridgedWindows = 12

// consume takes one batch of the worker's metrics and returns how many points were refused for their time.
func (m *member) consume(sms pmetric.ScopeMetricsSlice, now time.Time) (late int) {
	m.intake.Begin(now)
	for _, sm := range sms.All() {
		for _, metric := range sm.Metrics().All() {
			if metric.Name() == signal.EngineInfo {
				m.learnRole(metric)
			}
			late += m.intake.Read(metric)
		}
	}
	m.seen = now
	m.mark = m.aligner.Watermark()
	return late
}

// learnRole reads the role from llm.engine.info; one on the resource has been configured and stands.
func (m *member) learnRole(metric pmetric.Metric) {
	if metric.Type() != pmetric.MetricTypeGauge || m.id.role != "" {
		return
	}
	for _, dp := range metric.Gauge().DataPoints().All() {
		if r := roleOf(derive.Text(dp.Attributes(), signal.AttrRole)); r != roleUnknown {
			m.told = r
		}
	}
}

// role is what the worker does: what it is told to, else what it was seen to do.
func (m *member) role() role {
	if m.told != roleUnknown {
		return m.told
	}
	b := &m.behaviour
	switch {
	case b.requests < 20:
		return roleUnknown
	case b.fetched > 0.5*b.prompt:
		return roleDecode
	case b.generated < 1.05*b.requests:
		return rolePrefill
	}
	return roleAggregated
}

// close takes the worker's part of the fleet's window.
func (m *member) close(boundary int64) (win window.Window, ok bool) {
	win, ok = m.aligner.CloseTo(boundary)
	if !ok {
		return win, false
	}
	if win.Spanned[inGenerated] >= 0.5*win.Seconds() { // late data tells of the time before, too
		m.covered = boundary
	}
	if m.started == 0 {
		m.started = win.From
	}
	b := &m.behaviour
	b.requests += win.Totals[inTTFT].Count
	b.generated += win.Totals[inGenerated].Sum
	b.fetched += win.Totals[inFetched].Sum
	b.prompt += win.Totals[inFetched].Sum + win.Totals[inLocal].Sum + win.Totals[inHit].Sum
	if l := win.Levels[inKVCapacity]; l.Seen && l.Mean > 0 {
		m.kv = l.Mean
	}
	return win, true
}

// backlog is by how much more requests wait than at the window before.
func (m *member) backlog(win window.Window) float64 {
	l := win.Levels[inWaiting]
	if !l.Seen {
		m.waited = false
		return 0
	}
	rise := l.Mean - m.waiting
	if !m.waited {
		rise = 0
	}
	m.waiting, m.waited = l.Mean, true
	return rise
}

// moves reads the transfers of a window that the engine observed.
func moves(win window.Window) serving.TransferWindow {
	time, bytes := win.Totals[inMoveTime], win.Totals[inMoveBytes]
	return serving.TransferWindow{
		Elapsed: win.Seconds(), Count: time.Count, Time: time.Sum, Bytes: bytes.Sum,
		Post: win.Totals[inMovePost].Sum, Pieces: win.Totals[inMovePieces].Sum, Durations: bucketsOf(time),
	}
}

// prefillSteps reads the steps of a prefill worker from forward passes.
func prefillSteps(win window.Window) serving.Steps {
	return serving.Steps{
		Count: win.Totals[inStepCountPrefill].Sum, Time: win.Totals[inStepTimePrefill].Sum, PrefillTokens: win.Totals[inStepTokensPrefill].Sum,
	}
}

// workOf reads an aggregated worker's window.
func workOf(win window.Window) serving.Work {
	steps := win.Totals[inStepTokens]
	l := win.Levels[inRunning]
	work := serving.Work{
		Elapsed: win.Covered[inGenerated], Steps: steps.Count, FirstTokens: win.Totals[inTTFT].Count,
		DecodeTokens: win.Totals[inITL].Count, ITLSum: win.Totals[inITL].Sum,
		PrefillTime: win.Totals[inPrefillTime].Sum, Finished: win.Totals[inPrefillTime].Count,
		StepTokens: bucketsOf(steps), Running: serving.Running{Seen: l.Seen, Min: l.Min},
		PrefillTokens: win.Totals[inLocal].Sum,
	}
	if win.Covered[inLocal] <= 0 {
		work.PrefillTokens = max(0, steps.Sum-win.Totals[inGenerated].Sum)
	}
	return work
}

const (
	// batchStep is the weight of a window in the mean batch of a worker.
	batchStep = 0.05
	// untoldSpread is the spread of a decode step where no lengths of requests tell its context.
	untoldSpread = 0.02
)

// turnoverOf reads which requests came to and left an aggregated worker's batch.
func turnoverOf(win window.Window) serving.Turnover {
	at := win.Totals
	return serving.Turnover{
		Came: at[inTTFT].Count, CameTokens: at[inLocal].Sum + at[inHit].Sum + at[inFetched].Sum,
		Left: at[inOutput].Count, LeftTokens: at[inInput].Sum + at[inOutput].Sum,
	}
}

// divide learns an aggregated worker's costs. usual are the lengths of its fleet's requests.
func (m *member) divide(win window.Window, cfg *Config, usual *side) {
	if win.Covered[inGenerated] <= 0 || win.Covered[inStepTokens] <= 0 {
		return
	}
	if m.splitter == nil {
		m.splitter = serving.NewSplitter(float64(cfg.MaxNumBatchedTokens))
	}
	work := workOf(win)
	if stays, ok := serving.NewStays(lengthsOf(usual.input), lengthsOf(usual.output)); ok {
		work.Read, work.Each = m.running.Read(work, turnoverOf(win), &stays), stays.Context()
	}
	split := m.splitter.Split(work, bucketsOf(win.Totals[inComputed]))
	costs := split.PerStep
	if costs.Token > 0 {
		m.costs, m.spread = costs, cmp.Or(split.StepSpread, untoldSpread)
		if m.batch == 0 {
			m.batch = split.Passes.Batch()
		}
		m.batch += batchStep * (split.Passes.Batch() - m.batch)
	}
	if split.Withheld != "" {
		return
	}
	m.meddled.Fade(fade(win.Seconds(), cfg.Horizon.Seconds()))
	m.meddled.Add(split.Interference(work))
}
