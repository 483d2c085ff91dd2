package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
)

// assessment is one worker at one moment: its view, the facts for the verdict, and its distributions for the fleet.
type assessment struct {
	view      workerView
	facts     workerFacts
	fleet     string
	fleetID   string
	ttft, itl percentile.Distribution
	born      time.Time
	heard     time.Time // the last report of any kind
	answered  time.Time // the last data: a failed scrape is a report and brings none
	conditions
}

// assess looks at a worker, and writes what it sees and what the sections say of it into the worker's history.
func assess(w *worker, said conditions, now time.Time) assessment {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := assessment{
		fleet: w.identity.Fleet, fleetID: w.identity.FleetID, born: w.born, heard: w.lastHeard(), answered: w.lastAnswered(),
		ttft: w.ttft.distribution(now), itl: w.itl.distribution(now), conditions: said,
	}
	identity := w.identity
	load := loadView{Running: w.running.number, Waiting: w.waiting.number, KV: w.kv.rounded()}
	estimate := estimateView{
		Imbalance: w.fresh(w.imbalance, now), Confidence: w.fresh(w.imbalanceConfident, now),
		PressurePrefill: w.fresh(w.pressurePrefill, now), PressureDecode: w.fresh(w.pressureDecode, now),
		Withheld: w.withheldReason(now),
	}
	shares := w.shares(now)
	ttft, itl := percentile.Merge([]percentile.Distribution{a.ttft}), percentile.Merge([]percentile.Distribution{a.itl})
	state := w.state(now)
	phase, ttftView, itlView := viewPhase(shares), viewLatency(ttft), viewLatency(itl)
	if state.State == stateOK {
		w.levels.add(now, load.Running, load.Waiting)
		w.history.put(now, historyRow(ttftView, itlView, shares, estimate, load, said))
	}
	running, waiting := w.levels.means(now)
	a.facts = workerFacts{
		state: state.State, role: identity.Role, load: meanLoad(running, waiting), waiting: waiting,
		kv: load.KV, samples: samples(a.ttft.Counts), tokens: w.generated.increase(now),
		imbalance: estimate.Imbalance, confidence: estimate.Confidence,
		prefill: estimate.PressurePrefill, decode: estimate.PressureDecode, withheld: estimate.Withheld,
		ttft: w.limit(ttft, 0, now), itl: w.limit(itl, 1, now), seconds: w.seconds(now),
	}
	load.Trouble = trouble(a.facts)
	rounded := estimateView{
		estimate.Imbalance.rounded(), estimate.Confidence.rounded(),
		estimate.PressurePrefill.rounded(), estimate.PressureDecode.rounded(), estimate.Withheld,
	}
	a.view = workerView{
		ID: w.id, Identity: &identity, State: &state, Load: &load, Phase: &phase,
		TTFT: &ttftView, ITL: &itlView, Estimate: &rounded, Conditions: said.view(),
	}
	return a
}

// state says whether the worker counts now. Down is what the last scrape said; a worker that nobody speaks of is stale.
func (w *worker) state(now time.Time) stateView {
	switch {
	case w.engine.stale(now):
		return stateView{State: stateStale, LastHeard: w.engine.last.UnixMilli()}
	case w.down():
		return stateView{State: stateDown}
	}
	return stateView{State: stateOK}
}

// trouble is what workers are ordered by, the worst first.
func trouble(f workerFacts) (worst number) {
	for _, n := range []number{f.ttft.ratio(), f.itl.ratio(), {f.kv.value / kvLimit, f.kv.ok}} {
		worst = larger(worst, n)
	}
	return worst.rounded()
}

// meanLoad is the requests running and waiting, absent where the engine tells neither.
func meanLoad(running, waiting number) number {
	if !running.ok && !waiting.ok {
		return number{}
	}
	return some(running.orZero() + waiting.orZero())
}

func (w *worker) limit(m percentile.Merged, i int, now time.Time) limit {
	o := w.objectives[i]
	return limitOf(m, w.fresh(o.gauge, now), o.quantile, o.implied)
}

func historyRow(ttft, itl latencyView, shares [4]number, e estimateView, l loadView, said conditions) (r row) {
	r[historyTTFTP50], r[historyTTFTP90], r[historyTTFTP99] = ttft.P50.Value, ttft.P90.Value, ttft.P99.Value
	r[historyITLP50], r[historyITLP90], r[historyITLP99] = itl.P50.Value, itl.P90.Value, itl.P99.Value
	r[historyPrefill], r[historyDecode], r[historyIdle], r[historyUnattributed] = shares[0], shares[1], shares[2], shares[3]
	r[historyImbalance] = e.Imbalance
	r[historyPressurePrefill], r[historyPressureDecode] = e.PressurePrefill, e.PressureDecode
	r[historyRunning], r[historyWaiting], r[historyKV] = l.Running, l.Waiting, l.KV
	said.fill(&r)
	return r
}
