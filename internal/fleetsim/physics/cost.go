package physics

import (
	"fmt"
	"math"
)

// rooflineNorm is the order p of the norm that joins compute and weight streaming: 5 puts a GEMM of 128 rows 15 % above the
// flat part, as measured (design value "about 4 to 6"); a hard maximum would be the estimators' model, not ours.
const rooflineNorm = 5

// Work is what one engine step has to do; the zero value is no work.
type Work struct {
	PrefillTokens    int     // p: prompt tokens computed in this step
	PrefillSequences int     // requests these belong to
	PrefillOutputs   int     // of these, requests that produce their first token now
	PrefillContext   float64 // a: sum over those tokens of their own context length, tokens^2
	DecodeSequences  int     // n: sequences that produce one further token
	DecodeContext    float64 // c: tokens those sequences attend to, this one included
}

// PrefillOnly is the same step without its decodes: the player Pf of the Shapley game.
func (w Work) PrefillOnly() Work {
	w.DecodeSequences, w.DecodeContext = 0, 0
	return w
}

// DecodeOnly is the same step without its prefill: the player De.
func (w Work) DecodeOnly() Work {
	return Work{DecodeSequences: w.DecodeSequences, DecodeContext: w.DecodeContext}
}

// Cost turns the work of a step into seconds for one model on one group of GPUs.
type Cost struct {
	stack Stack
	tp    float64

	flopsPerRow    float64 // layer GEMMs, FLOP per token over the group
	headFLOPs      float64 // output projection, FLOP per sampled token over the group
	peakFLOPS      float64 // of one GPU, FLOP/s
	gemmEfficiency curve   // share of the peak against rows
	streamSeconds  float64 // all weights once, s

	rowBytes    float64 // element-wise traffic per token on one GPU, B
	bandwidth   float64 // of one GPU, B/s
	layers      float64
	messageRow  float64 // all-reduce bytes per token, B
	allReduce   curve   // s against B; empty at TP 1
	attnFLOPs   float64 // per layer and GPU, FLOP per token^2 of context
	attnRate    curve   // FLOP/s against FLOP of a layer
	kvLayerByte float64 // KV bytes per token, layer and GPU
	attnDecode  curve   // s against B of a layer
}

// elementwiseEfficiency is the share of HBM bandwidth that norms, rotary embedding, activations and cache writes reach; memory
// copies of this size measure 0.7 to 0.8.
const elementwiseEfficiency = 0.75

// NewCost prepares the cost of steps on tp GPUs; precision is that of the layer weights.
func NewCost(f *Figures, gpu GPU, model Model, stack Stack, precision string, tp int) (*Cost, error) {
	peak, err := Pick("precision", precision, gpu.PeakFLOPS)
	if err != nil {
		return nil, err
	}
	m := &Cost{stack: stack, tp: float64(tp), peakFLOPS: peak, bandwidth: gpu.Bandwidth, layers: float64(model.Layers)}
	if m.gemmEfficiency, err = newCurve("gemm_efficiency", gpu.GEMMEfficiency[precision]); err != nil {
		return nil, err
	}
	stream, err := newCurve("weight_stream_efficiency", gpu.StreamEfficiency[precision])
	if err != nil {
		return nil, err
	}
	if m.attnRate, err = newCurve("prefill_attention_flops_per_second", gpu.PrefillAttention); err != nil {
		return nil, err
	}
	if m.attnDecode, err = newCurve("decode_attention_seconds", gpu.DecodeAttention); err != nil {
		return nil, err
	}
	if tp > 1 {
		if m.allReduce, err = newCurve(fmt.Sprintf("all_reduce_seconds[%d]", tp), f.AllReduce[tp]); err != nil {
			return nil, err
		}
	}
	m.setModel(model, precision, stream)
	return m, nil
}

// setModel derives the per-token and per-step amounts of work from the model's shape.
func (m *Cost) setModel(model Model, precision string, stream curve) {
	m.flopsPerRow = 2 * model.LayerParameters()
	m.headFLOPs = 2 * model.HeadParameters()
	layerBytes := model.LayerParameters() * bytesPerParameter(precision) / m.layers / m.tp
	m.streamSeconds = (layerBytes*m.layers + model.HeadParameters()*2/m.tp) / (m.bandwidth * stream.at(layerBytes))

	// Per layer and token: two norms with residual read and write the hidden state (8 passes, not sharded); activation reads two
	// and writes one feed-forward row, rotary and cache write pass queries, keys and values twice (sharded). 2 bytes each.
	heads := float64((model.Heads + 2*model.KVHeads) * model.HeadDimension)
	m.rowBytes = m.layers * 2 * (8*float64(model.Hidden) + (3*float64(model.FeedForward)+2*heads)/m.tp)
	m.messageRow = 2 * float64(model.Hidden)
	m.attnFLOPs = 4 * float64(model.Heads*model.HeadDimension) / m.tp
	// A GPU holds at least one KV head: beyond TP = KV heads they are replicated.
	m.kvLayerByte = model.KVBytesPerToken() / m.layers / math.Min(m.tp, float64(model.KVHeads))
}

// Seconds is t(p, n, c, a) without noise.
func (m *Cost) Seconds(w Work) float64 {
	rows := float64(w.PrefillTokens + w.DecodeSequences)
	if rows == 0 {
		return 0
	}
	outputs := float64(w.DecodeSequences + w.PrefillOutputs)
	rate := m.peakFLOPS * m.stack.KernelEfficiency
	compute := (rows*m.flopsPerRow + outputs*m.headFLOPs) / (m.tp * rate * m.gemmEfficiency.at(rows))
	device := norm(compute, m.streamSeconds) + rows*m.rowBytes/(m.bandwidth*elementwiseEfficiency)
	if m.tp > 1 {
		device += 2 * m.layers * m.allReduce.timeAt(rows*m.messageRow)
	}
	if w.PrefillContext > 0 {
		work := w.PrefillContext * m.attnFLOPs
		device += m.layers * work / (m.attnRate.at(work) * m.stack.KernelEfficiency)
	}
	if w.DecodeContext > 0 {
		device += m.layers * m.attnDecode.timeAt(w.DecodeContext*m.kvLayerByte)
	}
	host := m.stack.StepOverhead + float64(w.DecodeSequences+w.PrefillSequences)*m.stack.Sequence
	if m.tp > 1 {
		host += m.stack.TensorParallel
	}
	return norm(device, m.stack.HostLaunch) + host
}

// norm is the p-norm of two times: the larger one, plus a little where they are close.
func norm(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if b == 0 {
		return a
	}
	r := b / a
	return a * math.Pow(1+r*r*r*r*r, 1.0/rooflineNorm)
}

// Shares divides a step of the given length (noise included) between prefill and decode, in seconds.
type Shares struct {
	Prefill, Decode float64 // phi_P, phi_D: add up to the step
	Low, High       float64 // marginal and stand-alone cost of the prefill, in rising order
	DecodeAlone     float64 // counterfactual step t(0, n, c)
}

// Split plays the two-player game {prefill, decode} of the step; all values carry the step's own noise.
func (m *Cost) Split(w Work, clean, actual float64) Shares {
	scale := actual / clean
	switch {
	case w.DecodeSequences == 0:
		return Shares{Prefill: actual, Low: actual, High: actual}
	case w.PrefillTokens == 0:
		return Shares{Decode: actual, DecodeAlone: actual}
	}
	alone := m.Seconds(w.PrefillOnly()) * scale
	decodeAlone := m.Seconds(w.DecodeOnly()) * scale
	marginal := actual - decodeAlone
	phi := (alone + marginal) / 2
	return Shares{
		Prefill: phi, Decode: actual - phi,
		Low: math.Min(marginal, alone), High: math.Max(marginal, alone),
		DecodeAlone: decodeAlone,
	}
}
