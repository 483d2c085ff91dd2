package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// fleet is the workers that serve a model together. Its windows are cut at the same moments for all of them: one closes when every worker
// has passed its end, or when lateness ran out.
type fleet struct {
	mu       sync.Mutex
	name     string
	writer   string // of its series
	cfg      *Config
	table    map[string]signal.Metric
	inputs   derive.Inputs // of its workers
	common   common        // likewise
	resource pcommon.Resource
	target   objectives.InForce

	members map[derive.WorkerID]*member
	ordered []*member // by instance, so that sums come out the same wherever the fleet is looked after
	newest  int64     // watermark of the member that is ahead
	closed  int64     // end of the last window
	started int64     // data time at which sums began
	whole   bool      // a window was spanned by all workers that told of it: sums are of all the time since
	held    bool      // decode workers hold up prefill workers, by the last window
	told    int       // workers that an agent says there are
	rates   func(host string) float64

	past      trailing
	prefill   *serving.PrefillFit
	decode    *serving.DecodeFit
	pooled    *observer // all transfers of the fleet that engines observed
	ranks     float64   // of a request's transfer
	adviser   serving.Adviser
	record    serving.ForecastRecord
	kept      *fleetSnapshot // of before a restart, until the fleet has settled; nil when there is none
	logger    *zap.Logger
	evaluated int64  // number of the last period in which it was evaluated
	unknown   string // why no forecast can be made of the last window
	forecast  forecast
	rehearsed rehearsed // what the forecast was made of
	ungated   int       // evaluations since it was asked whether to split
	withheld  map[withholding]int64
	gauges    derive.Gauges

	seen     time.Time
	interval time.Duration // between inputs
	silent   bool
	gone     bool // forgotten; another of the name may have taken its place
}

// withholding names an estimate and why it was not given.
type withholding struct{ estimate, reason string }

func newFleet(name, writer string, cfg *Config, table map[string]signal.Metric, inputs derive.Inputs, model string, rates func(string) float64) *fleet {
	f := &fleet{
		name: name, writer: writer, cfg: cfg, table: table, inputs: inputs, resource: pcommon.NewResource(), members: map[derive.WorkerID]*member{}, rates: rates,
		target:  cfg.Objectives.For(model, name),
		prefill: serving.NewPrefillFit(float64(cfg.MaxNumBatchedTokens)), decode: serving.NewDecodeFit(), pooled: newObserver(), withheld: map[withholding]int64{},
		logger: zap.NewNop(),
	}
	a := f.resource.Attributes()
	a.PutStr(signal.AttrFleetName, name)
	if model != "" {
		a.PutStr(signal.AttrModel, model)
	}
	return f
}

// consume takes one batch of a worker's metrics and appends what follows from the windows that it completes. admit is asked before a
// further worker is taken in.
func (f *fleet) consume(id identity, rm pmetric.ResourceMetrics, now time.Time, admit func() bool, out pmetric.Metrics) (late int, is reception) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return 0, forgotten
	}
	m := f.members[id.WorkerID]
	if m == nil {
		if !admit() {
			return 0, refused
		}
		m = newMember(f.cfg, f.inputs, &f.common, id, rm.Resource())
		f.members[id.WorkerID] = m
		f.ordered = append(f.ordered, m)
		slices.SortFunc(f.ordered, func(a, b *member) int {
			return cmp.Or(cmp.Compare(a.id.Instance, b.id.Instance), cmp.Compare(a.id.Host, b.id.Host), cmp.Compare(a.id.Service, b.id.Service))
		})
	}
	late = m.consume(rm.ScopeMetrics(), now)
	f.newest = max(f.newest, m.mark)
	if !f.seen.IsZero() {
		f.interval = derive.Interval(f.interval, now.Sub(f.seen))
	}
	f.seen, f.silent = now, false
	if b := f.boundary(); b > f.closed {
		f.close(b, out)
	}
	return late, taken
}

// reception is what became of a batch.
type reception int

const (
	taken     reception = iota
	refused             // there is no room
	forgotten           // the fleet was just forgotten
)

// tell notes how many workers an agent says the fleet has.
func (f *fleet) tell(workers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = workers
}

// boundary is the newest end of a window that every live worker has passed, or that one passed more than the lateness ago.
func (f *fleet) boundary() int64 {
	width := int64(f.cfg.Window)
	if f.newest-f.newest%width <= f.closed {
		return 0 // nobody is there yet
	}
	oldest := f.newest
	for _, m := range f.ordered { // with each batch: a list is many times as fast as the map
		if m.mark > 0 {
			oldest = min(oldest, m.mark)
		}
	}
	at := max(oldest, f.newest-int64(f.cfg.AllowedLateness))
	return at - at%width
}

// close ends the fleet's window at a boundary.
func (f *fleet) close(boundary int64, out pmetric.Metrics) {
	from := f.closed
	f.closed = boundary
	if f.started == 0 {
		f.started = boundary
	}
	if from == 0 {
		from = boundary - int64(f.cfg.Window)
	}
	seconds := float64(boundary-from) / 1e9
	f.past.fade(seconds, f.cfg.Horizon)
	f.past.seconds += seconds
	var sum serving.TransferWindow
	var first, hops float64
	told, whole, waited, queued := 0, true, f.past.backlog, false
	for _, m := range f.ordered {
		win, ok := m.close(boundary)
		if !ok {
			continue
		}
		told++
		whole = whole && win.Spanned[inGenerated] >= nearlyWhole*win.Seconds()
		r := m.role()
		if r == roleUnknown || r == roleOther {
			continue
		}
		if r != roleDecode {
			first += win.Totals[inTTFT].Count
		}
		if w := moves(win); r != rolePrefill {
			sum.Add(w)
			hops += win.Totals[inTTFT].Count
		}
		queued = queued || r == roleDecode && overrun(win)
		f.learn(m, r, win)
	}
	f.watch(boundary)
	if !f.held {
		f.count(max(0, first+f.past.backlog-waited))
	}
	f.held = queued
	f.pool(sum, hops, seconds)
	if f.whole = f.whole || whole && told > 0 || boundary-f.started >= int64(settling); !f.whole {
		f.past = trailing{} // a worker's first scrape lies within its first window: of that, a part is told
	}
	for _, m := range f.ordered {
		if m.role() != rolePrefill && m.transfers != nil && m.transfers.seen {
			f.emitMember(m, boundary, out)
		}
	}
	f.emit(boundary, out)
}

const (
	// settling is how long it takes to meet a fleet's workers.
	settling = time.Minute
	// nearlyWhole is the share of a window that a worker must tell of for the window to be whole.
	nearlyWhole = 0.99
)

// watch notes a change of the topology. What requests met on another one says nothing of this one.
func (f *fleet) watch(now int64) {
	t := f.topology()
	if t.Groups() < f.workers() || now-f.started < int64(settling) {
		return // workers that are met one by one are no change
	}
	f.resume(now)
	before := f.adviser.Changes()
	f.adviser.See(now, t)
	if f.adviser.Changes() != before {
		f.past, f.forecast, f.rehearsed, f.evaluated = trailing{}, forecast{}, rehearsed{}, 0
	}
}

// coverage is how many workers are seen, and how many there should be. One whose data comes late misses windows that are closed without it
// and has the next ones for them; it is missing when it was seen through none of the last few.
func (f *fleet) coverage() (observed, expected int) {
	since := f.closed - int64(max(2*f.cfg.Window, f.cfg.AllowedLateness))
	for _, m := range f.members {
		if m.role() != roleOther && m.covered > 0 && m.covered >= since {
			observed++
		}
	}
	expected = f.cfg.expected(f.name)
	if expected == 0 {
		expected = f.told
	}
	if expected == 0 {
		expected = f.workers()
	}
	return observed, max(expected, observed)
}

// workers is how many members serve a phase or may do so: encoders and routers are of no side.
func (f *fleet) workers() (n int) {
	for _, m := range f.members {
		if m.role() != roleOther {
			n++
		}
	}
	return n
}

// topology is how many workers there are by role, silent ones that are not forgotten among them.
func (f *fleet) topology() (t serving.Topology) {
	for _, m := range f.members {
		switch m.role() {
		case rolePrefill:
			t.Prefill++
		case roleDecode:
			t.Decode++
		case roleAggregated:
			t.Aggregated++
		}
	}
	return t
}
