package fleetsim

import (
	"testing"
	"time"
)

func TestGoodputCountsJointly(t *testing.T) {
	limits := Objectives{TTFT: time.Second, ITL: 10 * time.Millisecond}
	for name, c := range map[string]struct {
		limits       Objectives
		ttft, decode time.Duration
		tokens       int
		want         Goodput
	}{
		"both":          {limits, time.Second, 90 * time.Millisecond, 10, Goodput{1, 1, 1, 1}},
		"late start":    {limits, time.Second + 1, 90 * time.Millisecond, 10, Goodput{1, 0, 1, 0}},
		"slow":          {limits, time.Second, 90*time.Millisecond + 1, 10, Goodput{1, 1, 0, 0}},
		"neither":       {limits, 2 * time.Second, time.Second, 10, Goodput{Requests: 1}},
		"single token":  {limits, time.Second, 0, 1, Goodput{1, 1, 1, 1}},
		"no objectives": {Objectives{}, time.Hour, time.Hour, 2, Goodput{1, 1, 1, 1}},
	} {
		var g Goodput
		g.observe(c.limits, c.ttft, c.decode, c.tokens)
		if g != c.want {
			t.Errorf("%s: %+v, want %+v", name, g, c.want)
		}
	}
}

// The truth's counts are those of the requests one by one, in the pool that answers.
func TestGoodputOfAFleet(t *testing.T) {
	requests, _, _ := traffic(2, 300, 12*time.Millisecond)
	cfg := split(VLLM, 2, 2, requests...)
	cfg.Objectives = Objectives{TTFT: 18 * time.Millisecond, ITL: 3300 * time.Microsecond}
	o := observe(&cfg)
	f := start(t, cfg)
	finish(t, f)
	var want Goodput
	for _, r := range o.requests {
		first := r.FirstTokenSeconds-r.ArrivalSeconds <= 0.018
		rest := r.OutputTokens == 1 || (r.LastTokenSeconds-r.FirstTokenSeconds)/float64(r.OutputTokens-1) <= 0.0033
		want.Requests++
		if first {
			want.TTFT++
		}
		if rest {
			want.ITL++
		}
		if first && rest {
			want.Both++
		}
	}
	if got := f.Truth().Goodput; got != want || got.Both == 0 || got.Both >= min(got.TTFT, got.ITL) {
		t.Errorf("%+v, want %+v with all kinds of requests", got, want)
	}
	if f.PoolTruth(1).Goodput != want || f.PoolTruth(0).Goodput != (Goodput{}) {
		t.Errorf("pools: %+v %+v", f.PoolTruth(0).Goodput, f.PoolTruth(1).Goodput)
	}
}
