package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

// linkSpeeds are the bandwidths of a GPU's links in bytes per second and direction; 0 where not known. They are asked once: a sum
// that is divided by another number at each collection could fall.
type linkSpeeds struct{ pcie, nvlink float64 }

// pcieSpeed is the bandwidth of a PCIe link in each direction, without packet overhead. Rates of a lane: PCI-SIG, 2.5, 5, 8, 16, 32
// and 64 GT/s; the first two send 8 bits in 10, the next three 128 in 130, the last 242 bytes in 256.
func pcieSpeed(generation, lanes int) float64 {
	perLane := []float64{2.5e9 * 8 / 10, 5e9 * 8 / 10, 8e9 * 128 / 130, 16e9 * 128 / 130, 32e9 * 128 / 130, 64e9 * 242 / 256}
	if generation < 1 || generation > len(perLane) || lanes < 1 {
		return 0
	}
	return perLane[generation-1] / 8 * float64(lanes)
}

// nvlinkSpeed is the bandwidth of all NVLinks in each direction; mbps is the driver's speed of one link in MB/s.
func nvlinkSpeed(mbps, links uint64) float64 { return float64(mbps) * 1e6 * float64(links) }
