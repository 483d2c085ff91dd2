package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"
	"time"
)

// ForecastRecord holds the forecasts of a topology that stayed as it was to what was measured later. The zero value is ready. Times are
// data time in unix nanoseconds.
type ForecastRecord struct {
	waiting []claim
	held    []bool // newest last
}

// claim is a forecast that waits.
type claim struct {
	at              int64
	topology        Topology
	rate, low, high float64 // requests/s
}

const (
	// recordAfter is how much later a forecast is looked at, recordSlack how much more the interval is widened for what a finite sample
	// scatters by, and recordRate by how much the load may differ.
	recordAfter = 5 * time.Minute
	recordSlack = 0.02
	recordRate  = 0.1
	// stationary is the share of requests in time below which a fleet is taken to be overloaded.
	stationary = 0.5
	// recordLength forecasts count; from recordEnough on a share below recordPoor speaks against further advice.
	recordLength = 20
	recordEnough = 5
	recordPoor   = 0.5
)

// Claim notes a forecast. One of an overload is not: what comes of it depends on how long it lasts.
func (r *ForecastRecord) Claim(now int64, f Forecast, rate float64) {
	if len(r.waiting) < recordLength && f.Attained >= stationary {
		r.waiting = append(r.waiting, claim{now, f.Topology, rate, f.GoodputLow, f.GoodputHigh})
	}
}

// See scores the forecasts whose time has come against the goodput that was measured since, requests/s. One whose topology or load has
// changed is dropped.
func (r *ForecastRecord) See(now int64, t Topology, rate, goodput float64) {
	kept := r.waiting[:0]
	for _, c := range r.waiting {
		switch {
		case c.topology != t || math.Abs(rate-c.rate) > recordRate*c.rate:
		case time.Duration(now-c.at) < recordAfter:
			kept = append(kept, c)
		default:
			slack := recordSlack * c.rate
			r.held = append(r.held, goodput >= c.low-slack && goodput <= c.high+slack)
			if len(r.held) > recordLength {
				r.held = append(r.held[:0], r.held[1:]...)
			}
		}
	}
	r.waiting = kept
}

// Share is the share of the forecasts that held; ok is false before any was scored.
func (r *ForecastRecord) Share() (share float64, ok bool) {
	n := 0.0
	for _, h := range r.held {
		if h {
			n++
		}
	}
	return n / max(1, float64(len(r.held))), len(r.held) > 0
}

// Poor reports whether forecasts came out so badly that no advice should rest on them.
func (r *ForecastRecord) Poor() bool {
	share, _ := r.Share()
	return len(r.held) >= recordEnough && share < recordPoor
}
