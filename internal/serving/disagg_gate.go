package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "math"

// Verdicts of a gate.
const (
	GateRecommend = "recommend"
	GateNeutral   = "neutral"
	GateAgainst   = "against"
)

// Reasons of a gate's verdict.
const (
	GateByBenefit     = "benefit"
	GateFewGroups     = "few_groups"      // fewer than three worker groups
	GateSlowTransfer  = "slow_transfer"   // the transfer alone takes a third of the objective
	GateShortPrompts  = "short_prompts"   // short prompts, and tokens may be late
	GateCached        = "cached"          // four fifths of the prompt tokens are in a cache
	GateInterference  = "no_interference" // prefill hardly delays decode, nothing is to be gained
	GateWholeGroups   = "whole_groups"    // the best split of whole groups loses more than splitting gains
	GateLightLoad     = "light_load"      // either way nearly every request is served in time
	GateOtherSplit    = "other_split"     // either way nearly every one could be, and is not: the present split is not the best
	GateNotRehearsed  = "not_rehearsed"
	minGateGroups     = 3
	shortPrompt       = 512 // tokens
	relaxedITL        = 2   // times the time of a step that decodes as much as there is
	transferShare     = 0.3 // of the TTFT objective
	cachedShare       = 0.8
	leastInterference = 0.05
	gateHigh, gateLow = 1.10, 0.95
	gateEven          = 1.05 // benefit that is none
	objectionHolds    = 1.05 // benefit below which an objection decides
	gateWorth         = 4    // times as much must be gained in the draws in which splitting is better as is lost in the others
	inTimeEitherWay   = 0.95 // share of requests in time from which on a load is light
)

// Gate says whether splitting a fleet is worth a trial.
type Gate struct {
	Verdict, Reason string
	Benefit         float64 // goodput of the best split over that of the best aggregated fleet
	Low, High       float64 // its 80 % interval; 0 and 0 where nothing was rehearsed, 0 and infinite where too little was
	scatter         float64 // what of it the draws make
	Split           Topology
	Budget          float64 // of the best aggregated fleet
	Together        Rehearsal
	Apart           Rehearsal
}

// aggregatedBudgets are the token budgets that are tried for an aggregated fleet.
func aggregatedBudgets(current float64) []float64 {
	all := []float64{512, 1024, 2048, 8192}
	for _, b := range all {
		if b == current {
			return all
		}
	}
	return append(all, current)
}

// Judge rehearses both ways. interference is the share of decode's waiting that prefill causes, negative when not known.
//
// A trial is recommended when it is worth it (outlook.worth), and advised against when less than 0.95 is expected over what might be true, and the
// benefit itself is below that too or several times as much is to be lost as to be won. Reasons that speak against it by themselves decide where the
// benefit is below 1.05; a slow path alone turns a recommendation around.
func (s *Situation) Judge(interference float64) Gate {
	groups := s.Current.Groups()
	g := Gate{Verdict: GateNeutral, Reason: GateByBenefit}
	if groups < minGateGroups {
		g.Verdict, g.Reason = GateAgainst, GateFewGroups
		return g
	}
	best, ok := s.Best(groups)
	if !ok || !s.together(&g, groups) {
		g.Reason = GateNotRehearsed
		return g
	}
	g.Split, g.Apart = best.Topology, best.Rehearsal
	g.Benefit = quotient(best.Goodput, g.Together.Goodput)
	if measured := s.Measured; measured > 0 && s.Current.Aggregated > 0 {
		g.Benefit = quotient(best.Goodput, s.togetherMeasured(&g))
	}
	look := s.outlook(&g)
	switch {
	case look.worth():
		g.Verdict = GateRecommend
	case look.expected < gateLow && (g.Benefit < gateLow || look.loss >= gateWorth*look.gain):
		g.Verdict = GateAgainst
	case min(best.Attained, s.togetherAttained(&g)) > inTimeEitherWay:
		g.Reason = GateLightLoad
		if s.Current.Split() && s.currentAttained() <= inTimeEitherWay {
			g.Reason = GateOtherSplit
		}
	}
	if why := s.objection(&g, interference); why != "" {
		switch {
		case g.Verdict == GateRecommend && why == GateSlowTransfer, g.Verdict == GateNeutral && g.Benefit < objectionHolds:
			g.Verdict, g.Reason = GateAgainst, why
		case g.Verdict == GateAgainst:
			g.Reason = why
		}
	}
	return g
}

// together finds the best aggregated fleet.
func (s *Situation) together(g *Gate, groups int) bool {
	found := false
	for _, budget := range aggregatedBudgets(s.Budget) {
		d := *s
		d.Budget = budget
		r, ok := d.Rehearse(Topology{Aggregated: groups})
		if ok && (!found || r.Goodput > g.Together.Goodput*(1+balanceTolerance)) {
			g.Together, g.Budget, found = r, budget, true
		}
	}
	return found
}

// togetherMeasured is the goodput of the best aggregated fleet: that of the present one as measured, times what another budget gains. Costs
// are fitted to steps of the present budget, and steps of another one are rehearsed to gain about twice as much as they do: the root of the
// gain is believed.
func (s *Situation) togetherMeasured(g *Gate) float64 {
	r, ok := s.Rehearse(s.Current)
	if !ok || r.Goodput <= 0 || g.Budget == s.Budget {
		return s.Measured
	}
	return min(s.Rate, s.Measured*math.Sqrt(max(1, g.Together.Goodput/r.Goodput)))
}

// togetherAttained is the share of requests in time on the best aggregated fleet, as measured where it was.
func (s *Situation) togetherAttained(g *Gate) float64 {
	if s.Measured > 0 && s.Current.Aggregated > 0 {
		return s.togetherMeasured(g) / s.Rate
	}
	return g.Together.Attained
}

// currentAttained is the share of requests that the present topology serves in time, as measured where it was.
func (s *Situation) currentAttained() float64 {
	if s.Measured > 0 {
		return s.Measured / s.Rate
	}
	r, _ := s.Rehearse(s.Current)
	return r.Attained
}

// near is the best of a split and its neighbours: a trial that is off by a group is set right.
func (s *Situation) near(t Topology) (best Rehearsal, ok bool) {
	for _, d := range []int{0, -1, 1} {
		if ok && best.Attained > 1-balanceTolerance {
			break // there is nothing better
		}
		r, played := s.Rehearse(Topology{Prefill: t.Prefill + d, Decode: t.Decode - d})
		if played && (!ok || r.Goodput > best.Goodput) {
			best, ok = r, true
		}
	}
	return best, ok
}

// objection is a reason against splitting that holds by itself.
func (s *Situation) objection(g *Gate, interference float64) string {
	prompt := s.Prompt.Mean * (1 - s.Hit)
	step := s.Cost.Decode
	switch {
	case s.TTFT > 0 && s.Moves.seconds(s.Prompt.Mean, false) > transferShare*s.TTFT:
		return GateSlowTransfer
	case prompt < shortPrompt && s.ITL > relaxedITL*step:
		return GateShortPrompts
	case s.Hit > cachedShare:
		return GateCached
	case interference >= 0 && interference < leastInterference:
		return GateInterference
	case g.Benefit < 1-s.goodputNoise(g) && s.wholeGroupLoss(g) > max(0, g.Benefit-1):
		return GateWholeGroups
	}
	return ""
}

// goodputNoise is what a ratio of rehearsed goodputs scatters by.
func (s *Situation) goodputNoise(g *Gate) float64 { return max(balanceTolerance, g.scatter/4) }

// wholeGroupLoss is what is lost because groups cannot be divided: 1 less the rate of the split over that of the continuous optimum.
func (s *Situation) wholeGroupLoss(g *Gate) float64 {
	prefill, decode := s.Rates()
	if !(prefill > 0 && decode > 0) {
		return 0
	}
	whole := min(float64(g.Split.Prefill)*prefill, float64(g.Split.Decode)*decode)
	continuous := float64(g.Split.Groups()) * prefill * decode / (prefill + decode)
	return 1 - whole/continuous
}

// quotient of goodputs; two that are both nothing are equal.
func quotient(a, b float64) float64 {
	const nothing = 1e-6
	return (a + nothing) / (b + nothing)
}
