package physics

import (
	"fmt"
	"math"
)

// Cost turns the work of a step into time, energy and activity for one deployment. It is safe for concurrent use.
type Cost struct {
	stack Stack
	power power
	tp    float64

	peakFLOPS    float64 // of one GPU in the precision of the weights, FLOP/s
	bandwidth    float64 // of one GPU's memory, B/s
	link         float64 // of one GPU's links, one direction, B/s
	layers       float64
	rows         rowTable // everything that depends on the number of rows alone
	flopsPerRow  float64  // layer GEMMs, FLOP per token on one GPU
	headFLOPs    float64  // output projection, FLOP per sampled token on one GPU
	trafficRow   float64  // DRAM traffic per token beside weights and context, B on one GPU
	messageRow   float64  // bytes each GPU sends per token for all-reduces
	attnFLOPs    float64  // per layer and GPU, FLOP per token^2 of context
	attnRate     table    // FLOP/s against FLOP of a layer
	attnSeconds  float64  // s per FLOP of prefill attention at its best
	attnPeak     float64  // 16-bit peak of one GPU, FLOP/s: attention is not quantised
	kvLayerByte  float64  // KV bytes per token, layer and GPU
	attnDecode   table    // s against B of a layer
	adapterBytes float64  // weights of one LoRA adapter on one GPU, B
	draftShare   float64
}

// newCost fills in the amounts of work that follow from the model's shape.
func newCost(d Deployment, gpu GPU, model Model, stack Stack, peak float64) (*Cost, error) {
	m := &Cost{
		stack: stack, tp: float64(d.TensorParallel), peakFLOPS: peak, attnPeak: gpu.PeakFLOPS[bf16],
		bandwidth: gpu.Bandwidth, link: gpu.NVLink, layers: float64(model.Layers), draftShare: d.DraftShare,
	}
	k, err := newKernels(d, gpu)
	if err != nil {
		return nil, err
	}
	m.power = newPower(d, gpu, k.efficiency.highest()*peak*stack.KernelEfficiency)

	active := model.attentionParameters() + model.activeFeedForward()
	m.flopsPerRow = 2 * float64(model.Layers) * active / m.tp
	m.headFLOPs = 2 * model.HeadParameters() / m.tp
	m.messageRow = 2 * m.layers * ringShare(m.tp) * 2 * float64(model.Hidden)
	m.attnFLOPs = 4 * float64(model.Heads*model.HeadDimension) / m.tp
	// A GPU holds at least one KV head: beyond TP = KV heads they are replicated.
	m.kvLayerByte = model.KVBytesPerToken(d.KVPrecision) / m.layers / math.Min(m.tp, float64(model.KVHeads))
	m.adapterBytes = m.layers * 2 * loraRank * model.adapterWidth() / m.tp

	m.trafficRow = m.layers * (model.elementwiseBytes(m.tp) + k.gemm.ActivationPasses*model.gemmActivationBytes(m.tp))
	m.rows = newRowTable(k, m, model, d.Precision)
	m.attnRate = newTable(k.attentionRate.at, k.attentionRate.first(), k.attentionRate.last(), false)
	m.attnSeconds = 1 / (k.attentionRate.highest() * stack.KernelEfficiency)
	m.attnDecode = newTable(k.decodeAttention.timeAt, k.decodeAttention.first(), k.decodeAttention.last(), true)
	return m, nil
}

// kernels are the measured curves of one GPU in one precision.
type kernels struct {
	gemm            GEMM
	efficiency      curve // share of the peak against rows
	dispatch        curve // time of products that only stream, relative to that of one row, against rows
	attentionRate   curve // FLOP/s against FLOP of a layer
	decodeAttention curve // s against B of a layer
	allReduce       curve // s against B; empty at TP 1
}

func newKernels(d Deployment, gpu GPU) (k kernels, err error) {
	read := func(to *curve, key string, points [][2]float64) {
		if err == nil {
			*to, err = newCurve(key, points)
		}
	}
	k.gemm = gpu.GEMM[d.Precision]
	read(&k.efficiency, "gemm.efficiency", k.gemm.Efficiency)
	dispatch := k.gemm.Dispatch
	if dispatch == nil {
		dispatch = [][2]float64{{1, 1}}
	}
	read(&k.dispatch, "gemm.dispatch", dispatch)
	read(&k.attentionRate, "prefill_attention_flops_per_second", gpu.PrefillAttention)
	read(&k.decodeAttention, "decode_attention_seconds["+d.KVPrecision+"]", gpu.DecodeAttention[d.KVPrecision])
	if d.TensorParallel > 1 {
		read(&k.allReduce, fmt.Sprintf("all_reduce_seconds[%d]", d.TensorParallel), gpu.AllReduce[d.TensorParallel])
	}
	return k, err
}

// ringShare is the part of a message that each of tp GPUs sends in an all-reduce.
func ringShare(tp float64) float64 { return 2 * (tp - 1) / tp }
