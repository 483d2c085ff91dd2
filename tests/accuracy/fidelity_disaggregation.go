package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// Eight groups of four H200 with 70B in FP8 under conversation traffic.
const (
	groups = 8
	// attainment is the share of requests that must meet both objectives (DistServe, arXiv 2401.09670, counts goodput at 90 %).
	attainment = 0.9
)

// disaggregation compares the load that eight groups bear under an objective, aggregated and in the best split of prefill and decode.
// Published is the direction, not a size for this deployment: a split wins where the time per token is strict and loses where it is not
// (DistServe; TaiChi, arXiv 2508.01989).
func disaggregation(o options, report func(result)) error {
	duration := 2 * time.Minute
	splits := []int{3, 4, 5, 6}
	if o.quick {
		duration, splits = time.Minute, []int{5}
	}
	for _, c := range []struct {
		name  string
		limit time.Duration
		wins  bool
	}{{"strict-18ms", 18 * time.Millisecond, true}, {"relaxed-100ms", 100 * time.Millisecond, false}} {
		together, err := goodput(0, c.limit, duration)
		if err != nil {
			return err
		}
		best, of := 0.0, 0
		for _, p := range splits {
			split, err := goodput(p, c.limit, duration)
			if err != nil {
				return err
			}
			if split > best {
				best, of = split, p
			}
		}
		r := result{
			name:  "A14/disaggregation/" + c.name + "/synthetic",
			value: fmt.Sprintf("%.2f(%dP%dD:%.1f/s,aggregated:%.1f/s)", best/together, of, groups-of, best, together),
			bar:   ">1.15", pass: best > 1.15*together,
		}
		if !c.wins {
			r.bar, r.pass = "<0.95", best < 0.95*together
		}
		report(r)
	}
	return nil
}

// goodput is the highest rate, in requests/s, at which the objectives are attained: TTFT within 500 ms and a mean time per token within
// the limit. 0 prefill groups are an aggregated fleet.
func goodput(prefill int, limit, duration time.Duration) (float64, error) {
	low, high := 0.0, 20.0 // times the conversation trace's rate
	for range 8 {
		load := (low + high) / 2
		ok, err := attains(prefill, load, limit, duration)
		if err != nil {
			return 0, err
		}
		if ok {
			low = load
		} else {
			high = load
		}
	}
	return low * conversationRate, nil
}

// conversationRate is the published rate of the trace, in requests/s.
const conversationRate = 5.53

func attains(prefill int, load float64, limit, duration time.Duration) (ok bool, err error) {
	cfg := fleetsim.DefaultConfig()
	cfg.Router = fleetsim.LeastLoaded
	cfg.Objectives = fleetsim.Objectives{TTFT: 500 * time.Millisecond, ITL: limit}
	cfg.Workload = fleetsim.Synthetic{Shape: "azure-conversation", Load: load}
	group := cfg.Pools[0]
	group.Precision, group.Workers = "fp8", groups
	cfg.Pools = []fleetsim.Pool{group}
	if prefill > 0 {
		p, d := group, group
		p.Name, p.Role, p.Workers, p.MaxBatchedTokens = "prefill", fleetsim.Prefill, prefill, 8192
		d.Name, d.Role, d.Workers = "decode", fleetsim.Decode, groups-prefill
		cfg.Pools = []fleetsim.Pool{p, d}
	}
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	if err := fleet.Advance(duration); err != nil {
		return false, err
	}
	t := fleet.Truth()
	// Requests that have not been answered by then are not counted as met; those of the last seconds cannot have been.
	due := float64(t.ArrivedRequests) * (1 - graceSeconds/duration.Seconds())
	return float64(t.Goodput.Both) >= attainment*due, nil
}

// graceSeconds is about the time of an answer.
const graceSeconds = 5
