package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// gateBar is the share of each class that the gate must judge right, gateNever the benefit below which it must never recommend.
	gateBar   = 0.90
	gateNever = 0.97
	gateGain  = 1.15
	gateLoss  = 0.95
	// gateEach is how many fleets of each class are drawn, at most gateDraws fleets in all; gateSeed is none of those by which
	// the gate's rules were set (6 to 10).
	gateEach  = 15
	gateDraws = 100
	gateSeed  = 11
	// gateGroups is the most groups of a fleet.
	gateGroups = 8
)

// gates is A7: the verdict on aggregated fleets against the simulator's benefit; labelled afterwards. Fleets are drawn until there are enough of
// both classes.
func gates(o options, report func(result)) error {
	draws, each := gateDraws, gateEach
	if o.quick {
		draws, each = 2, 1
	}
	right, all := map[bool]int{}, map[bool]int{}
	wrong, covered, told := 0, 0, 0
	fleets, err := gateScenarios(o, gateSeed, draws)
	if err != nil {
		return err
	}
	for _, s := range fleets {
		if all[true] >= each && all[false] >= each {
			break
		}
		benefit, err := s.benefit()
		if err != nil {
			return err
		}
		gain, loss := benefit > gateGain, benefit < gateLoss
		if (gain || loss) && all[gain] >= each {
			continue // enough of these
		}
		said, err := s.gate()
		if err != nil {
			return err
		}
		verdict := said.verdict
		if said.known() {
			told++
			if said.holds(benefit) {
				covered++
			}
		}
		if strings.HasPrefix(verdict, signal.GateRecommend) && benefit < gateNever {
			wrong++
		}
		if gain || loss {
			all[gain]++
			if strings.HasPrefix(verdict, map[bool]string{true: signal.GateRecommend, false: signal.GateAgainst}[gain]) {
				right[gain]++
			}
		}
		report(result{
			name: fmt.Sprintf("A7/gate/%s", s), value: fmt.Sprintf("%s(true:%.2f)", said, benefit), bar: "told", told: true,
		})
	}
	for gain, name := range map[bool]string{true: "gain", false: "loss"} {
		report(result{
			name: "A7/right/synthetic/" + name, value: fmt.Sprintf("%d/%d", right[gain], all[gain]), bar: fmt.Sprintf("%.0f%%", 100*gateBar),
			pass: float64(right[gain]) >= gateBar*float64(all[gain]), told: o.quick,
		})
	}
	share := float64(covered) / float64(max(1, told))
	report(result{
		name: "A7/interval/synthetic", value: fmt.Sprintf("%d/%d", covered, told), bar: fmt.Sprintf("%.0f..%.0f%%", 100*coverageLow, 100*coverageHigh),
		pass: share >= coverageLow && share <= coverageHigh, told: o.quick,
	})
	report(result{name: "A7/never-against-the-truth/synthetic", value: fmt.Sprint(wrong), bar: "0", pass: wrong == 0})
	return nil
}

// gateScenarios are aggregated fleets under strict and relaxed objectives. A step of the small model is half as long as one of the large ones, and
// so are its strict objective between tokens and the load at which a relaxed one is a loss higher.
func gateScenarios(o options, seed uint64, n int) ([]splitScenario, error) {
	all, err := splitScenarios(o, seed, n, gateGroups)
	if err != nil {
		return nil, err
	}
	for i := range all {
		s := &all[i]
		small := s.model.model == "llama-3-8b"
		if s.number%2 == 0 { // tight between tokens
			s.goal = fleetsim.Objectives{TTFT: time.Second, ITL: 22 * time.Millisecond}
			s.load *= 0.85
			if small {
				s.goal.ITL = 11 * time.Millisecond
			}
		} else {
			s.goal = fleetsim.Objectives{TTFT: 500 * time.Millisecond, ITL: 100 * time.Millisecond}
			s.load *= 1.25
			if small {
				s.load *= 1.15
			}
		}
	}
	return all, nil
}

// gateSaid is what the gate says of a fleet: the verdict with its reason, and the benefit with its interval, which is all 0 where none is told.
type gateSaid struct {
	verdict        string
	mid, low, high float64
}

func (g gateSaid) known() bool { return g.high > 0 }

func (g gateSaid) holds(benefit float64) bool { return g.low <= benefit && benefit <= g.high }

func (g gateSaid) String() string {
	return fmt.Sprintf("%s:%.2f:%.2f..%.2f", orWhole(g.verdict), g.mid, g.low, g.high)
}

func (s splitScenario) gate() (gateSaid, error) {
	fleet, err := fleetsim.New(s.config(0, 2048))
	if err != nil {
		return gateSaid{}, err
	}
	p := fleetPlay{fleet: fleet, interval: 5 * time.Second, duration: 5 * time.Minute, seed: s.seed}
	said, err := p.play()
	at := func(bound string) float64 { return said[key(signal.DisaggregationBenefit, bound)] }
	verdict := strings.ReplaceAll(said.which(signal.DisaggregationGate), "|", ":")
	return gateSaid{verdict, at(signal.BoundMid), at(signal.BoundLow), at(signal.BoundHigh)}, err
}

// benefit is the goodput of the best split over that of the best aggregated fleet.
func (s splitScenario) benefit() (float64, error) {
	_, split, err := s.best(max(1, s.groups/2), false)
	if err != nil {
		return 0, err
	}
	together := 0.0
	for _, budget := range []int{512, 1024, 2048, 8192} {
		g, err := s.goodput(s.config(0, budget))
		if err != nil {
			return 0, err
		}
		together = max(together, g)
	}
	return split / together, nil
}
