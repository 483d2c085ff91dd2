package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// overrun reports whether more requests wait for a decode worker than it has running. Their KV is kept at the prefill workers, which stall
// when they have no room for more: a prompt's time there is then no cost of it, and first tokens come in bursts that are none of arrivals.
func overrun(win window.Window) bool {
	waiting, running := win.Levels[inWaiting], win.Levels[inRunning]
	return waiting.Seen && running.Seen && waiting.Mean > running.Mean
}

// learn takes a worker's window into the fleet's fits and sums.
func (f *fleet) learn(m *member, r role, win window.Window) {
	f.past.of(r).add(win)
	if r != roleDecode {
		f.past.backlog += m.backlog(win)
	}
	at := func(input int) window.Value { return win.Totals[input] }
	switch r {
	case rolePrefill:
		if _, known := f.prefill.Line(0); known && f.held {
			break
		}
		f.prefill.Add(serving.PrefillWindow{
			Requests: at(inPrefillTime).Count, Time: at(inPrefillTime).Sum, StepTokens: bucketsOf(at(inStepTokens)),
			Tokens: at(inStepTokens).Sum, Steps: prefillSteps(win),
		})
	case roleDecode:
		if n := at(inStepCountDecode).Sum; n > 0 {
			f.decode.Add(at(inStepTimeDecode).Sum*at(inStepSequences).Sum/n, at(inStepSequences).Sum, n, 0)
		} else {
			f.decode.Add(at(inITL).Sum, at(inITL).Count, at(inStepTokens).Count, at(inLocal).Sum)
		}
	case roleAggregated:
		m.divide(win, f.cfg, &f.past.aggregated)
	}
	if r != rolePrefill {
		if m.transfers == nil {
			m.transfers = newObserver()
		}
		m.transfers.expired += at(inMoveExpired).Sum
		m.transfers.see(moves(win), f.expectedRate(m.id.Host), at(inTTFT), at(inMoveFailed).Sum+at(inMoveExpired).Sum)
	} else {
		f.pooled.expired += at(inMoveExpired).Sum
	}
}

// count notes how many requests arrived in a window, for how they scatter: those that got their first token and by how much more wait. Prefill
// workers that decode workers hold up answer in bursts.
func (f *fleet) count(arrived float64) {
	if arrived > 0 || f.past.counts[0] > 0 {
		f.past.counts[0]++
		f.past.counts[1] += arrived
		f.past.counts[2] += arrived * arrived
	}
}

// pool learns from all transfers of the fleet; hops is the number of requests that decode workers began.
func (f *fleet) pool(sum serving.TransferWindow, hops, seconds float64) {
	sum.Elapsed = seconds
	f.pooled.see(sum, f.expectedRate(""), window.Value{}, 0)
	f.past.moves.Count += sum.Count
	f.past.moves.Time += sum.Time
	f.past.moves.Bytes += sum.Bytes
	if hops >= 1 && sum.Count > 0 {
		if n := sum.Count / hops; f.ranks == 0 {
			f.ranks = n
		} else {
			f.ranks += 0.1 * (n - f.ranks)
		}
	}
}

// expectedRate is what one rank's link should carry, bytes/s; 0 when nobody knows.
func (f *fleet) expectedRate(host string) float64 {
	if f.cfg.Transfer.LinkRate > 0 {
		return f.cfg.Transfer.LinkRate
	}
	if host != "" {
		return f.rates(host)
	}
	return 0
}
