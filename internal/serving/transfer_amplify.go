package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// Amplifiers: what makes a delay of a request of a stall of a transfer.
const (
	AmplifierNone    = "none"    // first in, first out: a stall delays by what it lasts
	AmplifierPieces  = "pieces"  // chunks or layers that are sent one after the other
	AmplifierFanOut  = "fan_out" // a request waits for the slowest of its ranks
	AmplifierRetry   = "retry"   // a transfer that took too long is given up and sent again
	AmplifierQueue   = "queue"   // busy links: others wait behind it
	AmplifierUnknown = "unknown" // longer than all these explain
)

// Epoch is how long a link is behind after a stall, s, on average: it makes up for it while it would have been idle, that is at the rate
// 1 - rho, with rho its utilisation. A stall does not wait for an idle moment: what is queued by chance when it comes, service rho / (2 (1 -
// rho)) on average (M/D/1), has to drain first. stall and the service time of a transfer in s.
func Epoch(stall, rho, service float64) float64 {
	rho = min(max(rho, 0), 0.999)
	return (stall + service*rho/(2*(1-rho))) / (1 - rho)
}

// AffectedShare is the share of requests that meet a stall on one of their ranks, when share of the transfers of a rank do.
func AffectedShare(share float64, ranks float64) float64 {
	return 1 - math.Pow(1-min(max(share, 0), 1), max(ranks, 1))
}

// StallEvidence is what was seen before and during stalls. Times in s.
type StallEvidence struct {
	Stall          float64 // length of one stall
	Excess         float64 // by which a rank's transfer took longer, mean
	Ranks          float64 // of a request
	Pieces         float64 // one after the other in a transfer, as configured; 1 or 0 when there is one, or nobody told
	Rho            float64 // utilisation of the links, stalls included
	TransferBefore Buckets // durations of ranks' transfers
	TransferDuring Buckets
	TTFTBefore     Buckets // the decode worker's time to first token
	TTFTDuring     Buckets
	// WaitBefore and WaitDuring are the mean time that requests spent on the decode worker before their first token.
	WaitBefore, WaitDuring float64
	// Failures is by how much the rate of failed transfers or expired leases rose, 1/s.
	Failures float64
}

// Amplification explains what stalls did to requests.
type Amplification struct {
	Factor    float64 // rise of the 99th percentile of time to first token, over the length of a stall
	Rise      float64 // that rise, s
	Transfer  float64 // rise of the 99th percentile of a rank's transfer, s
	Affected  float64 // share of requests
	Unclaimed float64 // rise of the mean wait that neither transfers nor their queue explain, s
	Amplifier string
}

const (
	// amplifiedFrom is the factor from which a stall counts as amplified: a queue alone, first in first out, reaches 6 at a utilisation
	// of 0.8.
	amplifiedFrom = 6
	// manyStalls in one transfer, on average over those that met one, are pieces.
	manyStalls = 1.5
	// rareStall is the share of a rank's transfers with a stall below which it takes the fan-out for many requests to meet one.
	rareStall = 0.02
)

// Amplify names what made the delay.
//
// The candidates leave different marks. Pieces: one rank's transfer meets several stalls, which shows in its own duration. Retry: the
// duration of the attempt that succeeded does not show what came before, so that requests wait longer than transfers and their queue
// explain. Fan-out: few transfers of a rank are hit, n times as many requests. Queue: what is left of a delay on busy links.
func Amplify(e StallEvidence) Amplification {
	out := Amplification{Amplifier: AmplifierNone}
	if !(e.Stall > 0) {
		return out
	}
	out.Rise = max(0, rise99(e.TTFTBefore, e.TTFTDuring))
	out.Transfer = max(0, rise99(e.TransferBefore, e.TransferDuring))
	out.Factor = out.Rise / e.Stall
	perRank := StalledShare(e.TransferBefore, e.TransferDuring) // of ranks' transfers
	if perRank <= 0 {
		perRank = 1 - math.Exp(-e.Excess/e.Stall) // as independent stalls would have it
	}
	out.Affected = AffectedShare(perRank, e.Ranks)
	// A request waits for its slowest rank.
	slowest := e.Excess
	if perRank > 0 {
		slowest = max(e.Excess, min(out.Affected/perRank*e.Excess, out.Transfer+e.Excess))
	}
	queue := slowest * min(max(e.Rho, 0), 0.95) / (1 - min(max(e.Rho, 0), 0.95))
	out.Unclaimed = max(0, e.WaitDuring-e.WaitBefore-slowest-queue)
	stalls := e.Excess / e.Stall / max(perRank, 1e-9) // of a transfer that met one
	switch {
	case out.Unclaimed > 2*e.Stall && out.Unclaimed > 1.5*(slowest+queue) || e.Failures > 0 && out.Unclaimed > e.Stall:
		out.Amplifier = AmplifierRetry
	case stalls > manyStalls || e.Pieces > 1 && out.Transfer > 1.5*e.Stall:
		out.Amplifier = AmplifierPieces
	case e.Ranks > 1 && perRank < rareStall && out.Affected > 1.5*perRank && out.Affected >= 0.005:
		out.Amplifier = AmplifierFanOut
	case out.Factor < amplifiedFrom:
	case e.Rho > 0.5:
		out.Amplifier = AmplifierQueue
	default:
		out.Amplifier = AmplifierUnknown
	}
	return out
}

// rise99 is by how much the 99th percentile rose.
func rise99(before, during Buckets) float64 {
	a, okA := before.Quantile(0.99)
	b, okB := during.Quantile(0.99)
	if !okA || !okB {
		return 0
	}
	return b - a
}

// StalledShare is the share of transfers that a stall has moved to longer durations, from their distributions F before and during: where
// most transfers are shorter than a bound, (F_before - F_during) / F_before there.
func StalledShare(before, during Buckets) float64 {
	n, m := before.count(), during.count()
	if n <= 0 || m <= 0 || len(before.Counts) != len(during.Counts) {
		return 0
	}
	var share, a, b float64
	for i := range before.Bounds {
		a += before.Counts[i] / n
		b += during.Counts[i] / m
		if a >= 0.5 {
			share = max(share, (a-b)/a)
		}
	}
	return share
}

// RareStall is the length of a stall, s, where few transfers meet one: excess is that of the mean transfer. 0 where many do, and some more
// than once.
func RareStall(excess, share float64) float64 {
	const few, rare = 0.002, 0.2
	if share < few || share > rare || excess <= 0 {
		return 0
	}
	return excess / share
}
