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

	ClockRatio float64 // clock over the full clock; below 1 when the power limit throttles
}

// reduceSMs is the share of the SMs an all-reduce kernel occupies (assumption: about 32 of 132 blocks).
const reduceSMs = 0.25

// Seconds is t(p, n, c, a) without noise.
func (m *Cost) Seconds(w Work) float64 { return m.Demand(w).Seconds }

// Demand is what the step asks for without noise; no work is the zero Demand at full clock.
func (m *Cost) Demand(w Work) Demand {
	decodeRows := w.decodeRows()
	rows := float64(w.PrefillTokens + decodeRows)
	if rows == 0 {
		return Demand{ClockRatio: 1}
	}
	var s step
	m.matrices(&s, rows, float64(decodeRows+w.PrefillOutputs), 1)
	if w.PrefillContext > 0 {
		work := w.PrefillContext * m.attnFLOPs
		s.attention = m.layers * work / (m.attnRate.at(work) * m.stack.KernelEfficiency)
		s.flops += m.layers * work
		s.tensor += m.layers * work / m.attnPeak
	}
	if w.DecodeContext > 0 {
		m.context(&s, w.DecodeContext, 1)
	}
	if m.draftShare > 0 && w.DecodeSequences > 0 && decodeRows > w.DecodeSequences {
		// Every further token of a sequence took one pass of the draft model over all sequences.
		n := float64(w.DecodeSequences)
		share := m.draftShare * (float64(decodeRows)/n - 1)
		m.matrices(&s, n, n, share)
		m.context(&s, w.DecodeContext, share)
	}
	if w.Adapters > 0 {
		bytes := float64(w.Adapters) * m.adapterBytes
		s.memory += m.layers*loraKernels*loraKernelSeconds + bytes/(m.bandwidth*elementwiseEfficiency)
		s.bytes += bytes
	}
	s.host = m.stack.StepOverhead + float64(w.DecodeSequences+w.PrefillSequences)*m.stack.Sequence
	s.launch = m.launch(w.PrefillTokens, decodeRows)
	return m.finish(&s)
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
	memory    float64 // kernels bound by memory: element-wise, decode attention, adapters
	reduce    float64 // all-reduces
	launch    float64 // host launching kernels, hidden behind the device or hiding it
	host      float64 // host work between steps

	flops, bytes, sent float64
	tensor             float64 // activity-seconds of the tensor pipes at full clock
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
	s.tensor += share * (c.tensorFLOPs + max(outputs, tileRows)*m.headFLOPs) / m.peakFLOPS
}

// context adds the attention of decodes.
func (m *Cost) context(s *step, tokens, share float64) {
	bytes := tokens * m.kvLayerByte
	s.memory += share * m.layers * m.attnDecode.at(bytes)
	s.bytes += share * m.layers * bytes
	s.flops += share * m.layers * tokens * m.attnFLOPs
	s.tensor += share * m.layers * tokens * m.attnFLOPs / m.attnPeak
}

// length is the step's time when clock-bound work takes slowdown times as long.
func (s *step) length(slowdown float64) float64 {
	device := norm(s.gemm*slowdown, s.stream) + s.attention*slowdown + s.memory + s.reduce
	return norm(device, s.launch) + s.host
}

// busy is how long kernels occupy the SMs.
func (s *step) busy(slowdown float64) float64 {
	return norm(s.gemm*slowdown, s.stream) + s.attention*slowdown + s.memory + reduceSMs*s.reduce
}

// finish settles clock and power and sums up.
func (m *Cost) finish(s *step) Demand {
	d := Demand{
		DRAM: s.bytes / m.bandwidth, NVLink: s.sent / m.link,
		FLOPs: s.flops, DRAMBytes: s.bytes, NVLinkBytes: s.sent,
	}
	slowdown := m.power.throttle(s, d.DRAM)
	d.ClockRatio = 1 / slowdown
	d.Seconds, d.SM = s.length(slowdown), s.busy(slowdown)
	d.Tensor = s.tensor * slowdown
	d.Joules = m.tp * m.power.joules(s, d.DRAM, d.Seconds, slowdown)
	return d
}
