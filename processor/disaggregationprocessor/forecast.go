package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// Reasons for which nothing is said of a fleet, besides those of internal/serving.
const (
	withheldCoverage = "coverage"      // too few of its workers were seen
	withheldRoles    = "roles_unknown" // not every worker's role is known
	withheldMixed    = "mixed_roles"   // it has aggregated workers beside the others
	withheldOneSided = "one_sided"     // one of the two roles is missing
)

// forecast is the last evaluation of a fleet.
type forecast struct {
	withheld string // reason; empty when there is one
	current  serving.Forecast
	best     serving.Forecast
	stands   bool // the best one is recommended
	score    serving.Score
	factored bool    // the score's factors are known
	scoreWhy string  // why the score itself is not
	doubt    float64 // relative half-width of the interval of the best topology's goodput
	leak     float64
	paces    []float64 // as attained takes them
	together float64   // goodput of an aggregated fleet as measured, requests/s
	measured bool      // that is known
	side     serving.Bottleneck
	sided    bool
	gate     serving.Gate
	gated    bool
	surety   float64
	spread   float64 // relative, of a forecast
}

// gateEvery is after how many evaluations of a split fleet it is asked again whether to split.
const gateEvery = 5

// evaluate scores the fleet and rehearses its topologies, when it is time.
func (f *fleet) evaluate(now int64) {
	t := f.topology()
	due := f.turn(now, t)
	s, why := f.situation(t)
	f.unknown = why
	switch {
	case !due:
	case why != "":
		f.forecast, f.rehearsed = forecast{}, rehearsed{}
	case f.rehearsed.holds(f, s):
		f.again(now, s)
	default:
		f.rehearsed = rehearsed{}
		f.forecast = f.consider(now, s)
	}
}

// situation is what is known of the fleet, or why that is not enough.
func (f *fleet) situation(t serving.Topology) (*serving.Situation, string) {
	observed, expected := f.coverage()
	switch {
	case float64(observed) < f.cfg.MinCoverage*float64(expected):
		return nil, withheldCoverage
	case t.Groups() < len(f.members):
		return nil, withheldRoles
	case t.Aggregated > 0 && t.Prefill+t.Decode > 0:
		return nil, withheldMixed
	case t.Aggregated == 0 && !t.Split():
		return nil, withheldOneSided
	}
	s := &serving.Situation{Current: t, Limits: serving.Limits{TTFT: f.target.TTFT.Max.Seconds(), ITL: f.target.ITL.Max.Seconds()}}
	s.Budget, s.Sequences, s.KVTokens = float64(f.cfg.MaxNumBatchedTokens), float64(f.cfg.MaxNumSeqs), f.kvCapacity()
	if !f.costs(s) || !f.workload(s) {
		return nil, serving.WithheldWarmUp
	}
	f.hops(s)
	return s, ""
}

// costs fills in what steps cost.
func (f *fleet) costs(s *serving.Situation) bool {
	if s.Current.Aggregated > 0 {
		return f.aggregatedCosts(s)
	}
	d, okD := f.decode.Line()
	p, okP := f.prefill.Line(d.Base)
	if in := f.past.decode.input; !okP && okD && in.Count >= minRequests { // all prompts are computed where they are decoded
		p, okP = f.decode.Prompt(in.Sum / in.Count)
	}
	if !okP || !okD {
		return false
	}
	s.Cost = serving.JoinCosts(p, d)
	s.Spreads.Prefill, s.Spreads.Decode = math.Hypot(p.Spread, costError), math.Hypot(d.Spread, costError)
	s.Spreads.DecodeSlope, s.Spreads.DecodeBatch = d.SlopeSpread, d.Mean
	return true
}

const (
	// costError is the standard deviation of the relative error of a phase's cost that data does not remove: step costs are not linear.
	costError = 0.03
	// aggregatedPrefillError and aggregatedDecodeError are the same where the costs of both phases are told apart by step counts: of the prompt,
	// and what comes to the spread that the fit has of the decode step of the usual batch (docs/disaggregation.md).
	aggregatedPrefillError, aggregatedDecodeError = 0.04, 0.005
)

// aggregatedCosts is the mean of the costs that step counts tell of aggregated workers.
func (f *fleet) aggregatedCosts(s *serving.Situation) bool {
	var sum serving.StepCost
	var n, batch, variance float64
	for _, m := range f.ordered {
		if m.costs.Token <= 0 {
			continue
		}
		n++
		batch += m.batch
		variance += m.spread * m.spread
		sum.Decode += m.costs.Decode
		sum.Sequence += m.costs.Sequence
		sum.Prefill += m.costs.Prefill
		sum.Token += m.costs.Token
		sum.MixedSequence += m.costs.MixedSequence
	}
	if n == 0 {
		return false
	}
	s.Cost = serving.StepCost{
		Decode: sum.Decode / n, Sequence: sum.Sequence / n, Prefill: sum.Prefill / n, Token: sum.Token / n, MixedSequence: sum.MixedSequence / n,
	}
	s.Spreads.Prefill, s.Spreads.Decode = aggregatedPrefillError, math.Hypot(math.Sqrt(variance)/n, aggregatedDecodeError)
	s.Spreads.DecodeBatch = batch / n
	s.Spreads.DecodeSlope = s.Cost.SlopeSpread(batch / n)
	return true
}

// workload fills in what the fleet is asked to do.
func (f *fleet) workload(s *serving.Situation) bool {
	p := &f.past
	back := &p.decode
	front := &p.prefill
	if s.Current.Aggregated > 0 {
		front, back = &p.aggregated, &p.aggregated
	}
	if p.seconds < 1 || back.input.Count < minRequests || back.output.Count < minRequests {
		return false
	}
	arrived := max(front.ttft.Count+p.backlog, back.ttft.Count)
	s.Rate = arrived / p.seconds
	s.Dispersion = p.dispersion()
	s.Prompt, s.Output = lengthsOf(back.input), lengthsOf(back.output)
	if sum := front.hit + front.local; sum > 0 {
		s.Hit = min(0.99, front.hit/sum)
	}
	s.Spreads.Prompt, s.Spreads.Output = meanError(back.input), meanError(back.output)
	s.Spreads.Rate, s.Spreads.Dispersion = math.Sqrt(s.Dispersion/max(1, arrived)), math.Sqrt(2/max(2, p.counts[0]))
	return s.Rate > 0
}

// minRequests is how many finished requests a workload must be known by.
const minRequests = 100

// meanError is the relative standard error of a histogram's mean.
func meanError(v window.Value) float64 {
	p50, _, ok := estimate.Quantile(0.5, v.Bounds, v.Counts)
	p84, _, _ := estimate.Quantile(0.84, v.Bounds, v.Counts)
	if !ok || v.Sum <= 0 || v.Count < 1 {
		return 0.1
	}
	return max(0.2, (p84-p50)/(v.Sum/v.Count)) / math.Sqrt(v.Count)
}

// hops fills in what handing over costs and what decode workers compute of prompts.
func (f *fleet) hops(s *serving.Situation) {
	c := f.cfg.Transfer
	s.Moves = serving.Moves{Base: assumedBase, PerToken: c.AssumedTokenBytes / c.AssumedBandwidth}
	d := &f.past.decode
	if s.Current.Aggregated > 0 {
		return
	}
	if sum := f.past.prefill.local + d.local; sum > 0 {
		s.Leak = serving.Leak{Tokens: min(1, d.local/sum), Requests: f.past.bypassed()}
	}
	m := f.pooled.model
	if m.MeanTime <= 0 || d.fetched <= 0 || f.past.moves.Count <= 0 {
		return
	}
	slowest := serving.SlowestOf(f.ranks)
	tokenBytes := f.past.moves.Bytes / d.fetched / max(1, f.ranks)
	if m.Bandwidth > 0 && f.pooled.withheld == "" {
		s.Moves = serving.Moves{Base: m.Base * slowest, PerToken: tokenBytes / m.Bandwidth * slowest}
	} else {
		s.Moves = serving.Moves{Base: m.MeanTime * slowest}
	}
	if tcp := f.pooled.tcp; tcp.Found && tcp.Bandwidth > 0 {
		s.Moves.SlowShare, s.Moves.Slow = tcp.Share, tokenBytes/tcp.Bandwidth
	} else if paths, ok := serving.PathsOf(f.pooled.requests.usual.durations, bucketsOf(d.input)); ok {
		s.Moves = serving.Moves{PerToken: paths.Ordinary / s.Prompt.Mean * slowest, SlowShare: paths.SlowShare, Slow: paths.Slow / s.Prompt.Mean}
	}
}

// assumedBase is the fixed part of a transfer where there has been none, s: what NIXL over RDMA takes to post and complete.
const assumedBase = 2e-3

// kvCapacity is the mean of the workers that decode, tokens.
func (f *fleet) kvCapacity() float64 {
	var sum, n float64
	for _, m := range f.ordered {
		if r := m.role(); m.kv > 0 && (r == roleDecode || r == roleAggregated) {
			sum += m.kv
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

// consider makes an evaluation.
func (f *fleet) consider(now int64, s *serving.Situation) (next forecast) {
	next.leak = s.Leak.Tokens
	next.spread = math.Hypot(s.Spreads.Prefill, s.Spreads.Decode)
	kept := s.Kept()
	if s.Current.Aggregated > 0 {
		f.considerAggregated(s, kept, &next)
		return next
	}
	attained := -1.0
	if s.Leak.Requests > 0 {
		next.paces = s.Paces()
	}
	s.HandOver(f.handOver(s))
	share, measured := f.attained(next.paces)
	f.rehearsed = rehearsed{inputs: kept, paces: next.paces, share: share, measured: measured}
	if measured {
		attained = share * s.Rate
		f.record.See(now, s.Current, s.Rate, share*s.Rate)
		s.Calibrate(share, f.late(s))
		s.Measured = share * s.Rate
	}
	r, ok := s.Rehearse(s.Current)
	if !ok {
		next.withheld = serving.WithheldBadInput
		return next
	}
	draws := s.Draw()
	next.current, _ = draws.WithInterval(serving.Forecast{Topology: s.Current, Rehearsal: r}, 1)
	f.record.Claim(now, next.current, s.Rate)
	if best, ok := s.Best(s.Current.Groups()); ok {
		candidate, going := f.adviser.Candidate()
		if going {
			best = s.Prefer(candidate, best)
		}
		next.best = next.current
		if best.Topology != s.Current {
			best = draws.Safest(best)
			next.best, next.surety = draws.WithInterval(best, serving.AdviceGain())
			if going {
				next.best, next.surety = draws.Surer(next.best, next.surety, candidate)
			}
		}
		next.stands = f.advise(now, s.Current, &next)
	}
	rate(s, &next, attained)
	// Whether to split at all is no question of the minute.
	if next.gate, next.gated = f.forecast.gate, f.forecast.gated; !next.gated || f.ungated >= gateEvery {
		next.gate, next.gated = s.Judge(-1), true
		f.ungated = 0
	}
	f.ungated++
	next.side, next.sided = s.Bottleneck()
	return next
}

// rate adds the score to an evaluation, or why there is none. What is lost to which defect can be told where how much is lost cannot.
func rate(s *serving.Situation, next *forecast, attained float64) {
	score, ok := score(s, balanced(s, next.best.Topology), attained)
	if !ok {
		next.scoreWhy = serving.WithheldOverload
		return
	}
	next.score, next.factored, next.doubt = score, true, doubt(next.best)
	if attained >= 0 { // no ideal serves more than all requests in time
		next.doubt = min(next.doubt, (1-min(1, attained/s.Rate))/2)
	}
	if next.doubt > maxScoreHalfWidth {
		next.scoreWhy = serving.WithheldUncertain
	}
}

// recommended is the forecast of the topology that is recommended; ok is false where none is, or nothing can be said of the last window.
func (f *fleet) recommended() (serving.Forecast, bool) {
	n := &f.forecast
	return n.best, n.stands && f.unknown == "" && n.withheld == "" && n.current.Groups() > 0
}
