package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// Sides of a fleet.
const (
	SidePrefill  = "prefill"
	SideDecode   = "decode"
	SideBalanced = "balanced"
)

// Bottleneck names the phase that holds a split fleet back, with its evidence.
type Bottleneck struct {
	Side string
	// PrefillGain and DecodeGain are the relative goodput that one more worker group of the phase adds.
	PrefillGain, DecodeGain float64
	// PrefillFaster and DecodeFaster are what a tenth more capacity of the phase alone adds: what the side is decided by.
	PrefillFaster, DecodeFaster float64
	// Futile is the phase of which more groups would not help, "" when either would.
	Futile     string
	Confidence float64
}

const (
	// sideGap is the difference between the gains from which on there is a side, and capacityStep the capacity that is added.
	sideGap      = 0.03
	capacityStep = 1.1
	// futileGain is the gain below which another group does not help.
	futileGain = 0.01
	// overloadedBelow is the share of requests in time below which whole groups decide where a tenth does not, and overloadSurety the
	// most confidence there is in that.
	overloadedBelow = 0.9
	overloadSurety  = 0.79
	// maxGain bounds the gain of a fleet whose goodput is nothing.
	maxGain = 10
)

// Bottleneck rehearses the current topology with more of either phase. Where both gains are about the same but one side is out of time
// altogether, that side is it: no tenth mends an overload.
func (s *Situation) Bottleneck() (b Bottleneck, ok bool) {
	if !s.Current.Split() {
		return Bottleneck{}, false
	}
	base, ok := s.Rehearse(s.Current)
	if !ok {
		return Bottleneck{}, false
	}
	gain := func(t Topology, prefill, decode float64) float64 {
		d := *s
		d.Cost = s.Cost.Faster(prefill, decode)
		r, _ := d.Rehearse(t)
		return min(maxGain, quotient(r.Goodput, base.Goodput)-1)
	}
	more := s.Current
	more.Prefill++
	b.PrefillGain = gain(more, 1, 1)
	more = s.Current
	more.Decode++
	b.DecodeGain = gain(more, 1, 1)
	b.PrefillFaster, b.DecodeFaster = gain(s.Current, capacityStep, 1), gain(s.Current, 1, capacityStep)
	difference := b.PrefillFaster - b.DecodeFaster
	most := 1.0
	if difference < sideGap && difference > -sideGap && base.Attained <= overloadedBelow {
		difference, most = b.PrefillGain-b.DecodeGain, overloadSurety
	}
	switch {
	case difference >= sideGap:
		b.Side = SidePrefill
	case difference <= -sideGap:
		b.Side = SideDecode
	default:
		b.Side = SideBalanced
	}
	switch {
	case b.Side == SidePrefill && b.DecodeGain < futileGain:
		b.Futile = SideDecode
	case b.Side == SideDecode && b.PrefillGain < futileGain:
		b.Futile = SidePrefill
	}
	spread := max(0.02, s.Spreads.Prefill+s.Spreads.Decode) * 0.5
	b.Confidence = min(most, sideConfidence(difference, spread))
	return b, true
}

// sideConfidence is the probability that the difference is on the side of the gap that it seems to be on.
func sideConfidence(difference, spread float64) float64 {
	switch {
	case difference >= sideGap:
		return probabilityNormal(difference-sideGap, spread)
	case difference <= -sideGap:
		return probabilityNormal(-sideGap-difference, spread)
	}
	return probabilityNormal(sideGap-difference, spread) + probabilityNormal(sideGap+difference, spread) - 1
}
