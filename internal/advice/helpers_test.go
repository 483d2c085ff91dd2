package advice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

const second = int64(time.Second)

// bench drives an Advisor through data time, one scrape per window.
type bench struct {
	t      *testing.T
	cfg    Config
	a      *Advisor
	at     int64
	totals map[Ref]map[string]float64 // cumulative, by metric and attributes
	events []Event
	gauges map[string]Gauge // newest by metric and attribute values
}

// testConfig is quick: a window is five seconds.
func testConfig() Config {
	cfg := DefaultConfig()
	cfg.RaiseAfter, cfg.ClearAfter, cfg.CoolDown, cfg.Settle = 3, 4, 5*time.Minute, time.Minute
	return cfg
}

func newBench(t *testing.T, cfg Config, rules ...Rule) *bench {
	t.Helper()
	return &bench{t: t, cfg: cfg, a: New(cfg, rules), at: 1000 * second, totals: map[Ref]map[string]float64{}, gauges: map[string]Gauge{}}
}

func (b *bench) now() time.Time { return time.Unix(0, b.at) }

// worker is a Ref of a worker in the fleet "chat".
func worker(instance string) Ref { return Ref{Kind: Worker, Host: "h", Instance: instance, Model: "m"} }

func (b *bench) subject(ref Ref) Subject {
	b.t.Helper()
	s, ok := b.a.Subject(ref, b.now(), func() Identity {
		return Identity{Ref: ref, Fleet: "chat", Facts: map[string]string{signal.AttrEngineName: "vllm"}}
	})
	require.True(b.t, ok)
	return s
}

func pairs(kv []string) []Pair {
	var ps []Pair
	for i := 0; i+1 < len(kv); i += 2 {
		ps = append(ps, Pair{kv[i], kv[i+1]})
	}
	return ps
}

// level observes a gauge, count adds to a counter, histogram adds to a histogram: at the current time.
func (b *bench) level(ref Ref, metric string, v float64, kv ...string) {
	b.subject(ref).Observe(Point{Metric: metric, Attributes: pairs(kv), Form: Level, At: b.at, Value: window.Value{Sum: v}})
}

func (b *bench) count(ref Ref, metric string, by float64, kv ...string) {
	b.subject(ref).Observe(Point{
		Metric: metric, Attributes: pairs(kv), Form: Delta, At: b.at, Start: b.at - int64(b.cfg.Window), Value: window.Value{Sum: by},
	})
}

// histogram adds n values v to a histogram with bounds of 1, 2, 5 in each decade.
func (b *bench) histogram(ref Ref, metric string, v float64, n float64, kv ...string) {
	bounds := []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50}
	counts := make([]float64, len(bounds)+1)
	i := 0
	for i < len(bounds) && v > bounds[i] {
		i++
	}
	counts[i] = n
	b.subject(ref).Observe(Point{
		Metric: metric, Attributes: pairs(kv), Form: Delta, At: b.at, Start: b.at - int64(b.cfg.Window),
		Value: window.Value{Sum: v * n, Count: n, Bounds: bounds, Counts: counts},
	})
}

// info observes facts.
func (b *bench) info(ref Ref, kv ...string) {
	b.subject(ref).Observe(Point{Metric: signal.EngineInfo, Attributes: pairs(kv), Form: Level, At: b.at, Value: window.Value{Sum: 1}})
}

// step goes to the end of the next window, lets observe say what was seen, and judges.
func (b *bench) step(observe func()) {
	b.at += int64(b.cfg.Window)
	observe()
	b.take(b.a.Judge())
}

// windows repeats step.
func (b *bench) windows(n int, observe func()) {
	for range n {
		b.step(observe)
	}
}

func (b *bench) take(r Report) {
	b.events = append(b.events, r.Events...)
	for _, g := range r.Gauges {
		key := g.Subject.Instance + " " + g.Metric
		for _, a := range g.Attributes {
			key += " " + a.Value
		}
		b.gauges[key] = g
	}
}

// told returns the names of the events of a rule since it was called last.
func (b *bench) told(rule string) (names []EventName) {
	for _, e := range b.events {
		if e.Rule == rule {
			names = append(names, e.Name)
		}
	}
	b.events = nil
	return names
}
