package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// GPUTruth is one GPU of a worker's group; all GPUs of a group do the same. Sums are since the start of the simulation up to the
// simulated time reached, a step in progress counted by its elapsed part.
type GPUTruth struct {
	EnergyJoules float64 `json:"energy_joules"`
	BusySeconds  float64 `json:"busy_seconds"` // time with a step in progress

	// Activity-seconds: integral of the share of a unit's cycles in use.
	TensorSeconds float64 `json:"tensor_seconds"`
	SMSeconds     float64 `json:"sm_seconds"`
	DRAMSeconds   float64 `json:"dram_seconds"`
	NVLinkSeconds float64 `json:"nvlink_seconds"`

	FLOPs           float64 `json:"flops"`
	DRAMBytes       float64 `json:"dram_bytes"`
	NVLinkTxBytes   float64 `json:"nvlink_tx_bytes"` // all-reduces are symmetric: as much is received
	NVLinkRxBytes   float64 `json:"nvlink_rx_bytes"`
	PCIeTxBytes     float64 `json:"pcie_tx_bytes"` // to the host
	PCIeRxBytes     float64 `json:"pcie_rx_bytes"`
	ThrottleSeconds float64 `json:"power_throttle_seconds"` // clock below the full one because of the power limit

	// Now.
	PowerWatts       float64 `json:"power_watts"`
	ClockRatio       float64 `json:"clock_ratio"` // of the full clock, 0..1
	Busy             bool    `json:"busy"`
	MemoryUsedBytes  float64 `json:"memory_used_bytes"` // by the engine, which takes weights, runtime and its whole KV pool at start
	MemoryTotalBytes float64 `json:"memory_total_bytes"`
	PowerLimitWatts  float64 `json:"power_limit_watts"`
}

// device is what a worker's GPUs are.
type device struct {
	gpus         float64 // of the group
	memory       float64 // of one, bytes
	engineMemory float64 // what the engine takes of it at start, bytes
	powerLimit   float64 // of one, W
}

func newDevice(p *Pool, gpu physics.GPU, model physics.Model) device {
	tp := float64(p.TensorParallel)
	kv := model.KVBytesPerToken(p.KVPrecision) * float64(p.BlockSize*p.KVBlocks)
	d := device{gpus: tp, memory: gpu.Memory, powerLimit: p.PowerLimit}
	d.engineMemory = (model.WeightBytes(p.Precision)+kv)/tp + runtimeBytes
	if d.powerLimit == 0 {
		d.powerLimit = gpu.TDP
	}
	return d
}

// Traffic with the host (assumptions): a row of a step needs its token id, position, slot and a part of its block table; a sampled
// token comes back as its id. Logits and hidden states stay on the GPU.
const (
	hostBytesPerRow    = 24
	hostBytesPerOutput = 4
)

// gpuSums accumulates what each GPU of a group has done.
type gpuSums struct {
	demand    physics.Demand // per GPU, except Joules, which are the group's
	throttled float64        // s
	rows      float64        // computed, over the group
	outputs   float64        // tokens sampled
}

// add books a part of a step, 1 for all of it.
func (g *gpuSums) add(w *physics.Work, d *physics.Demand, part float64) {
	g.rows += part * float64(w.PrefillTokens+max(w.DecodeSequences, w.DecodeTokens))
	g.outputs += part * float64(w.PrefillOutputs+w.DecodeSequences)
	g.demand.Seconds += part * d.Seconds
	g.demand.Joules += part * d.Joules
	g.demand.Tensor += part * d.Tensor
	g.demand.SM += part * d.SM
	g.demand.DRAM += part * d.DRAM
	g.demand.NVLink += part * d.NVLink
	g.demand.FLOPs += part * d.FLOPs
	g.demand.DRAMBytes += part * d.DRAMBytes
	g.demand.NVLinkBytes += part * d.NVLinkBytes
	if d.ClockRatio < 1 {
		g.throttled += part * d.Seconds
	}
}

// GPU is the state of each GPU of a worker at the simulated time reached.
func (f *Fleet) GPU(worker int) GPUTruth { return f.workers[worker].gpu(f.now) }

// gpu sums up what the worker's GPUs have done by now.
func (w *worker) gpu(now time.Duration) GPUTruth {
	sums, d := w.gpuSums, &w.device
	g := GPUTruth{
		PowerWatts: w.cost.IdlePower() / d.gpus, ClockRatio: 1,
		MemoryTotalBytes: d.memory, PowerLimitWatts: d.powerLimit,
	}
	if !w.down {
		g.MemoryUsedBytes = d.engineMemory
	}
	if part, step := w.elapsed(now); w.stepEnd != idle {
		sums.add(&w.stepWork, &step, part)
		g.Busy, g.PowerWatts, g.ClockRatio = true, step.Joules/step.Seconds/d.gpus, step.ClockRatio
	}
	s := &sums.demand
	g.BusySeconds = s.Seconds
	g.EnergyJoules = (s.Joules + max(0, now.Seconds()-s.Seconds)*w.cost.IdlePower()) / d.gpus
	g.TensorSeconds, g.SMSeconds, g.DRAMSeconds, g.NVLinkSeconds = s.Tensor, s.SM, s.DRAM, s.NVLink
	g.FLOPs, g.DRAMBytes, g.NVLinkTxBytes, g.NVLinkRxBytes = s.FLOPs, s.DRAMBytes, s.NVLinkBytes, s.NVLinkBytes
	g.PCIeTxBytes, g.PCIeRxBytes = sums.outputs*hostBytesPerOutput, sums.rows*hostBytesPerRow
	g.ThrottleSeconds = sums.throttled
	return g
}
