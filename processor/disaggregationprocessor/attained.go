package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
)

// scoredFrom is the share of requests that the ideal must serve in time for there to be a score.
const scoredFrom = 0.05

// score decomposes the loss against the same GPUs without defects, best of which is that topology. attained is the measured goodput, requests/s,
// negative when it is not known. ok is false where the ideal would be overloaded as well.
func score(s *serving.Situation, best serving.Topology, attained float64) (score serving.Score, ok bool) {
	// Most defects are not there, and most sets of them are therefore one situation.
	known := map[rehearsedAs]float64{}
	rehearse := func(d *serving.Situation, t serving.Topology) float64 {
		as := rehearsedAs{t, d.Leak, d.Moves}
		if _, ok := known[as]; !ok {
			r, _ := d.Rehearse(t)
			known[as] = r.Goodput
		}
		return known[as]
	}
	return serving.ScoreOf(func(remaining uint) float64 {
		d := *s
		if remaining>>serving.DefectPurity&1 == 0 {
			d.Leak = serving.Leak{}
		}
		if remaining>>serving.DefectLocality&1 == 0 {
			d.Moves.SlowShare, d.Moves.Slow = 0, 0
		}
		if remaining>>serving.DefectTransfer&1 == 0 {
			d.Moves.Base, d.Moves.PerToken = 0, 0
		}
		goodput := rehearse(&d, s.Current)
		if remaining>>serving.DefectBalance&1 == 0 && best.Groups() > 0 {
			// What is best beside other defects need not be better without them: where all is late, any split is the best.
			goodput = max(goodput, rehearse(&d, best))
		}
		return goodput
	}, attained, scoredFrom*s.Rate)
}

// doubt is the relative half-width of the 80 % interval of the best topology's goodput.
func doubt(best serving.Forecast) float64 {
	return (best.GoodputHigh - best.GoodputLow) / 2 / max(best.Goodput, 1e-9)
}

// balanced is the best split of a fleet without leak and slow paths. best is that of the fleet as it is: where prompts leak, more decode workers make
// up for it, and that the present split is not theirs is the leak's doing and no defect of its own.
func balanced(s *serving.Situation, best serving.Topology) serving.Topology {
	if s.Leak == (serving.Leak{}) && s.Moves.SlowShare == 0 {
		return best
	}
	pure := *s
	pure.Leak, pure.Moves.SlowShare, pure.Moves.Slow = serving.Leak{}, 0, 0
	if found, ok := pure.Best(s.Current.Groups()); ok {
		return pure.Prefer(s.Current, found).Topology
	}
	return best
}

// rehearsedAs is what defects change.
type rehearsedAs struct {
	topology serving.Topology
	leak     serving.Leak
	moves    serving.Moves
}

// attained is the share of the fleet's arriving requests that met both objectives, as measured. Where decode workers compute prompts, paces are
// the requests' mean times between tokens as they are rehearsed; else nil.
func (f *fleet) attained(paces []float64) (float64, bool) {
	p := &f.past
	limit, tpots := f.target.ITL.Max.Seconds(), bucketsOf(p.decode.tpot)
	tpot, ok := serving.ShareWithin(limit, tpots, p.decode.tpot.Sum, serving.SpreadApart)
	if len(paces) > 0 {
		tpot, ok = serving.ShareLike(limit, tpots, p.decode.tpot.Sum, paces)
	}
	if !ok {
		return 0, false
	}
	front := bucketsOf(p.prefill.ttft)
	if by := p.bypassed() * p.decode.ttft.Count; by > 0 {
		if len(front.Counts) == 0 {
			front = serving.Buckets{Bounds: p.decode.ttft.Bounds, Counts: make([]float64, len(p.decode.ttft.Counts))}
		}
		front.Counts = slices.Clone(front.Counts)
		front.Counts[0] += by // these spent no time at a prefill worker
	}
	ttft, ok := serving.SumBelow(f.target.TTFT.Max.Seconds(), front, bucketsOf(p.decode.ttft))
	if !ok {
		return 0, false
	}
	arrived := max(p.prefill.ttft.Count+p.backlog, p.decode.ttft.Count)
	return ttft * tpot * min(1, p.decode.ttft.Count/arrived), true
}

// together is the share of an aggregated fleet's requests that met both objectives, as if the two were independent. paces are the requests'
// mean times between tokens as they are rehearsed.
func (f *fleet) together(paces []float64) (float64, bool) {
	a := &f.past.aggregated
	ttft, _, okT := estimate.ShareBelow(f.target.TTFT.Max.Seconds(), a.ttft.Bounds, a.ttft.Counts)
	tpot, okI := serving.ShareLike(f.target.ITL.Max.Seconds(), bucketsOf(a.tpot), a.tpot.Sum, paces)
	return ttft * tpot, okT && okI
}

// handOver is the mean time to first token of the decode workers, s; negative where it is not known, or has prompts in it that they computed.
func (f *fleet) handOver(s *serving.Situation) float64 {
	if d := &f.past.decode; d.ttft.Count >= minRequests && s.Leak.Tokens <= leakLeast {
		return d.ttft.Sum / d.ttft.Count
	}
	return -1
}

// late is the phase whose workers keep requests waiting for longer, or the transfers between them where links are full and answers, once begun,
// keep their pace: decode workers with too much to do are slow as well.
func (f *fleet) late(s *serving.Situation) string {
	p, d := f.past.prefill.ttft, f.past.decode.ttft
	if p.Count > 0 && d.Count > 0 && p.Sum/p.Count > d.Sum/d.Count && p.Sum/p.Count > f.target.TTFT.Max.Seconds()/2 {
		return serving.SidePrefill
	}
	if t := f.past.decode.tpot; t.Count > 0 && t.Sum/t.Count < f.target.ITL.Max.Seconds() && s.LinksFull() {
		return serving.LateTransfers
	}
	return serving.SideDecode
}

// interference is the share of decode's waiting that prefill causes, by the costs that step counts tell; negative when not known.
func (f *fleet) interference() float64 {
	var sum serving.Interference
	for _, m := range f.ordered {
		sum.Add(m.meddled)
	}
	if sum.Wait <= 0 {
		return -1
	}
	return sum.Lost()
}
