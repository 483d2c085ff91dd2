package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// observer is what is known of the transfers that one agent or engine sees.
type observer struct {
	fit      *serving.TransferFit
	hiccups  serving.HiccupDetector
	fallback serving.FallbackDetector

	model     serving.TransferModel
	withheld  string
	hiccup    serving.Hiccup
	tcp       serving.Fallback
	episodes  int64
	expired   float64
	rate      float64 // concurrency of the last window
	seen      bool    // a transfer, ever
	requests  requests
	evidence  serving.StallEvidence
	amplified serving.Amplification
}

// requests are what the requests of a decode worker met, as usual and during a hiccup, for what stalls do to them.
type requests struct {
	usual, during stretch
}

// stretch adds up windows.
type stretch struct {
	durations serving.Buckets // of transfers
	ttft      window.Value
	failures  float64
	seconds   float64
}

func newObserver() *observer { return &observer{fit: serving.NewTransferFit()} }

// usualStretch is the time constant with which the usual fades, s.
const usualStretch = 900

// see takes a window. expected is the bandwidth of a rank's link, 0 when not known; ttft is the decode worker's, empty for an agent.
func (o *observer) see(w serving.TransferWindow, expected float64, ttft window.Value, failures float64) {
	o.seen = o.seen || w.Count > 0
	if !o.seen {
		return
	}
	if w.Elapsed > 0 {
		o.rate = w.Time / w.Elapsed
	}
	before := o.model
	o.hiccup = o.hiccups.Add(w, before)
	o.tcp = o.fallback.Add(w, before, expected)
	if o.hiccup.Began {
		o.episodes++
		o.requests.during = stretch{}
	}
	o.remember(w, ttft, failures)
	// What is out of the ordinary is not learnt, or it would soon be ordinary.
	if !o.hiccup.Alarm && !o.tcp.Found {
		o.fit.Add(w)
	}
	o.model, o.withheld = o.fit.Model()
}

// remember adds a window to the usual or to what there is during a hiccup.
func (o *observer) remember(w serving.TransferWindow, ttft window.Value, failures float64) {
	to := &o.requests.usual
	if o.hiccup.Alarm {
		to = &o.requests.during
	} else {
		to.fade(fade(w.Elapsed, usualStretch))
	}
	to.add(w, ttft, failures)
	if o.hiccup.Alarm {
		share := serving.StalledShare(o.requests.usual.durations, o.requests.during.durations)
		if stall := serving.RareStall(o.hiccup.Excess, share); stall > 0 {
			o.hiccup.Stall = stall
		}
	}
}

func (s *stretch) add(w serving.TransferWindow, ttft window.Value, failures float64) {
	addBuckets(&s.durations, w.Durations, 1)
	addValue(&s.ttft, ttft)
	s.failures += failures
	s.seconds += w.Elapsed
}

func (s *stretch) fade(f float64) {
	for i := range s.durations.Counts {
		s.durations.Counts[i] *= f
	}
	scale(&s.ttft, f)
	s.failures *= f
	s.seconds *= f
}

// amplify explains what a hiccup does to requests; false without one, or without the requests.
func (o *observer) amplify(ranks, pieces, rho float64) bool {
	usual, during := &o.requests.usual, &o.requests.during
	if !o.hiccup.Alarm || o.hiccup.Stall <= 0 || usual.ttft.Count < 100 || during.ttft.Count < 100 {
		return false
	}
	o.evidence = serving.StallEvidence{
		Stall: o.hiccup.Stall, Excess: o.hiccup.Excess, Ranks: ranks, Pieces: pieces, Rho: rho,
		TransferBefore: usual.durations, TransferDuring: during.durations,
		TTFTBefore: bucketsOf(usual.ttft), TTFTDuring: bucketsOf(during.ttft),
		WaitBefore: usual.ttft.Sum / usual.ttft.Count, WaitDuring: during.ttft.Sum / during.ttft.Count,
		Failures: during.failures/max(1, during.seconds) - usual.failures/max(1, usual.seconds),
	}
	o.amplified = serving.Amplify(o.evidence)
	return true
}

// variation is the coefficient of variation of transfers' durations, from their histogram.
func (o *observer) variation() float64 { return o.requests.usual.durations.Variation() }
