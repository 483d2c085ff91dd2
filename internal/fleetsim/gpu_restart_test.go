package fleetsim

import (
	"testing"
	"time"
)

// What a GPU has done never falls, whatever becomes of the process on it.
func TestGPUSumsNeverFall(t *testing.T) {
	cfg := busyFleet(5)
	f := start(t, cfg)
	var last GPUTruth
	for at := time.Duration(0); at < 40*time.Second; at += 37 * time.Millisecond {
		advance(t, f, at)
		g := f.GPU(0)
		for name, pair := range map[string][2]float64{
			"energy": {last.EnergyJoules, g.EnergyJoules}, "tensor": {last.TensorSeconds, g.TensorSeconds}, "dram": {last.DRAMSeconds, g.DRAMSeconds},
			"pcie tx": {last.PCIeTxBytes, g.PCIeTxBytes}, "pcie rx": {last.PCIeRxBytes, g.PCIeRxBytes}, "nvlink": {last.NVLinkTxBytes, g.NVLinkTxBytes},
			"busy": {last.BusySeconds, g.BusySeconds},
		} {
			if pair[1] < pair[0]-1e-9*pair[0] {
				t.Fatalf("at %s: %s falls from %g to %g", at, name, pair[0], pair[1])
			}
		}
		last = g
		if at%(5*time.Second) < 37*time.Millisecond {
			if err := f.RestartWorker(0, 300*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last.BusySeconds == 0 || f.WorkerTruth(0).Faults.Restarts < 7 {
		t.Errorf("%+v after %d restarts", last, f.WorkerTruth(0).Faults.Restarts)
	}
}
