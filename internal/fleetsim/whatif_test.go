package fleetsim

import (
	"testing"
	"time"
)

// goodput is the rate of requests that meet the objectives in a fleet of eight groups, in requests/s over two minutes; without prefill
// workers it is aggregated.
func goodput(t testing.TB, prefill int, rate float64, o Objectives) float64 {
	t.Helper()
	cfg := DefaultConfig()
	p := DefaultPool()
	p.Precision, p.Workers = "fp8", 8-prefill
	cfg.Pools = []Pool{p}
	if prefill > 0 {
		d := p
		p.Name, p.Role, p.Workers = "prefill", Prefill, prefill
		d.Name, d.Role = "decode", Decode
		cfg.Pools = []Pool{p, d}
	}
	cfg.Router, cfg.Objectives = LeastLoaded, o
	cfg.Workload = Synthetic{Shape: "azure-conversation", Load: rate / 5.53}
	f := start(t, cfg)
	advance(t, f, 2*time.Minute)
	return float64(f.Truth().Goodput.Both) / 120
}

// Disaggregation wins where the time per token is strict and loses where it is not (TaiChi, arXiv 2508.01989, and DistServe,
// arXiv 2401.09670: in direction, not in size).
func TestDisaggregationPaysUnderStrictTPOTOnly(t *testing.T) {
	best := func(rate float64, o Objectives) (split float64) {
		for p := 4; p <= 6; p++ {
			split = max(split, goodput(t, p, rate, o))
		}
		return split
	}
	strict := Objectives{TTFT: 500 * time.Millisecond, ITL: 18 * time.Millisecond}
	relaxed := Objectives{TTFT: 500 * time.Millisecond, ITL: 100 * time.Millisecond}
	for _, c := range []struct {
		rate      float64 // requests/s
		objective Objectives
		wins      bool
	}{{70, strict, true}, {88, relaxed, false}} {
		together, split := goodput(t, 0, c.rate, c.objective), best(c.rate, c.objective)
		t.Logf("%g/s, TPOT limit %s: aggregated %.1f/s, best split %.1f/s", c.rate, c.objective.ITL, together, split)
		if (split > 1.15*together) != c.wins || (split < 0.95*together) == c.wins {
			t.Errorf("%g/s, TPOT limit %s: aggregated %.1f/s, best split %.1f/s", c.rate, c.objective.ITL, together, split)
		}
	}
}
