package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	book "github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// worker is the bounded state of one engine core.
type worker struct {
	mu       sync.Mutex
	cfg      *Config
	table    map[string]signal.Metric
	resource pcommon.Resource // a copy: what it derives is about the same resource; never written
	engine   string
	sizes    ModelRule

	modelName string
	model     book.Model // as published; without layers when it is not in the table

	aligner *window.Aligner
	intake  derive.Intake
	facts   facts
	costs   costs
	short   trail // a minute
	long    trail // the horizon
	misses  serving.MissLedger
	storm   serving.KVStorm
	lowest  serving.KVLowest
	sums    sums

	kept     int64 // data time of a snapshot that was taken back; 0 once a window has followed
	ended    int64 // data time of the last window's end
	gauges   derive.Gauges
	seen     time.Time     // last input, wall clock
	interval time.Duration // between inputs
	silent   bool
}

// sums is what a worker has accumulated since a data time; it begins anew after a silence that no window bridges.
type sums struct {
	started  int64
	missed   serving.KVMisses // tokens
	evicted  float64          // blocks
	waste    [wastes]wasted
	withheld map[withholding]int64
}

// withholding names an estimate and why it was not given.
type withholding struct{ estimate, reason string }

const (
	// bridgedWindows is over how many windows a gap between scrapes is bridged at least.
	bridgedWindows = 12
	shortTrail     = time.Minute
)

func newWorker(cfg *Config, table map[string]signal.Metric, inputs derive.Inputs, models *book.Book, resource pcommon.Resource) *worker {
	a := resource.Attributes()
	w := &worker{
		cfg: cfg, table: table, resource: pcommon.NewResource(), engine: derive.Text(a, signal.AttrEngineName),
		sizes: cfg.model(derive.Text(a, signal.AttrModel), derive.Text(a, signal.AttrFleetName)),
		aligner: window.NewAligner(window.Config{
			Width: cfg.Window, Lateness: cfg.AllowedLateness, MaxGap: max(cfg.MaxStale, bridgedWindows*cfg.Window),
		}, counters, gauges),
		short: trail{constant: shortTrail}, long: trail{constant: cfg.Horizon},
	}
	w.facts.role = derive.Text(a, signal.AttrRole)
	w.modelName = derive.Text(a, signal.AttrModel)
	w.model, _ = models.Model(w.modelName)
	w.intake = derive.Intake{Inputs: inputs, Into: w.aligner}
	resource.CopyTo(w.resource)
	return w
}

// consume takes one batch of the worker's metrics and appends what follows from the windows that it completes.
func (w *worker) consume(sms pmetric.ScopeMetricsSlice, now time.Time, gpus *devices, out pmetric.Metrics) (late int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intake.Begin(now)
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			w.facts.learn(m)
			w.costs.learn(m)
			late += w.intake.Read(m)
		}
	}
	if !w.seen.IsZero() {
		w.interval = derive.Interval(w.interval, now.Sub(w.seen))
	}
	w.seen, w.silent = now, false
	if win, ok := w.aligner.Close(); ok {
		w.estimate(win, gpus, out)
	}
	return late
}

// sweep finishes the windows of a worker that fell silent and marks its gauges as no longer recorded.
// It reports whether the worker can be forgotten.
func (w *worker) sweep(now time.Time, gpus *devices, out pmetric.Metrics) (forget bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	silence := now.Sub(w.seen)
	forget = silence > w.cfg.MaxStale
	if !w.silent && (forget || silence > 3*max(w.cfg.Window, w.interval)) {
		w.silent = true
		if win, ok := w.aligner.Flush(); ok {
			w.estimate(win, gpus, out)
		}
		if !w.gauges.Empty() {
			w.builder(pcommon.NewTimestampFromTime(now), out).Finish()
		}
	}
	return forget
}

// estimate derives everything from one window and appends it to out.
func (w *worker) estimate(win window.Window, gpus *devices, out pmetric.Metrics) {
	if w.sums.started == 0 || win.From != w.ended {
		w.sums = sums{started: win.From, withheld: map[withholding]int64{}}
		w.misses = serving.MissLedger{}
		if w.kept > 0 {
			w.resume(win.From)
		} else {
			w.storm = serving.KVStorm{}
		}
	}
	w.ended = win.To
	l := w.look(win)
	w.short.add(win, l)
	l.between(&w.short, w.facts.pool(w.engine), w.facts.role)
	w.long.add(win, l)
	w.costs.fade(w.long.fade)
	var d derived
	d.pool = w.pool(win, l)
	d.churn = w.churn(win, &d.pool)
	d.curve = w.curve(win)
	w.missed(win)
	w.wasted(win)
	d.hbm, d.hbmKnown = w.memory(gpus)
	w.emit(win, &d, out)
}

// derived is everything that one window says, beside the sums.
type derived struct {
	pool     pool
	churn    churn
	curve    curve
	hbm      serving.HBMUse
	hbmKnown bool
}

// withhold counts that an estimate was not given in this window.
func (w *worker) withhold(estimate, reason string) { w.sums.withheld[withholding{estimate, reason}]++ }

// look reads the window's gauges.
func (w *worker) look(win window.Window) (l look) {
	blocks := w.facts.pool(w.engine)
	if used := win.Levels[inUsed]; used.Seen {
		l.held = used.Mean
	} else {
		l.held = blocks * win.Levels[inUsage].Mean
	}
	l.running = win.Levels[inRunning].Mean
	l.waits = win.Levels[inCapacity].Mean > 0
	if w.eventsKnown(win) {
		l.resident, l.residentKnown = win.Levels[inResident].Mean, true
	}
	return l
}

// between corrects what is held and running for the moment at which engines look: between two steps, when the requests that finished with
// the first are gone and those that the next will admit have not come. On average requests run for as long as they say they did; by
// Little's law that is how many run. It matters for requests of a few steps, and is no better than the gauge for long ones. What they hold
// is in proportion, but for prefill workers, where blocks are held by requests that no longer run.
func (l *look) between(t *trail, blocks float64, role string) {
	n := t.count(inInference)
	if n < leastFinished || t.sum(inInference) > longRequest*n {
		return
	}
	if role == signal.RolePrefill {
		l.running = max(l.running, t.sum(inInference)/t.seconds)
		return
	}
	if more := t.sum(inInference) / max(t.running, 1e-9); more > 1 && t.running > 0 {
		// Both are of the trailing minute: the correction holds as far as the load is what it was.
		mean := t.running / t.seconds
		held := min(l.held*more, blocks)
		l.off = (held - l.held) * math.Abs(l.running-mean) / max(l.running, mean)
		l.running *= more
		l.held = held
	}
}

const (
	leastFinished = 50
	longRequest   = 3 // s
)

// eventsKnown tells whether the blocks resident in the GPU are known throughout the window.
func (w *worker) eventsKnown(win window.Window) bool {
	known, resident := win.Levels[inKnown], win.Levels[inResident]
	return known.Seen && known.Min >= 1 && resident.Seen && w.heard(win)
}

// heard tells whether there were KV events lately: gauges stand as they were last seen.
func (w *worker) heard(win window.Window) bool {
	patience := 3 * max(win.To-win.From, int64(w.cfg.Window), int64(w.interval))
	return w.facts.eventsAt > 0 && win.To-w.facts.eventsAt <= patience
}

// fleetSize is what a token of a fleet's model takes, as its workers know it.
func (w *worker) fleetSize(fleet, model string) float64 {
	a := w.resource.Attributes()
	if derive.Text(a, signal.AttrFleetName) != fleet || model != "" && w.modelName != model {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tokenSize().bytes
}

// finite is v, or 0 when it is none.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
