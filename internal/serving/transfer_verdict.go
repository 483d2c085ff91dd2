package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// Transports that a bandwidth may belong to.
const (
	CarriedByNVLink  = "nvlink"
	CarriedByLocal   = "local" // shared memory or PCIe inside a machine
	CarriedByRDMA    = "rdma"
	CarriedByTCP     = "tcp"
	CarriedByUnknown = "unknown"
)

// TransportsOf are the transports in whose band the bandwidth of one rank lies, low to high its interval in bytes/s. Bands overlap and
// leave gaps. They are those that are seen in practice: NVLink above 100 GB/s, PCIe 5 and shared memory 10 to 60, RDMA over 100 Gbit/s
// 8 to 12.5 and over 400 Gbit/s 20 to 50, TCP 0.3 to 5.
func TransportsOf(low, high float64) []string {
	var out []string
	for _, band := range []struct {
		name      string
		low, high float64
	}{
		{CarriedByNVLink, 100e9, math.Inf(1)}, {CarriedByLocal, 10e9, 60e9}, {CarriedByRDMA, 8e9, 50e9}, {CarriedByTCP, 0.3e9, 5e9},
	} {
		if high >= band.low && low <= band.high {
			out = append(out, band.name)
		}
	}
	return out
}

const (
	// fallbackShare of the expected bandwidth, and tcpBandwidth in bytes/s: below both it is TCP.
	fallbackShare = 0.2
	tcpBandwidth  = 5e9
	// fallbackWindows in a row and fallbackTransfers in them make the verdict.
	fallbackWindows   = 3
	fallbackTransfers = 20
	// slowWindows are looked at for a share of transfers that is slow; slowTransfers of them make the verdict.
	slowWindows   = 6
	slowTransfers = 8
	slowShare     = 0.02
	// usualTail is the share of usual transfers beyond which a duration is unusual.
	usualTail = 0.003
	// bucketShare is the most of the slow transfers that one bucket may hold: a stall lasts as long each time, TCP as its bytes ask for.
	bucketShare = 0.7
	// usualWindows is how many windows of durations are remembered as usual, by fading.
	usualFade = 1 - 1.0/120
	// learntWindows are needed before durations count as usual.
	learntWindows = 12
)

// Fallback is whether transfers went over TCP although something better is there.
type Fallback struct {
	Found     bool
	Share     float64 // of the transfers
	Bandwidth float64 // bytes/s of those
}

// FallbackDetector finds transfers that have fallen back to TCP, all or a part of them.
type FallbackDetector struct {
	recent []TransferWindow // slowWindows at most
	usual  Buckets
	learnt int
}

// Add judges the newest window; expected is the bandwidth that there should be, bytes/s, 0 when not known: then only a bandwidth that
// has been seen to be better, that of the model, says so.
func (d *FallbackDetector) Add(w TransferWindow, m TransferModel, expected float64) Fallback {
	if w.Count < 1 || w.Bytes <= 0 {
		return d.verdict(m, expected)
	}
	d.recent = append(d.recent, w)
	if len(d.recent) > slowWindows {
		d.learn(d.recent[0])
		d.recent = append(d.recent[:0], d.recent[1:]...)
	}
	return d.verdict(m, expected)
}

// learn takes a window that is no longer recent as usual, unless it was slow.
func (d *FallbackDetector) learn(w TransferWindow) {
	if d.learnt >= learntWindows {
		if n, _ := d.slow([]TransferWindow{w}); n > slowShare*w.Count {
			return
		}
	}
	for i := range d.usual.Counts {
		d.usual.Counts[i] *= usualFade
	}
	d.usual = d.usual.plus(w.Durations)
	d.learnt++
}

func (d *FallbackDetector) verdict(m TransferModel, expected float64) Fallback {
	if expected <= 0 {
		expected = m.Bandwidth
	}
	if f, found := d.all(m, expected); found {
		return f
	}
	return d.part(m)
}

// all looks whether the last windows were slow as a whole.
func (d *FallbackDetector) all(m TransferModel, expected float64) (Fallback, bool) {
	if len(d.recent) < fallbackWindows || expected <= 0 {
		return Fallback{}, false
	}
	var sum TransferWindow
	for _, w := range d.recent[len(d.recent)-fallbackWindows:] {
		if !(highBandwidth(w, m) < min(fallbackShare*expected, tcpBandwidth)) {
			return Fallback{}, false
		}
		sum.Add(w)
	}
	if sum.Count < fallbackTransfers {
		return Fallback{}, false
	}
	return Fallback{Found: true, Share: 1, Bandwidth: sum.Bytes / sum.Time}, true
}

// highBandwidth is the upper end of the 95 % interval of a window's bandwidth. The fixed part of transfers is taken off, but never more
// than half: on another transport it is another.
func highBandwidth(w TransferWindow, m TransferModel) float64 {
	const deviations, noise = 2, 0.25
	moving := max(w.Time/2, w.Time-m.Base*w.Count)
	return w.Bytes / moving * (1 + deviations*noise/math.Sqrt(w.Count))
}

// part looks for a share of slow transfers whose durations are as various as TCP's.
func (d *FallbackDetector) part(m TransferModel) Fallback {
	if d.learnt < learntWindows {
		return Fallback{}
	}
	n, durations := d.slow(d.recent)
	var count, bytes, time, most float64
	for _, w := range d.recent {
		count += w.Count
		bytes += w.Bytes
	}
	buckets := 0
	for i, c := range durations.Counts {
		if c <= 0 {
			continue
		}
		time += c * durations.middle(i)
		most = max(most, c)
		if c >= n/50 {
			buckets++
		}
	}
	if n < slowTransfers || n < slowShare*count || most > bucketShare*n || buckets < 3 {
		return Fallback{}
	}
	bandwidth := bytes / count / max(time/n-m.Base, time/n/2)
	if bandwidth > tcpBandwidth {
		return Fallback{}
	}
	return Fallback{Found: true, Share: min(1, n/count), Bandwidth: bandwidth}
}

// slow are the transfers of windows that took longer than usual ones do, as durations: the excess over the usual share.
func (d *FallbackDetector) slow(windows []TransferWindow) (n float64, durations Buckets) {
	var usual, beyond float64
	for _, c := range d.usual.Counts {
		usual += c
	}
	first := len(d.usual.Counts)
	for i := len(d.usual.Counts) - 1; i > 0 && beyond+d.usual.Counts[i] <= usualTail*usual; i-- {
		beyond += d.usual.Counts[i]
		first = i
	}
	var count float64
	for _, w := range windows {
		durations = durations.plus(w.Durations)
		count += w.Count
	}
	if usual <= 0 || len(durations.Counts) != len(d.usual.Counts) {
		return 0, Buckets{}
	}
	for i := range durations.Counts {
		if i < first {
			durations.Counts[i] = 0
			continue
		}
		durations.Counts[i] = max(0, durations.Counts[i]-count*d.usual.Counts[i]/usual)
		n += durations.Counts[i]
	}
	return n, durations
}

// middle of a bucket; the last is taken to end at twice its bound.
func (b Buckets) middle(i int) float64 {
	switch {
	case i == 0:
		return b.Bounds[0] / 2
	case i < len(b.Bounds):
		return (b.Bounds[i-1] + b.Bounds[i]) / 2
	}
	return 1.5 * b.Bounds[len(b.Bounds)-1]
}
