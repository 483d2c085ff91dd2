package physics

import "math"

// Precisions of weights, keys and values.
const (
	bf16 = "bf16"
	fp8  = "fp8"
)

func bytesPerParameter(precision string) float64 {
	if precision == fp8 {
		return 1
	}
	return 2
}

// KVBytesPerToken is the size of one token's keys and values over all layers, in bytes.
func (m Model) KVBytesPerToken(precision string) float64 {
	return float64(2*m.KVHeads*m.HeadDimension*m.Layers) * bytesPerParameter(precision)
}

// HeadParameters counts the output projection (as many again are in the input embedding, which is a lookup).
func (m Model) HeadParameters() float64 { return float64(m.Vocabulary) * float64(m.Hidden) }

// LayerParameters counts the weights of all layers: everything but the two vocabulary matrices.
func (m Model) LayerParameters() float64 { return m.Parameters - 2*m.HeadParameters() }

// WeightBytes is the memory of all weights; only the layers are quantised, as in the published FP8 checkpoints.
func (m Model) WeightBytes(precision string) float64 {
	return m.LayerParameters()*bytesPerParameter(precision) + 2*m.HeadParameters()*2
}

// expertParameters counts one expert of one layer (gate, up and down projection); in a dense model the feed-forward part as a whole.
func (m Model) expertParameters() float64 { return 3 * float64(m.Hidden) * float64(m.FeedForward) }

// attentionParameters counts what every token of one layer passes: attention, norms and the router of experts.
func (m Model) attentionParameters() float64 {
	return m.LayerParameters()/float64(m.Layers) - math.Max(1, float64(m.Experts))*m.expertParameters()
}

// expertsPerToken is 1 for a dense model.
func (m Model) expertsPerToken() float64 { return math.Max(1, float64(m.Routed)) }

// activeFeedForward counts the feed-forward weights of one layer that one token passes.
func (m Model) activeFeedForward() float64 { return m.expertsPerToken() * m.expertParameters() }

// touchedExperts is how many experts of a layer a number of rows uses: each row draws its experts evenly, so one stays unused with
// probability (1-k/E)^rows. 1 for a dense model.
func (m Model) touchedExperts(rows float64) float64 {
	if m.Experts == 0 {
		return 1
	}
	e := float64(m.Experts)
	return e * (1 - math.Pow(1-m.expertsPerToken()/e, rows))
}

// headWidth is the length of queries, keys and values of one token and layer.
func (m Model) headWidth() float64 { return float64((m.Heads + 2*m.KVHeads) * m.HeadDimension) }

// elementwiseBytes is the traffic of one token and layer on one GPU: two norms with residual read and write the hidden state (8
// passes, not sharded); activation reads two and writes one feed-forward row, rotary and cache write pass queries, keys and values
// twice (sharded). 2 bytes each.
func (m Model) elementwiseBytes(tp float64) float64 {
	return 2 * (8*float64(m.Hidden) + (3*m.expertsPerToken()*float64(m.FeedForward)+2*m.headWidth())/tp)
}

// gemmActivationBytes is what the four matrix products of one token and layer read and write on one GPU, 2 bytes each.
func (m Model) gemmActivationBytes(tp float64) float64 {
	attention := m.headWidth() + float64(m.Heads*m.HeadDimension)
	return 2 * (4*float64(m.Hidden) + (attention+3*m.expertsPerToken()*float64(m.FeedForward))/tp)
}

// adapterWidth is the sum over one layer's projections of input and output width: the size of a LoRA adapter of rank 1.
func (m Model) adapterWidth() float64 {
	hidden, attention := float64(m.Hidden), float64(m.Heads*m.HeadDimension)
	return hidden + m.headWidth() + attention + hidden + 3*(hidden+float64(m.FeedForward))
}
