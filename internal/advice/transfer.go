package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// transferRules are those on the way of KV from prefill to decode workers. They read what the disaggregation processor says of a fleet.
func transferRules() []Rule {
	inputs := func(more ...string) []string {
		return append([]string{
			signal.TransferBase, signal.TransferBandwidth, signal.TransferBaseRatio, signal.TransferPostRatio, signal.TransferUtilization,
			signal.TransferExposed, signal.TransferFallback, signal.TransferConcurrent, signal.TTFT, signal.Waiting,
		}, more...)
	}
	return []Rule{
		{ID: "tcp-fallback", Subject: Fleet, Check: checkFallback, Measure: meanTransfer, Inputs: inputs(signal.KVTransferTime, signal.KVTransferSize)},
		{ID: "transfer-hiccups", Subject: Fleet, Check: checkHiccups, Inputs: inputs(signal.TransferHiccup, signal.TransferExcess, signal.TransferStall, signal.TransferAmplified)},
		{ID: "transfer-rails", Subject: Fleet, Check: checkRails, Measure: exposedShare, Inputs: inputs()},
		{ID: "transfer-coalesce", Subject: Fleet, Check: checkCoalesce, Measure: meanTransfer, Inputs: inputs(signal.KVTransferTime, signal.KVBlockSize)},
		{ID: "transfer-overlap", Subject: Fleet, Check: checkOverlap, Measure: exposedShare, Inputs: inputs()},
	}
}

const (
	// busyLink is the utilisation of a decode worker's links above which transfers queue for them, baseShare the part of a transfer's time
	// beyond its bytes above which fewer and larger pieces help, and exposedShareLimit the share of time to first token that is worth hiding.
	busyLink          = 0.6
	baseShare         = 0.5
	exposedShareLimit = 0.1
	// scatters is by how much of itself a measured figure moves without anybody having changed anything.
	scatters        = 0.25
	withheldNoMoves = "no_transfers"
)

func exposedShare(r *Reading) (float64, bool) { return r.Level(signal.TransferExposed) }

// meanTransfer is the mean duration of a rank's transfer, s.
func meanTransfer(r *Reading) (float64, bool) {
	d, ok := r.Histogram(signal.KVTransferTime)
	return d.Mean(), ok
}

// checkFallback finds transfers over TCP where something better is there.
func checkFallback(r *Reading) Outcome {
	share, ok := r.Level(signal.TransferFallback)
	if !ok {
		return Withhold(withheldNoMoves)
	}
	if share <= 0 {
		return Nothing()
	}
	f := Finding{
		Severity: Critical, Title: "KV transfers have fallen back to TCP.", Confidence: confidentHigh,
		Evidence: []Quantity{{Name: "Share of transfers over TCP", Value: share, Unit: "1", Metric: signal.TransferFallback}},
		Action: Action{
			Text:   "Let UCX use the RDMA adapters again: look at UCX_TLS and UCX_NET_DEVICES of the engines, the adapters' state and the containers' access to /dev/infiniband.",
			Change: "UCX_TLS=rc,cuda_copy,cuda_ipc,tcp UCX_NET_DEVICES=all",
			Levers: []Lever{{Fact: signal.TransferFallback, Rise: -1, Least: scatters}},
		},
	}
	now, seen := meanTransfer(r)
	size, sized := r.Histogram(signal.KVTransferSize)
	base, known := r.Level(signal.TransferBase)
	bandwidth, fitted := r.Level(signal.TransferBandwidth)
	if seen && sized && known && fitted && bandwidth > 0 {
		to := base + size.Mean()/bandwidth
		f.Evidence = append(f.Evidence, Quantity{Name: "Mean transfer", Value: now, Unit: "s", Metric: signal.KVTransferTime})
		f.Predicted = &Effect{Name: "mean transfer", Unit: "s", From: now, To: to, Low: 0.75 * to, High: 1.25 * to}
	}
	return Found(f)
}

// checkHiccups finds stalls of transfers, and says what makes them longer for requests than they are.
func checkHiccups(r *Reading) Outcome {
	alarm, ok := r.Level(signal.TransferHiccup)
	if !ok {
		return Withhold(withheldNoMoves)
	}
	if alarm < 1 {
		return Nothing()
	}
	excess, _ := r.Level(signal.TransferExcess)
	f := Finding{
		Severity: Warning, Title: "Transfers of KV stall.", Confidence: confidentHigh,
		Evidence: []Quantity{{Name: "Mean excess of a transfer", Value: excess, Unit: "s", Metric: signal.TransferExcess}},
		Action:   Action{Text: "Look at the adapters' errors and at what else uses the links: nixl.rdma.errors and nixl.link.utilization."},
	}
	if stall, ok := r.Level(signal.TransferStall); ok {
		f.Evidence = append(f.Evidence, Quantity{Name: "One stall", Value: stall, Unit: "s", Metric: signal.TransferStall})
	}
	for _, a := range []struct{ name, text string }{
		{serving.AmplifierRetry, "Raise the timeout of a transfer above its stalled duration, or lower the wait before it is sent again."},
		{serving.AmplifierPieces, "Send KV in fewer, larger pieces: each can stall on its own."},
		{serving.AmplifierFanOut, "A request waits for the slowest of its ranks: find the rank that stalls."},
		{serving.AmplifierQueue, "The links are busy, so that a stall holds up those behind it: give them more rails."},
	} {
		if v, ok := r.Level(signal.TransferAmplified, signal.AttrAmplifier, a.name); ok {
			f.Evidence = append(f.Evidence, Quantity{Name: "Rise of TTFT p99 over one stall, by " + a.name, Value: v, Unit: "1", Metric: signal.TransferAmplified})
			f.Action.Text = a.text
		}
	}
	return Found(f)
}

// checkRails finds links so busy that transfers queue for them.
func checkRails(r *Reading) Outcome {
	rho, ok := r.Level(signal.TransferUtilization)
	exposed, seen := exposedShare(r)
	if !ok || !seen {
		return Withhold(withheldNoMoves)
	}
	if !r.Over(rho, busyLink) {
		return Nothing()
	}
	fixed, _ := r.Level(signal.TransferBaseRatio)
	// Twice the rails halve what bytes take, and with it the queue: in M/G/1 a transfer with its wait takes about 1 + rho / (1 - rho)
	// times itself when transfers vary as requests do.
	shorter := fixed + (1-fixed)/2
	waits := func(rho float64) float64 { return 1 + min(rho, 0.9)/(1-min(rho, 0.9)) }
	left := exposed * shorter * waits(rho*shorter) / waits(rho)
	to := left / (1 - exposed + left) // of a time to first token that is shorter as well
	return Found(Finding{
		Severity: Warning, Title: "Transfers queue for busy links.", Confidence: confidentMed,
		Evidence: []Quantity{
			Quantity{Name: "Utilisation of the links", Value: rho, Unit: "1", Metric: signal.TransferUtilization}.Against(busyLink),
			{Name: "Share of TTFT that waits for transfers", Value: exposed, Unit: "1", Metric: signal.TransferExposed},
		},
		Action: Action{
			Text:   "Use twice the rails, a higher tensor-parallel degree for the transfer, or overlap it with the prefill.",
			Change: "UCX_MAX_RMA_RAILS=2", Levers: []Lever{{Fact: signal.TransferBandwidth, Rise: 1, Least: scatters}},
		},
		Predicted: &Effect{Name: "share of TTFT that waits for transfers", Unit: "1", From: exposed, To: to, Low: 0.6 * to, High: 1.4 * to},
	})
}

// checkCoalesce finds transfers that cost more for their number and their descriptors than for their bytes.
func checkCoalesce(r *Reading) Outcome {
	post, posted := r.Level(signal.TransferPostRatio)
	base, based := r.Level(signal.TransferBaseRatio)
	now, seen := meanTransfer(r)
	if !posted && !based || !seen {
		return Withhold(withheldNoMoves)
	}
	// Below a few milliseconds nobody waits for it. The shares are those of ordinary transfers, and so is the time that counts: a few that stall
	// lengthen the mean, and no larger pieces mend them.
	usual := now
	if seconds, ok := r.Level(signal.TransferBase); ok && base > 0 {
		usual = min(usual, seconds/base)
	}
	if share := max(post, base); !r.Over(share, baseShare) || usual < worthCoalescing {
		return Nothing()
	}
	const times = 4 // larger blocks
	low := now * (1 - max(post, base)*(1-1.0/times))
	high := now * (1 - post*(1-1.0/times))
	f := Finding{
		Severity: Warning, Title: "Transfers cost more for their pieces than for their bytes.", Confidence: confidentMed,
		Evidence: []Quantity{
			Quantity{Name: "Share of a transfer spent posting it", Value: post, Unit: "1", Metric: signal.TransferPostRatio}.Against(baseShare),
			Quantity{Name: "Share that does not depend on bytes", Value: base, Unit: "1", Metric: signal.TransferBaseRatio}.Against(baseShare),
			{Name: "Mean transfer", Value: now, Unit: "s", Metric: signal.KVTransferTime},
		},
		Action:    Action{Text: "Use larger KV blocks on both sides, or let the connector coalesce descriptors.", Levers: []Lever{{Fact: signal.KVBlockSize, Rise: 1}}},
		Predicted: &Effect{Name: "mean transfer", Unit: "s", From: now, To: high, Low: 0.8 * low, High: 1.2 * high},
	}
	if ws := r.Workers(); len(ws) > 0 {
		if size, ok := ws[0].Level(signal.KVBlockSize); ok {
			f.Action.Change, f.Action.Where = fmt.Sprintf("--block-size %d", int(size)*times), ws[0].Engine()
		}
	}
	return Found(f)
}

// worthCoalescing is the mean transfer below which its pieces are no reason to change anything, s.
const worthCoalescing = 0.005

// checkOverlap finds requests that wait for KV to arrive and for nothing else.
func checkOverlap(r *Reading) Outcome {
	exposed, ok := exposedShare(r)
	if !ok {
		return Withhold(withheldNoMoves)
	}
	if rho, _ := r.Level(signal.TransferUtilization); !r.Over(exposed, exposedShareLimit) || rho > busyLink {
		return Nothing() // busy links are another rule's
	}
	// Layer by layer, all but the last piece travels while the prompt is computed; Splitwise (arXiv 2311.18677) was left with 5 to 8 ms.
	return Found(Finding{
		Severity: Info, Title: "Requests wait for KV that could travel while the prompt is computed.", Confidence: confidentMed,
		Evidence:  []Quantity{Quantity{Name: "Share of TTFT that waits for transfers", Value: exposed, Unit: "1", Metric: signal.TransferExposed}.Against(exposedShareLimit)},
		Action:    Action{Text: "Transfer layer by layer, overlapped with the prefill, where the connector can.", Levers: []Lever{{Fact: signal.TransferExposed, Rise: -1, Least: scatters}}},
		Predicted: &Effect{Name: "share of TTFT that waits for transfers", Unit: "1", From: exposed, To: 0.05 * exposed, Low: 0, High: 0.4 * exposed},
	})
}
