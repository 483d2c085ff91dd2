package live

import "github.com/otelcol-inference/otelcol-inference/internal/fleetsim"

// Summary is a run in a line.
type Summary struct {
	SimulatedSeconds float64 `json:"simulated_seconds"`
	Arrived          int64   `json:"arrived_requests"`
	Finished         int64   `json:"finished_requests"`
	Goodput          float64 `json:"goodput_requests_per_second"` // of requests that met the objectives
	TTFT             float64 `json:"ttft_p90_seconds"`
	ITL              float64 `json:"itl_p90_seconds"`
	PrefillShare     float64 `json:"prefill_share"` // of the busy time
	Utilisation      float64 `json:"utilisation"`
}

// Summary sums the run up to now.
func (r *Rig) Summary() Summary {
	r.driver.mu.Lock()
	defer r.driver.mu.Unlock()
	return summarise(r.driver.fleet.Truth())
}

func summarise(t fleetsim.Truth) Summary {
	return Summary{
		SimulatedSeconds: t.SimulatedSeconds, Arrived: t.ArrivedRequests, Finished: t.FinishedRequests,
		Goodput: float64(t.Goodput.Both) / max(t.SimulatedSeconds, 1e-9), TTFT: t.TTFT.P90, ITL: t.ITL.P90,
		PrefillShare: t.PrefillShare(), Utilisation: t.Utilisation(),
	}
}
