package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

const (
	// pipeShare is the share of peak FLOP/s at which a matrix product keeps the tensor pipes active throughout: 0.65 to 0.8 in
	// AIConfigurator's H200 tables. trafficShare is that of bandwidth at which the memory interface is.
	pipeShare, trafficShare = 0.75, 0.9
	// minSignature is the determinant of the signatures from which on the two phases are told apart, doubtful how far apart the two
	// answers may lie.
	minSignature, doubtful = 0.05, 0.2
)

// Unmix is prefill's share of the busy time of a window by what its GPUs were busy with (tier T4): tensor and dram are the seconds that
// tensor pipes and memory were active, the mean of the GPUs. A prefill second computes and a decode second reads; the roofline says how
// much of either. It is a look from another side, not an estimate: a mixed step reads the weights once for both, so that the share comes
// out 10 to 20 % high. ok is false where the signatures are alike, as for large batches.
func (s *RooflineSplitter) Unmix(r Reading, tensor, dram float64) (share float64, ok bool) {
	p := r.Passes
	prefills, decodes := p.withPrefill(), p.Decode.Count+p.Mixed.Count
	if prefills <= 0 || decodes <= 0 || s.windows < minSamples {
		return 0, false
	}
	m, theta := s.model, s.fit.Unknowns()
	tokens := (p.Prefill.PrefillTokens + p.Mixed.PrefillTokens) / prefills
	n, c := p.Batch(), (p.Decode.Context+p.Mixed.Context)/decodes
	if m.flopsPerRow*n/m.peak > m.weights(n)/m.bandwidth {
		return 0, false // decode computes, too
	}
	flops := func(rows float64) float64 { return m.flopsPerRow * rows / (pipeShare * m.peak) }
	bytes := func(b float64) float64 { return b / (trafficShare * m.bandwidth) }
	prefillTime, decodeTime := m.prefill(tokens, r.Before, theta), m.decode(n, c, theta)
	tensorP := (flops(tokens) + m.flopsPerContext*tokens*r.Before/(pipeShare*m.peak)) / prefillTime
	dramP := bytes(m.weights(tokens)) / prefillTime
	tensorD, dramD := flops(n)/decodeTime, bytes(m.weights(n)+c*m.bytesPerContext)/decodeTime
	det := tensorP*dramD - tensorD*dramP
	if math.Abs(det) < minSignature {
		return 0, false
	}
	prefill := math.Max(0, (tensor*dramD-tensorD*dram)/det)
	decode := math.Max(0, (tensorP*dram-tensor*dramP)/det)
	if prefill+decode <= 0 {
		return 0, false
	}
	return prefill / (prefill + decode), true
}

// Doubt lowers the confidence of a split from which unmixing is far off.
func (s *Split) Doubt(unmixed float64) (doubted bool) {
	busy := s.Prefill + s.Decode
	if s.Withheld != "" || busy <= 0 || math.Abs(unmixed-s.Prefill/busy) <= doubtful {
		return false
	}
	s.Confidence = min(s.Confidence, maxPriorSurety)
	return true
}

// maxPriorSurety is the most that an estimate is trusted which something speaks against, or nothing was measured for: LOW.
const maxPriorSurety = 0.49
