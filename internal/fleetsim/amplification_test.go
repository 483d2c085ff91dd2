package fleetsim

import (
	"testing"
	"time"
)

// ttft99 is the 99th percentile of the time to first token of one prefill and one decode worker over five minutes with a given link, s.
func ttft99(t *testing.T, change func(*Link)) float64 {
	t.Helper()
	cfg := DefaultConfig()
	p := DefaultPool()
	p.GPU, p.Precision = "h200", "fp8"
	d := p
	p.Name, p.Role = "prefill", Prefill
	d.Name, d.Role = "decode", Decode
	cfg.Pools = []Pool{p, d}
	cfg.Workload = Synthetic{Shape: "azure-conversation", Load: 1}
	cfg.Link.Bandwidth = 20e9
	change(&cfg.Link)
	f := start(t, cfg)
	advance(t, f, 5*time.Minute)
	return f.Truth().TTFT.P99
}

// Stalls of 10 ms delay few requests by more than that when transfers only queue behind each other. Pieces one after the other, fan-out
// and retries multiply them.
func TestStallsAreAmplifiedByPiecesAndRetries(t *testing.T) {
	const stall = 10 * time.Millisecond
	for name, c := range map[string]struct {
		link     func(*Link)
		hiccups  Hiccups
		from, to float64 // increase of p99, s
	}{
		"first in, first out": {func(*Link) {}, Hiccups{Stall: stall, PerSecond: 1}, -0.005, 0.06},
		"pieces":              {func(l *Link) { l.Pieces, l.Latency, l.Post = 80, 20*time.Microsecond, 0 }, Hiccups{Stall: stall, Chance: 0.1}, 0.2, 2},
		"retries": {func(l *Link) { l.Timeout, l.Retries, l.Backoff = 45*time.Millisecond, 4, 400*time.Millisecond },
			Hiccups{Stall: stall, PerSecond: 12}, 0.2, 10},
	} {
		calm := ttft99(t, c.link)
		stalled := ttft99(t, func(l *Link) { c.link(l); l.Hiccups = c.hiccups })
		t.Logf("%s: p99 TTFT %.3f s, with stalls %.3f s", name, calm, stalled)
		if more := stalled - calm; more < c.from || more > c.to {
			t.Errorf("%s: stalls of 10 ms add %.3f s to the p99 of TTFT, want %g to %g", name, more, c.from, c.to)
		}
	}
}
