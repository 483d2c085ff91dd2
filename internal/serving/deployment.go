package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/facts"
)

// Deployment is what serves: a model on a number of GPUs of one kind that share each layer.
type Deployment struct {
	Model          facts.Model
	Device         facts.Device
	Precision      string  // of the weights
	CacheBytes     float64 // of an element of the KV cache
	TensorParallel float64
}

// Known reports whether all of it is.
func (d Deployment) Known() bool {
	return d.Model.Parameters > 0 && d.Device.Bandwidth > 0 && d.CacheBytes > 0 && d.TensorParallel >= 1
}

// Same reports whether another deployment has the same amounts of work and the same peak rates.
func (d Deployment) Same(o Deployment) bool { return NewRoofline(d) == NewRoofline(o) }

// Fingerprint is the same text for the Same deployment.
func (d Deployment) Fingerprint() string { return fmt.Sprintf("%g", NewRoofline(d)) }

// The unknowns of a Roofline.
const (
	perStep     = iota // s, whatever the step does
	perSequence        // s for each decoding sequence: sampling, scheduling
	perFLOP            // s per FLOP of the whole deployment
	perByte            // s per byte of memory traffic of the whole deployment
	rooflineUnknowns
)

const (
	// expectedStep is between 3 and 6 ms: fits of a roofline to 105 published serving points of vLLM give 6 ms, with 3.5 ms for each
	// 64 sequences (70B FP8 on H100 and H200).
	expectedStep     = 4.5e-3
	expectedSequence = 3.5e-3 / 64
	// Shares of peak rates: large matrix products of AIConfigurator's H200 tables reach 650 to 710 of 989 TFLOP/s, and weights stream
	// at 0.63 to 0.87 of the bandwidth.
	computeShare, memoryShare = 0.67, 0.80
	// attentionShare is the rate of prefill attention as a share of that of matrix products.
	attentionShare = 0.75
	// linkShare is that of all-reduces: 16 MB over four H100 take 191 us, which is 131 of 450 GB/s.
	linkShare = 0.3
)

// Roofline is the time of an engine step by what it computes,
//
//	t = t0 + ts n + max(2 N rows cf, W cb) + attention cf + kv c cb + rows x all-reduce
//
// with four unknowns that are fitted: t0, ts, cf and cb.
type Roofline struct {
	flopsPerRow     float64 // of matrix products
	flopsPerContext float64 // of attention, per pair of a token and one before it
	bytesActive     float64 // of the weights that one row passes through
	bytesWeights    float64
	bytesPerContext float64 // of the KV cache, per token
	linkPerRow      float64 // s of all-reduces
	peak, bandwidth float64 // of all GPUs
}

// NewRoofline knows the amounts of work of a deployment.
func NewRoofline(d Deployment) Roofline {
	m, tp := d.Model, d.TensorParallel
	r := Roofline{
		flopsPerRow: 2 * m.Active(), flopsPerContext: 4 * m.Heads * m.HeadSize * m.Layers,
		bytesActive: m.Active() * facts.WeightBytes(d.Precision), bytesWeights: m.Parameters * facts.WeightBytes(d.Precision),
		bytesPerContext: 2 * m.Layers * m.KVHeads * m.HeadSize * d.CacheBytes,
		peak:            d.Device.Rate(d.Precision) * tp, bandwidth: d.Device.Bandwidth * tp,
	}
	if tp > 1 {
		// Two all-reduces a layer of 16-bit activations, of which each GPU sends 2 (tp-1)/tp.
		r.linkPerRow = 2 * m.Layers * m.Hidden * 2 * 2 * (tp - 1) / tp / (linkShare * d.Device.Link)
	}
	return r
}

// expected are the unknowns by peak rates alone, and deviation how far their logarithms may be off.
func (r Roofline) expected() (theta, deviation []float64) {
	return []float64{expectedStep, expectedSequence, 1 / (computeShare * r.peak), 1 / (memoryShare * r.bandwidth)},
		[]float64{0.5, 1, 0.3, 0.3}
}

// weights is how many bytes of weights so many rows read: of a mixture of experts those that any row needs, rows choosing
// independently.
func (r Roofline) weights(rows float64) float64 {
	if r.bytesActive >= r.bytesWeights {
		return r.bytesWeights
	}
	return r.bytesWeights * (1 - math.Pow(1-r.bytesActive/r.bytesWeights, rows))
}

// products is the time of a step's matrix products, which either compute or stream weights, and of the all-reduces behind them.
func (r Roofline) products(rows float64, theta []float64) float64 {
	return math.Max(r.flopsPerRow*rows*theta[perFLOP], r.weights(rows)*theta[perByte]) + rows*r.linkPerRow
}

// decode is the time of a step with n decoding sequences that read c tokens of context between them.
func (r Roofline) decode(n, c float64, theta []float64) float64 {
	return theta[perStep] + n*theta[perSequence] + r.products(n, theta) + c*r.bytesPerContext*theta[perByte]
}

// prefill is that of a step with p prompt tokens, each of which attends to before others on average.
func (r Roofline) prefill(p, before float64, theta []float64) float64 {
	return theta[perStep] + r.products(p, theta) + r.attention(p, before, theta)
}

func (r Roofline) mixed(p, before, n, c float64, theta []float64) float64 {
	return theta[perStep] + n*theta[perSequence] + r.products(p+n, theta) + r.attention(p, before, theta) +
		c*r.bytesPerContext*theta[perByte]
}

func (r Roofline) attention(p, before float64, theta []float64) float64 {
	return r.flopsPerContext * p * before * theta[perFLOP] / attentionShare
}
