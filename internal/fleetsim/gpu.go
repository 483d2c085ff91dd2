package fleetsim

import "time"

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
	PowerWatts        float64 `json:"power_watts"`
	ClockRatio        float64 `json:"clock_ratio"` // of the full clock, 0..1
	Busy              bool    `json:"busy"`
	MemoryUsedBytes   float64 `json:"memory_used_bytes"` // engines take weights, runtime and the whole KV pool at start
	MemoryTotalBytes  float64 `json:"memory_total_bytes"`
	PowerLimitWatts   float64 `json:"power_limit_watts"`
	EngineMemoryBytes float64 `json:"engine_memory_bytes"` // the engine process's part of the memory in use
}

// GPU is the state of each GPU of a worker at the simulated time reached.
func (f *Fleet) GPU(worker int) GPUTruth { return f.workers[worker].gpu(f.now) }

// gpu sums up what the worker's GPUs have done by now.
func (w *worker) gpu(now time.Duration) GPUTruth {
	g := w.gpuSums
	elapsed := w.inFlight(now)
	g.BusySeconds += elapsed
	g.ClockRatio, g.Busy = 1, w.stepEnd != idle
	return g
}
