package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// worker is the bounded state of one engine core.
type worker struct {
	mu       sync.Mutex
	cfg      *Config
	units    map[string]string // of the metrics it emits
	resource pcommon.Resource  // a copy: what it derives is about the same resource
	aligner  *window.Aligner
	splitter *serving.Splitter
	latency  *latencies
	target   objectives.InForce

	ended    int64           // data time of the last window's end
	started  int64           // data time at which the cumulative sums below begin
	time     [4]float64      // s by phaseOrder
	phases   [3]window.Value // latency by latencyOrder
	withheld map[withholding]int64

	given    given         // what the last window had
	seen     time.Time     // last input, wall clock
	interval time.Duration // between the last two inputs
	silent   bool
}

const (
	// bridgedWindows is over how many windows a gap between scrapes is bridged at least.
	bridgedWindows = 12
	// maxAhead is how far a point's time may lie ahead of this machine's clock. A point from the far future would make every later
	// one look late.
	maxAhead = 10 * time.Minute
)

// withholding names an estimate and why it was not given.
type withholding struct{ estimate, reason string }

func newWorker(cfg *Config, units map[string]string, resource pcommon.Resource) *worker {
	w := &worker{
		cfg:      cfg,
		units:    units,
		resource: pcommon.NewResource(),
		aligner: window.NewAligner(window.Config{
			Width: cfg.Window, Lateness: cfg.AllowedLateness, MaxGap: max(cfg.MaxStale, bridgedWindows*cfg.Window),
		}, inputCounters, inputGauges),
		splitter: serving.NewSplitter(float64(cfg.MaxNumBatchedTokens)),
		latency:  newLatencies(cfg.LatencyWindow),
		withheld: map[withholding]int64{},
	}
	resource.CopyTo(w.resource)
	a := resource.Attributes()
	w.target = cfg.Objectives.For(text(a, signal.AttrModel), text(a, signal.AttrFleetName))
	return w
}

// consume takes one batch of the worker's metrics and appends what follows from the windows that it completes.
func (w *worker) consume(sms pmetric.ScopeMetricsSlice, now time.Time, out pmetric.Metrics) (late int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, sm := range sms.All() {
		for _, m := range sm.Metrics().All() {
			late += read(m, now.Add(maxAhead), w.aligner)
		}
	}
	if !w.seen.IsZero() {
		w.interval = now.Sub(w.seen)
	}
	w.seen, w.silent = now, false
	if win, ok := w.aligner.Close(); ok {
		w.estimate(win, out)
	}
	return late
}

// sweep finishes the windows of a worker that fell silent and marks its gauges as no longer recorded.
// It reports whether the worker can be forgotten.
func (w *worker) sweep(now time.Time, out pmetric.Metrics) (forget bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	silence := now.Sub(w.seen)
	if !w.silent && silence > 3*max(w.cfg.Window, w.interval) {
		w.silent = true
		if win, ok := w.aligner.Flush(); ok {
			w.estimate(win, out)
		}
		emitStale(w, pcommon.NewTimestampFromTime(now), out)
	}
	return silence > w.cfg.MaxStale
}

// estimate derives everything from one window and appends it to out.
func (w *worker) estimate(win window.Window, out pmetric.Metrics) {
	if w.started == 0 || win.From != w.ended {
		// After a silence that no window bridges the sums begin anew: they would no longer add up to elapsed time.
		w.started, w.time, w.phases, w.withheld = win.From, [4]float64{}, [3]window.Value{}, map[withholding]int64{}
	}
	w.ended = win.To
	split := w.split(win)
	for i, s := range []float64{split.Prefill, split.Decode, split.Idle, split.Unattributed} {
		w.time[i] += s
	}
	for i, key := range latencyInputs() {
		addLatency(&w.phases[i], win.Totals[key])
	}
	w.latency.add(win)
	balance := w.latency.balance(w.target, w.cfg.MaxNumSeqs)
	if split.Withheld != "" {
		w.withheld[withholding{signal.EstimatePhaseTime, split.Withheld}]++
	}
	if balance.withheld != "" {
		w.withheld[withholding{signal.EstimateImbalance, balance.withheld}]++
	}
	emit(w, win, split, balance, out)
}

// split divides the window's time. The part of it that scrapes did not see is unattributed.
func (w *worker) split(win window.Window) serving.Split {
	elapsed, seen := win.Seconds(), win.Covered[inGenerated]
	if seen <= 0 || win.Covered[inStepTokens] <= 0 {
		return serving.Split{Unattributed: elapsed, Withheld: serving.WithheldNoData}
	}
	split := w.splitter.Split(workOf(win, seen), serving.Buckets{
		Bounds: win.Totals[inPromptSize].Bounds, Counts: win.Totals[inPromptSize].Counts,
	})
	split.Unattributed += elapsed - seen
	return split
}

// workOf reads the window's counters as work done over the given seconds.
func workOf(win window.Window, elapsed float64) serving.Work {
	steps := win.Totals[inStepTokens]
	work := serving.Work{
		Elapsed:      elapsed,
		Steps:        steps.Count,
		FirstTokens:  win.Totals[inTTFT].Count,
		DecodeTokens: win.Totals[inITL].Count,
		ITLSum:       win.Totals[inITL].Sum,
		PrefillTime:  win.Totals[inPrefillTime].Sum,
		Finished:     win.Totals[inPrefillTime].Count,
		StepTokens:   serving.Buckets{Bounds: steps.Bounds, Counts: steps.Counts},
		Running:      serving.Running{Seen: win.Levels[inRunning].Seen, Min: win.Levels[inRunning].Min},
	}
	switch {
	case win.Covered[inComputed] > 0:
		work.PrefillTokens = win.Totals[inComputed].Sum
	default:
		// What a step was credited beyond the tokens it generated is the prompts that it completed.
		work.PrefillTokens = max(0, steps.Sum-win.Totals[inGenerated].Sum)
	}
	return work
}

// addLatency adds a window's latencies to a cumulative histogram; new bucket bounds begin it anew.
func addLatency(to *window.Value, d window.Value) {
	if len(d.Counts) > 0 && len(to.Counts) > 0 && len(d.Counts) != len(to.Counts) {
		*to = window.Value{}
	}
	to.AddScaled(d, 1)
}
