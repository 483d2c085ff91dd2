package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// conditions are what the sections say of a worker or a fleet at one moment and the history keeps.
type conditions struct {
	thrash      number // share of what was stored that had just been evicted
	storm       number // 1 during an eviction storm
	hiccup      number // 1 while transfers take longer than they should
	delay, wait number // seconds a second that decodes wait for prefill, and wait in all
}

// conditions reads them from the figures of a subject.
func (s *subject) conditions(table map[string]shown, now time.Time) conditions {
	figure := func(metric string) number { return s.figure(table[metric], now) }
	return conditions{
		thrash: figure(signal.KVThrash), storm: figure(signal.KVStorm), hiccup: figure(signal.TransferHiccup),
		delay: figure(signal.InterferenceDelay), wait: figure(signal.InterferenceWait),
	}
}

// figure returns a figure without attributes; absent where it did not arrive or has fallen silent.
func (s *subject) figure(known shown, now time.Time) number {
	f, ok := s.figures[figureKey{metric: known.name}]
	if !ok || f.heard.stale(now) {
		return number{}
	}
	return f.number(known.as, now).rounded()
}

// interference is the share of decode's waiting that prefill in the same steps causes.
func (c conditions) interference() number {
	if !c.delay.ok || c.wait.orZero() <= 0 {
		return number{}
	}
	return some(min(1, c.delay.value/c.wait.value))
}

// with adds a worker to a fleet: the worst of the workers, and all of their waiting.
func (c conditions) with(w conditions) conditions {
	return conditions{
		thrash: larger(c.thrash, w.thrash), storm: larger(c.storm, w.storm), hiccup: larger(c.hiccup, w.hiccup),
		delay: plus(c.delay, w.delay), wait: plus(c.wait, w.wait),
	}
}

func larger(a, b number) number {
	if !a.ok || (b.ok && b.value > a.value) {
		return b
	}
	return a
}

// conditionsView is the same as the page and the API show it.
type conditionsView struct {
	Thrash       number `json:"thrash"`       // share of what was stored that had just been evicted, of a fleet that of the worst worker
	Storm        number `json:"storm"`        // 1 during an eviction storm
	Hiccup       number `json:"hiccup"`       // 1 while KV transfers take longer than they should
	Interference number `json:"interference"` // share of decode's waiting that is for prefill in the same steps
}

func (c conditions) view() *conditionsView {
	return &conditionsView{c.thrash.rounded(), c.storm, c.hiccup, c.interference().rounded()}
}

func (c conditions) fill(r *row) {
	r[historyThrash], r[historyStorm], r[historyHiccup], r[historyInterference] = c.thrash, c.storm, c.hiccup, c.interference()
}
