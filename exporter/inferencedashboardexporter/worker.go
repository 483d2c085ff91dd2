package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// maxReasons bounds the reasons for which a worker's estimate was withheld.
const maxReasons = 16

// gauge is the last value of a gauge and when it arrived.
type gauge struct {
	number
	at      pcommon.Timestamp
	arrived time.Time
}

// set takes a value that is newer than the last one.
func (g *gauge) set(at pcommon.Timestamp, now time.Time, v number) bool {
	if at < g.at || (at == g.at && g.at != 0) {
		return false
	}
	*g = gauge{number: v, at: at, arrived: now}
	return true
}

// latency is one latency histogram of a worker: its increases over the trailing window.
type latency struct {
	begun   bool // a layout of buckets is known
	counter counter
	bounds  []float64
	window  trailing
}

// distribution returns the samples of the trailing window.
func (l *latency) distribution(now time.Time) percentile.Distribution {
	return percentile.Distribution{Bounds: l.bounds, Counts: l.window.sum(now, len(l.bounds)+1)}
}

// flow is a plain counter: its increase over the trailing window.
type flow struct {
	counter counter
	window  trailing
}

func (f *flow) increase(now time.Time) number {
	sum := f.window.sum(now, 1)
	if sum == nil {
		return number{}
	}
	return some(sum[0])
}

// objective is the latency objective in force.
type objective struct {
	gauge
	quantile float64
	implied  bool
}

// worker is everything known of one engine core. Its lock guards all fields except key and id.
type worker struct {
	key workerKey
	id  string

	mu       sync.Mutex
	identity identity
	info     pcommon.Timestamp // of the last llm.engine.info
	born     time.Time
	engine   cadence   // of what the engine said
	derived  cadence   // of what the processor derived
	answered time.Time // when the engine said something last; that it is down it does not say itself

	up, running, waiting, kv gauge
	ttft, itl                latency
	generated                flow

	phases             [4]flow // by phaseIndex
	imbalance          gauge
	imbalanceConfident gauge
	pressurePrefill    gauge
	pressureDecode     gauge
	objectives         [2]objective // ttft, itl
	withheld           map[string]*flow

	levels  levels
	history *history
}

// phaseIndex returns the place of a phase in worker.phases, -1 for any other phase.
func phaseIndex(phase string) int {
	switch phase {
	case signal.PhasePrefill:
		return 0
	case signal.PhaseDecode:
		return 1
	case signal.PhaseIdle:
		return 2
	case signal.PhaseUnattributed:
		return 3
	}
	return -1
}

// lastHeard is the time of the last report of any kind.
func (w *worker) lastHeard() time.Time {
	if w.derived.last.After(w.engine.last) {
		return w.derived.last
	}
	return w.engine.last
}

// down is what the last scrape said.
func (w *worker) down() bool { return w.up.ok && w.up.value == 0 }

// lastAnswered is the time of the last data, zero where an engine that is down never answered. What is still derived of one that is down is
// of before.
func (w *worker) lastAnswered() time.Time {
	if w.down() {
		return w.answered
	}
	return w.lastHeard()
}

// fresh returns a derived gauge unless the processor has gone silent.
func (w *worker) fresh(g gauge, now time.Time) number {
	if w.derived.stale(now) || now.Sub(g.arrived) > max(minSilence, 3*w.derived.interval) {
		return number{}
	}
	return g.number
}

// shares returns the share of worker time by phase over the trailing window. They add up to 1.
func (w *worker) shares(now time.Time) (shares [4]number) {
	total := 0.0
	for i := range w.phases {
		total += w.phases[i].increase(now).orZero()
	}
	if total <= 0 {
		return shares
	}
	for i := range w.phases {
		shares[i] = some(w.phases[i].increase(now).orZero() / total)
	}
	return shares
}

// seconds returns the worker time by phase over the trailing window.
func (w *worker) seconds(now time.Time) (s [4]float64) {
	for i := range w.phases {
		s[i] = w.phases[i].increase(now).orZero()
	}
	return s
}

// withheldReason returns the reason for which the imbalance was withheld most often in the trailing window, "" when it was not.
func (w *worker) withheldReason(now time.Time) string {
	reason, most := "", 0.0
	for r, f := range w.withheld {
		n := f.increase(now).orZero()
		if n > most || (n == most && n > 0 && r < reason) {
			reason, most = r, n
		}
	}
	return reason
}
