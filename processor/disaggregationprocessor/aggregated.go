package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// considerAggregated makes the evaluation of a fleet of aggregated workers: whether to split them.
func (f *fleet) considerAggregated(s *serving.Situation, kept *serving.Situation, next *forecast) {
	paces := s.Paces()
	share, ok := f.together(paces)
	if ok {
		s.Measured = share * s.Rate
		next.together, next.measured = s.Measured, true
	}
	f.rehearsed = rehearsed{inputs: kept, paces: paces, share: share, measured: ok}
	next.gate, next.gated = s.Judge(f.interference()), true
	if r, ok := s.Rehearse(s.Current); ok {
		draws := s.Draw()
		next.current, _ = draws.WithInterval(serving.Forecast{Topology: s.Current, Rehearsal: r}, 1)
		if next.gate.Verdict == serving.GateRecommend {
			next.best, _ = draws.WithInterval(serving.Forecast{Topology: next.gate.Split, Rehearsal: next.gate.Apart}, 1)
			next.stands = true
		}
	}
}
