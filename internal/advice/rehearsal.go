package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// forecastError is by how much the forecast of goodput was off where it was held to what was served, as a share: -5.0 to +2.6 %
	// (docs/disaggregation.md, A6). A measured goodput so near the interval does not speak against the model.
	forecastError = 0.05
	// promised is the share of forecasts that should hold: their intervals are those of 80 %.
	promised = 0.8
	// leastOfRecord is what the worst record leaves of a confidence, since a record may be of a single forecast.
	leastOfRecord = 0.3
	// doubted is the most that advice is worth while the model does not rehearse the present fleet as it is: LOW.
	doubted = 0.4
)

// rehearsal is how the present workers are rehearsed beside how they serve, requests/s.
type rehearsal struct {
	rehearsed, measured float64
	off                 bool // the measured one is further from the interval than forecasts are published to be
}

// rehearsal compares them. ok is false where one is not known, and of an overload: how much is still served then depends on how long it lasts.
func (r *Reading) rehearsal() (h rehearsal, ok bool) {
	bound := func(b string) (float64, bool) {
		return r.Level(signal.TopologyGoodput, signal.AttrTopology, signal.TopologyCurrent, signal.AttrBound, b)
	}
	low, okLow := bound(signal.BoundLow)
	mid, okMid := bound(signal.BoundMid)
	high, okHigh := bound(signal.BoundHigh)
	measured, okMeasured := fleetGoodput(r)
	if !okLow || !okMid || !okHigh || !okMeasured {
		return h, false
	}
	possible := 0.0
	if score, ok := r.Level(signal.DisaggregationScore); ok && score > 0 {
		possible = measured / score
	}
	if high <= 0 || (measured < possible/2 && mid < possible/2) {
		return h, false
	}
	slack := forecastError * max(mid, measured)
	return rehearsal{mid, measured, measured < low-slack || measured > high+slack}, true
}

// tempered lowers the confidence of advice that rests on a rehearsal by how the fleet's earlier forecasts came out, and where the present fleet
// is not rehearsed as it is measured.
func (r *Reading) tempered(confidence float64) float64 {
	if share, ok := r.Level(signal.TopologyRecord); ok {
		confidence *= max(leastOfRecord, min(1, share/promised))
	}
	if h, ok := r.rehearsal(); ok && h.off {
		confidence = min(confidence, doubted)
	}
	return confidence
}

// caution is what is said with advice that rests on a model that is off here, "" where it is not.
func (r *Reading) caution() string {
	h, ok := r.rehearsal()
	if !ok || !h.off {
		return ""
	}
	return fmt.Sprintf(" The model rehearses the present workers at %.3g requests/s, and %.3g are measured: try it on a part before you change all.",
		h.rehearsed, h.measured)
}

// rehearsedNow is the evidence of it.
func (r *Reading) rehearsedNow() []Quantity {
	h, ok := r.rehearsal()
	if !ok {
		return nil
	}
	return []Quantity{{Name: "Goodput, rehearsed as it is", Value: h.rehearsed, Unit: "{request}/s", Metric: signal.TopologyGoodput}}
}
