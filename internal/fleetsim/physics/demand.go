package physics

// Demand is what a step asks of its GPUs. Activity-seconds are the integral over the step of the share of a unit's cycles in use, as
// the profiling counters of the GPU measure it, on each GPU of the group.
type Demand struct {
	Seconds float64
	Joules  float64 // of the whole group, idle power included

	Tensor float64 // tensor pipes, activity-seconds per GPU
	SM     float64 // streaming multiprocessors with work, activity-seconds per GPU
	DRAM   float64 // memory interface, activity-seconds per GPU
	NVLink float64 // links to the other GPUs, one direction, activity-seconds per GPU

	FLOPs       float64 // of matrix products and attention, per GPU
	DRAMBytes   float64 // read and written, per GPU
	NVLinkBytes float64 // sent, per GPU

	ClockRatio float64 // clock over the full clock; below 1 when the power limit throttles, at its lowest when it also makes the GPU pause
}

// reduceSMs is the share of the SMs an all-reduce kernel occupies (assumption: about 32 of 132 blocks).
const reduceSMs = 0.25

// Seconds is t(p, n, c, a) without noise.
func (m *Cost) Seconds(w Work) float64 { return m.Demand(w).Seconds }

// Demand is what the step asks for without noise; no work is the zero Demand at full clock.
func (m *Cost) Demand(w Work) Demand {
	decodeRows := w.decodeRows()
	if w.PrefillTokens+decodeRows == 0 {
		return Demand{ClockRatio: 1}
	}
	var s step
	m.collect(&s, &w, decodeRows)
	return m.finish(&s)
}

// collect puts the parts of a step together; it has at least one row.
func (m *Cost) collect(s *step, w *Work, decodeRows int) {
	rows := float64(w.PrefillTokens + decodeRows)
	m.matrices(s, rows, float64(decodeRows+w.PrefillOutputs), 1)
	if w.PrefillContext > 0 {
		work := w.PrefillContext * m.attnFLOPs
		s.attention = m.layers * work / (m.attnRate.at(work) * m.stack.KernelEfficiency)
		s.flops += m.layers * work
		s.attentionTensor += m.layers * work / m.attnPeak
	}
	if w.DecodeContext > 0 {
		each := 1.0
		if decodeRows != w.DecodeSequences {
			each = float64(decodeRows) / float64(w.DecodeSequences)
		}
		m.decodeAttention(s, w.DecodeContext, each, 1)
	}
	if m.draftShare > 0 && w.DecodeSequences > 0 && decodeRows > w.DecodeSequences {
		// Every further token of a sequence took one pass of the draft model over all sequences.
		n := float64(w.DecodeSequences)
		share := m.draftShare * (float64(decodeRows)/n - 1)
		m.matrices(s, n, n, share)
		m.decodeAttention(s, w.DecodeContext, 1, share)
	}
	if w.Adapters > 0 {
		bytes := float64(w.Adapters) * m.adapterBytes
		s.memory += m.layers*loraKernels*loraKernelSeconds + bytes/(m.bandwidth*elementwiseEfficiency)
		s.bytes += bytes
	}
	s.host = m.stack.StepOverhead + float64(w.DecodeSequences+w.PrefillSequences)*m.stack.Sequence
	s.launch = m.launch(w.PrefillTokens, decodeRows)
}

// launch is the time the host takes to launch a step's kernels, 0 when a recorded graph does.
func (m *Cost) launch(prefill, decode int) float64 {
	switch {
	case prefill+decode <= m.stack.GraphRows && (prefill == 0 || m.stack.GraphPrefill):
		return 0
	case prefill > 0:
		return m.layers * m.stack.PrefillLaunch
	}
	return m.layers * m.stack.DecodeLaunch
}

// step collects the parts of a step on one GPU, in seconds, before clock and power are settled.
type step struct {
	gemm      float64 // matrix products if their operands were at hand; grows as the clock falls
	stream    float64 // reading the weights
	attention float64 // of prefill; grows as the clock falls
	context   float64 // attention of decodes
	memory    float64 // kernels bound by memory: element-wise, adapters
	reduce    float64 // all-reduces
	launch    float64 // host launching kernels, hidden behind the device or hiding it
	host      float64 // host work between steps

	flops, bytes, sent float64

	// Activity-seconds of the tensor pipes at full clock.
	productTiles, attentionTensor, contextTensor float64
}

// matrices adds the layers' matrix products, their element-wise kernels and all-reduces, and the output projection.
func (m *Cost) matrices(s *step, rows, outputs, share float64) {
	c := m.rows.at(rows)
	flops := rows*m.flopsPerRow + outputs*m.headFLOPs
	s.gemm += share * (c.gemm + outputs*c.headRow)
	s.stream += share * c.stream
	s.memory += share * c.memory
	s.reduce += share * c.reduce
	s.flops += share * flops
	s.bytes += share * (c.weightBytes + rows*m.trafficRow)
	s.sent += share * rows * m.messageRow
	s.productTiles += share * (c.tensorFLOPs + max(outputs, tileRows)*m.headFLOPs) / m.peakFLOPS
}

// decodeAttention adds the attention of decodes with so many rows each: their keys and values are read once for all rows, which many rows
// make a matter of arithmetic, at the best rate of prefill attention.
func (m *Cost) decodeAttention(s *step, tokens, rows, share float64) {
	bytes := tokens * m.kvLayerByte
	flops := tokens * rows * m.attnFLOPs
	s.context += share * m.layers * max(m.attnDecode.at(bytes), flops*m.attnSeconds)
	s.bytes += share * m.layers * bytes
	s.flops += share * m.layers * flops
	s.contextTensor += share * m.layers * flops / m.attnPeak
}

// timing is a step at one clock, in seconds on one GPU.
type timing struct {
	length float64
	busy   float64 // SMs with work
	tensor float64 // activity of the tensor pipes
}

// at is the step when clock-bound work takes slowdown times as long. Pipes that work on padded tiles, or beside the reading of a
// context, are busy no longer than that takes: a few rows are as fast at a low clock as at the full one.
func (s *step) at(slowdown float64) timing {
	products := norm(s.gemm*slowdown, s.stream)
	kernels := products + s.attention*slowdown + s.context + s.memory
	return timing{
		length: norm(kernels+s.reduce, s.launch) + s.host,
		busy:   kernels + reduceSMs*s.reduce,
		tensor: min(s.productTiles*slowdown, products) + s.attentionTensor*slowdown + min(s.contextTensor*slowdown, s.context),
	}
}

// finish settles clock and power and sums up.
func (m *Cost) finish(s *step) Demand {
	dram := s.bytes / m.bandwidth
	t, slowdown, joules := m.power.settle(s, dram)
	return Demand{
		Seconds: t.length, Joules: m.tp * joules,
		Tensor: t.tensor, SM: t.busy, DRAM: dram, NVLink: s.sent / m.link,
		FLOPs: s.flops, DRAMBytes: s.bytes, NVLinkBytes: s.sent,
		ClockRatio: 1 / slowdown,
	}
}
