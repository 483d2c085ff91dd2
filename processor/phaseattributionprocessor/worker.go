package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// worker is the bounded state of one engine core.
type worker struct {
	mu       sync.Mutex
	cfg      *Config
	table    map[string]signal.Metric // of the metrics it emits
	book     *facts.Book
	engine   configured
	clocks   clockwatch
	hooks    hooks
	resource pcommon.Resource // a copy: what it derives is about the same resource; never written
	aligner  *window.Aligner
	intake   derive.Intake
	tiers    *tiers
	spending *spending
	meddling *meddling
	latency  *latencies
	sides    *sides
	target   objectives.InForce
	posting  *posting // what traces pipelines see of it
	who      identity // among the users of a GPU
	life     incarnation

	ended int64 // data time of the last window's end
	sums  sums

	gauges   derive.Gauges // that the last window had
	seen     time.Time     // last input, wall clock
	interval time.Duration // between inputs
	silent   bool
	told     bool // its input tells its GPUs
}

// hooks are what a worker tells of itself.
type hooks struct {
	forgot  func(why string) // the fit was reset
	doubted func()           // a window's estimate, by what the GPUs were busy with
}

// sums is what a worker has accumulated since a data time; it begins anew after a silence that no window bridges, since it would no
// longer add up to elapsed time.
type sums struct {
	started  int64
	time     [4]float64      // s by phaseOrder
	low      [2]float64      // s of prefill and decode
	high     [2]float64      //
	phases   [3]window.Value // latency by latencyOrder
	delay    float64         // s of decodes that prefill caused
	wait     float64         // s of decodes, in the same windows
	stalls   float64         // fractions of a step included
	passes   bool            // stalls can be seen
	withheld map[withholding]int64
	gpu      gpuSums
	prompts  promptShare
}

// bridgedWindows is over how many windows a gap between scrapes is bridged at least.
const bridgedWindows = 12

// longestGap is the longest silence of a counter that is bridged.
func longestGap(cfg *Config) time.Duration { return max(cfg.MaxStale, bridgedWindows*cfg.Window) }

// withholding names an estimate and why it was not given.
type withholding struct{ estimate, reason string }

func newWorker(cfg *Config, table map[string]signal.Metric, inputs derive.Inputs, book *facts.Book, told hooks, resource pcommon.Resource) *worker {
	w := &worker{
		cfg:      cfg,
		table:    table,
		book:     book,
		hooks:    told,
		resource: pcommon.NewResource(),
		aligner: window.NewAligner(window.Config{
			Width: cfg.Window, Lateness: cfg.AllowedLateness, MaxGap: longestGap(cfg),
		}, inputCounters, inputGauges),
		tiers:    newTiers(float64(cfg.MaxNumBatchedTokens)),
		spending: newSpending(cfg.Prices),
		meddling: newMeddling(cfg.LatencyWindow),
		latency:  newLatencies(cfg.LatencyWindow),
		sides:    newSides(cfg),
	}
	w.intake = derive.Intake{Inputs: inputs, Into: w.aligner, Summed: true}
	resource.CopyTo(w.resource)
	a := resource.Attributes()
	w.deploy()
	w.target = cfg.Objectives.For(derive.Text(a, signal.AttrModel), derive.Text(a, signal.AttrFleetName))
	w.who.read(w.resource)
	w.life = incarnationOf(w.resource)
	w.posting = newPosting(cfg, w.resource, w.target)
	return w
}

// consume takes one batch of the worker's metrics and appends what follows from the windows that it completes. place is what the batch
// says of where the worker runs.
func (w *worker) consume(sms pmetric.ScopeMetricsSlice, now time.Time, out pmetric.Metrics) (late int, place told) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intake.Begin(now)
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			late += w.intake.Read(m)
			if !place.read(m) && m.Name() == signal.EngineInfo {
				w.configure(m)
			}
		}
	}
	if !w.seen.IsZero() {
		w.interval = derive.Interval(w.interval, now.Sub(w.seen))
	}
	w.seen, w.silent = now, false
	w.told = w.told || len(place.gpus) > 0
	if len(place.pids) > 0 {
		w.who.pids.Store(&place.pids)
	}
	w.close(out)
	return late, place
}

// consumeGPU takes one batch of a joined GPU's metrics likewise.
func (w *worker) consumeGPU(id string, sms pmetric.ScopeMetricsSlice, now time.Time, out pmetric.Metrics) (late int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slot, ok := w.spending.slot(id)
	if !ok {
		return 0 // parted meanwhile
	}
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			if m.Name() == signal.GPUClockFrequency {
				w.clocks.see(m, slot)
				continue
			}
			late += readGPU(m, slot, now.Add(derive.MaxAhead), w.aligner)
		}
	}
	w.close(out)
	return late
}

// close derives from the windows that are complete.
func (w *worker) close(out pmetric.Metrics) {
	if win, ok := w.aligner.Close(); ok {
		w.estimate(win, out)
	}
}

// join and part connect a GPU; the caller holds the lock of joins.
func (w *worker) join(g *gpu) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slot := w.spending.join(g)
	w.aligner.Grow(inputCounters + len(w.spending.slots)*gpuInputs)
	// What it spent since it was parted was for others.
	w.aligner.Forget(inputCounters+slot*gpuInputs, gpuInputs)
	w.deploy()
}

func (w *worker) part(g *gpu) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spending.part(g)
	w.deploy()
}

// configure takes what the engine tells of its configuration.
func (w *worker) configure(m pmetric.Metric) {
	c, ok := readInfo(m)
	if !ok || c == w.engine {
		return
	}
	before := w.engine
	w.engine = c
	w.deploy()
	if what := c.changed(before); what != "" {
		w.forget(what, 0)
	}
}

// forget resets what was learnt of the cost of steps. slower is the factor by which they take longer since the clock changed, 0 when it is
// something else that changed.
func (w *worker) forget(why string, slower float64) {
	w.tiers.forget(slower)
	w.spending.forget()
	w.sides.forget()
	w.hooks.forgot(why)
}

// deploy finds out what the worker runs on.
func (w *worker) deploy() {
	w.tiers.deploy(w.cfg.deploymentOf(*w.book, w.resource.Attributes(), w.engine, w.spending.devices()))
}

// sweep finishes the windows of a worker that fell silent and marks its gauges as no longer recorded.
// It reports whether the worker can be forgotten.
func (w *worker) sweep(now time.Time, out pmetric.Metrics) (forget bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	silence := now.Sub(w.seen)
	forget = silence > w.cfg.MaxStale
	if !w.silent && (forget || silence > 3*max(w.cfg.Window, w.interval)) {
		w.end(now, out)
	}
	return forget
}

// estimate derives everything from one window and appends it to out.
func (w *worker) estimate(win window.Window, out pmetric.Metrics) {
	if w.sums.started == 0 || win.From != w.ended {
		w.sums = sums{started: win.From, withheld: map[withholding]int64{}}
	}
	w.ended = win.To
	var d derived
	d.division = w.tiers.divide(win, w.spending.graphics(win))
	if w.tiers.doubt(&d.division, w.spending.active(win, gpuTensor), w.spending.active(win, gpuDRAM)) {
		w.hooks.doubted()
	}
	d.spent = w.spending.divide(win, d.division)
	d.meddled = w.meddling.add(win, d.division)
	w.latency.add(win)
	w.sides.add(win, &d.division)
	d.balance = w.latency.balance(w.target, w.cfg.MaxNumSeqs)
	w.sides.weigh(&d.balance, w.latency.count, win.To, w.target)
	d.goodput = w.latency.goodput(w.target, w.posting.spans)
	w.who.learn(&d.split)
	if slower := w.clocks.window(2*(d.split.Idle) < win.Seconds()); slower > 0 {
		w.forget(signal.GPUClockFrequency, slower)
	}
	w.sums.add(win, &d, fade(win.Seconds(), w.cfg.LatencyWindow))
	w.posting.costs.Store(costsOf(&w.sums, &d, w.cfg.Prices.Currency(), w.posting.costs.Load()))
	emit(w, win, &d, out)
}

// derived is everything that one window says.
type derived struct {
	division
	spent   spent
	meddled meddled
	balance balance
	goodput goodput
}

// add counts a window. fade is how much of the past remains in what fades.
func (s *sums) add(win window.Window, d *derived, fade float64) {
	for i, seconds := range []float64{d.split.Prefill, d.split.Decode, d.split.Idle, d.split.Unattributed} {
		s.time[i] += seconds
	}
	busy := d.split.Prefill + d.split.Decode
	for i, bound := range [2][2]float64{{d.split.PrefillLow, d.split.PrefillHigh}, {busy - d.split.PrefillHigh, busy - d.split.PrefillLow}} {
		s.low[i] += max(0, bound[0])
		s.high[i] += bound[1]
	}
	for i, key := range latencyInputs() {
		addLatency(&s.phases[i], win.Totals[key])
	}
	s.delay += d.meddled.window.Delay
	s.wait += d.meddled.window.Wait
	s.stalls += d.meddled.window.Stalls
	s.passes = s.passes || d.counted
	s.gpu.add(win, d, fade)
	s.prompts.add(win, d, fade)
	for _, why := range []withholding{
		{signal.EstimatePhaseTime, d.split.Withheld}, {signal.EstimateImbalance, d.balance.withheld}, {signal.EstimateSide, d.balance.untold},
		{signal.EstimateInterference, d.meddled.withheld}, {signal.EstimateGoodput, d.goodput.withheld},
		{signal.EstimateEnergy, d.spent.amounts[gpuEnergy].Withheld}, {signal.EstimateActivity, d.spent.activityWithheld()},
	} {
		if why.reason != "" {
			s.withheld[why]++
		}
	}
}

// addLatency adds a window's latencies to a cumulative histogram; new bucket bounds begin it anew.
func addLatency(to *window.Value, d window.Value) {
	if !to.Fits(d) {
		*to = window.Value{}
	}
	to.AddScaled(d, 1)
}
