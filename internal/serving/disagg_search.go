package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// Situation is a fleet as the estimators know it.
type Situation struct {
	Capability
	Workload
	Limits
	Current  Topology
	Measured float64 // goodput of the current topology, requests/s; 0 when not known
	// Spreads are the standard deviations of relative errors of what the forecast rests on.
	Spreads Spreads

	stage *stage // shared by copies
	// Of a draw: the true 90th percentile of time to first token over that rehearsed, and by how many standard deviations the shares of requests in
	// time of an aggregated fleet and of a split are off.
	firstOff, togetherOff, apartOff float64
}

// Spreads are standard deviations of relative errors.
type Spreads struct {
	Prefill, Decode, Prompt, Output, Rate float64
	// DecodeSlope is that of the part of a decode step that grows with its sequences, as a share of the step at DecodeBatch sequences: how much
	// less is known of steps of other batches.
	DecodeSlope, DecodeBatch float64
	Dispersion               float64 // which rehearsals take as it is
}

// Forecast is what a topology would do, with 80 % intervals.
type Forecast struct {
	Topology
	Rehearsal
	GoodputLow, GoodputHigh float64 // requests/s
	TTFT90Low, TTFT90High   float64 // s
}

// balanceTolerance is by how much a topology must be better to be preferred to one with more room: what rehearsals scatter.
const balanceTolerance = 0.005

// Best is the split of that many groups with the highest goodput; among equals the one whose busier side has more room. It starts at
// the ratio of the phases' rates and looks around as long as that helps. ok is false when nothing can be rehearsed.
func (s *Situation) Best(groups int) (best Forecast, ok bool) {
	if groups < 2 {
		return Forecast{}, false
	}
	start := s.ratio(groups)
	seen := map[int]Rehearsal{}
	look := func(prefill int) (Rehearsal, bool) {
		if prefill < 1 || prefill >= groups {
			return Rehearsal{}, false
		}
		if r, known := seen[prefill]; known {
			return r, true
		}
		r, ok := s.Rehearse(Topology{Prefill: prefill, Decode: groups - prefill})
		if ok {
			seen[prefill] = r
		}
		return r, ok
	}
	at := start
	top, ok := look(at)
	if !ok {
		return Forecast{}, false
	}
	for moved := true; moved; {
		moved = false
		for _, next := range []int{at - 2, at - 1, at + 1, at + 2} {
			if r, ok := look(next); ok && better(r, top) {
				at, top, moved = next, r, true
			}
		}
	}
	return forecastOf(Topology{Prefill: at, Decode: groups - at}, top), true
}

// forecastOf is a forecast without intervals.
func forecastOf(t Topology, r Rehearsal) Forecast {
	return Forecast{Topology: t, Rehearsal: r, GoodputLow: r.Goodput, GoodputHigh: r.Goodput, TTFT90Low: r.TTFT90, TTFT90High: r.TTFT90}
}

// asGood is the share of the best goodput at which a topology that was found before is kept: among many groups several are about as good,
// and which of them is best changes with every look.
const asGood = 0.98

// Prefer returns the topology instead of the best one where it is about as good.
func (s *Situation) Prefer(t Topology, best Forecast) Forecast {
	r, ok := s.Rehearse(t)
	if !ok || t.Groups() != best.Groups() || r.Goodput < asGood*best.Goodput {
		return best
	}
	return forecastOf(t, r)
}

// better compares goodput, and where that is equal the room of the busier side.
func better(a, b Rehearsal) bool {
	d := a.Goodput - b.Goodput
	if math.Abs(d) > balanceTolerance*max(a.Goodput, b.Goodput) {
		return d > 0
	}
	return max(a.PrefillBusy, a.decodeStrain()) < max(b.PrefillBusy, b.decodeStrain())-0.01
}

// decodeStrain is the busyness of decode workers, which step as long as there is one request: what counts there is how slow they are.
func (r Rehearsal) decodeStrain() float64 { return r.DecodeBusy * r.ITL50 / max(r.ITL99, r.ITL50) }

// ratio is the number of prefill groups at which both phases keep step: x = N muD / (muP + muD), with the rates of one group.
func (s *Situation) ratio(groups int) int {
	prefill, decode := s.Rates()
	if !(prefill > 0 && decode > 0) {
		return groups / 2
	}
	x := float64(groups) * decode / (prefill + decode)
	return int(max(1, min(float64(groups-1), math.Round(x))))
}

// Rates are the requests/s that one group of each phase can serve: prompts in full steps, and answers in the largest batch whose steps
// keep the limit between tokens and whose context fits.
func (s *Situation) Rates() (prefill, decode float64) {
	c := s.Cost
	prompt := max(1, s.Prompt.Mean*(1-s.Hit))
	prefill = 1 / (c.Prefill*prompt/s.Budget + c.Token*prompt)
	context := s.Prompt.Mean + s.Output.Mean/2
	batch := s.Sequences
	if s.KVTokens > 0 {
		batch = min(batch, s.KVTokens/context)
	}
	if per := c.Sequence + c.Context*context; s.ITL > 0 && per > 0 {
		batch = min(batch, (s.ITL-c.Decode)/per)
	}
	batch = max(1, batch)
	decode = batch / (max(1, s.Output.Mean) * c.Seconds(0, batch, batch*context))
	return prefill, decode
}

// probabilityNormal is the probability that a normal error of that standard deviation is below edge.
func probabilityNormal(edge, spread float64) float64 {
	if spread <= 0 {
		if edge >= 0 {
			return 1
		}
		return 0
	}
	return estimate.Below(edge / spread)
}
