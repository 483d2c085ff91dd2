package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// recommendedBar is the goodput of the recommended topology over that of the best, in recommendedShare of the scenarios, and
	// recommendedLeast in all.
	recommendedBar   = 0.98
	recommendedShare = 0.90
	recommendedLeast = 0.94
	// forecastBar and forecastTTFTBar bound the relative errors of the forecast of the current topology, and coverageLow and coverageHigh
	// the share of scenarios whose truth is inside the 80 % interval.
	forecastBar     = 0.10
	forecastTTFTBar = 0.20
	coverageLow     = 0.70
	coverageHigh    = 0.90
	// observed is how long a fleet is watched before it is judged: a recommendation has to last for ten minutes. judged is how long the
	// candidates run.
	observedFor = 15 * time.Minute
	judgedFor   = 10 * time.Minute
)

// trafficShape is a kind of workload; rate is that of one group of the 70B model on H200, at which a balanced fleet is about full.
type trafficShape struct {
	name           string
	prompt, output fleetsim.Lengths
	rate           float64
}

func trafficShapes() []trafficShape {
	return []trafficShape{
		{"chat", fleetsim.Lengths{{0, 100}, {0.5, 1000}, {0.9, 2600}, {1, 4000}}, fleetsim.Lengths{{0, 10}, {0.5, 130}, {0.9, 450}, {1, 1000}}, 6},
		{"documents", fleetsim.Uniform(1500, 5500), fleetsim.Uniform(60, 300), 2.6},
		{"writing", fleetsim.Uniform(100, 900), fleetsim.Uniform(250, 900), 6.5},
		{"even", fleetsim.Uniform(400, 2000), fleetsim.Uniform(100, 700), 5},
	}
}

// servedModel is a deployment, and how many times the rate of the 70B model one group serves.
type servedModel struct {
	deployment
	rate float64
}

func servedModels() []servedModel {
	return []servedModel{
		{deployment{"llama-3-70b", "h200", "bf16", 4}, 1},
		{deployment{"llama-3-70b", "h100", "fp8", 4}, 1.3},
		{deployment{"llama-3-8b", "h100", "bf16", 1}, 2},
	}
}

// splitScenario is a fleet of the generated kind.
type splitScenario struct {
	number  int
	groups  int
	model   servedModel
	traffic trafficShape
	goal    fleetsim.Objectives
	load    float64 // of what a balanced fleet takes
	seed    uint64
	truths  *cachedTruths
}

func (s splitScenario) String() string {
	return fmt.Sprintf("synthetic/%d/%s-%s/%s/%dgroups/x%.2f", s.number, s.model.model, s.model.precision, s.traffic.name, s.groups, s.load)
}

// splitSeed is that of A6 and A8, and the one on which the gate was tuned.
const splitSeed = 6

// splitScenarios generates n of them from a published seed or that of o; those that o does not ask for are left out.
func splitScenarios(o options, generator uint64, n, mostGroups int) ([]splitScenario, error) {
	if o.seed != 0 {
		generator = o.seed
	}
	random := rand.New(rand.NewPCG(2026, generator))
	sizes := []int{4, 6, 8, 12, 16, 24, 32}
	goals := []fleetsim.Objectives{{TTFT: time.Second, ITL: 30 * time.Millisecond}, {TTFT: 2 * time.Second, ITL: 50 * time.Millisecond}}
	truths, err := newCachedTruths(o.truths)
	if err != nil {
		return nil, err
	}
	var out []splitScenario
	for i := range n {
		s := splitScenario{
			number: i, model: servedModels()[i%3], traffic: trafficShapes()[i%4], goal: goals[i/2%2],
			load: 0.75 + 0.3*random.Float64(), seed: 100*(generator-splitSeed+1) + uint64(i), truths: truths,
		}
		for s.groups = mostGroups + 1; s.groups > mostGroups; {
			s.groups = sizes[random.IntN(len(sizes))]
		}
		if o.match == nil || o.match.MatchString(s.String()) {
			out = append(out, s)
		}
	}
	return out, nil
}

// config is the fleet with so many prefill groups; 0 is an aggregated one with that budget.
func (s splitScenario) config(prefill, budget int) fleetsim.Config {
	cfg := fleetsim.DefaultConfig()
	cfg.Seed, cfg.Objectives, cfg.Router = s.seed, s.goal, fleetsim.LeastLoaded
	p := fleetsim.DefaultPool()
	p.Model, p.GPU, p.Precision, p.TensorParallel = s.model.model, s.model.gpu, s.model.precision, s.model.tensorParallel
	p.MaxBatchedTokens = budget
	cfg.Workload = fleetsim.Custom{
		Rate: s.load * s.traffic.rate * s.model.rate * float64(s.groups), CV: 1, Prompt: s.traffic.prompt, Output: s.traffic.output,
	}
	if prefill == 0 {
		p.Workers = s.groups
		cfg.Pools = []fleetsim.Pool{p}
		return cfg
	}
	d := p
	p.Name, p.Role, p.Workers = "prefill", fleetsim.Prefill, prefill
	d.Name, d.Role, d.Workers, d.MaxBatchedTokens = "decode", fleetsim.Decode, s.groups-prefill, 2048
	cfg.Pools = []fleetsim.Pool{p, d}
	return cfg
}

const splitBudget = 8192

// goodput is the simulator's, requests/s.
func (s splitScenario) goodput(cfg fleetsim.Config) (float64, error) {
	return s.truths.goodput(cfg, judgedFor)
}

// recommendation is A6: every fleet starts half and half.
func recommendation(o options, report func(result)) error {
	n, most := 40, 32
	if o.quick {
		n, most = 4, 8
	}
	all, err := splitScenarios(o, splitSeed, n, most)
	if err != nil {
		return err
	}
	n = len(all)
	good, covered, judged, least := 0, 0, 0, 1.0
	for _, s := range all {
		one, err := s.recommend(o)
		if err != nil {
			return err
		}
		report(one.result)
		if one.ratio >= recommendedBar {
			good++
		}
		least = min(least, one.ratio)
		if one.forecast {
			judged++
			if one.covered {
				covered++
			}
			reportTold(report, one)
		}
	}
	report(result{
		name: "A6/recommended/synthetic", value: fmt.Sprintf("%d/%d(least:%.3f)", good, n, least),
		bar:  fmt.Sprintf("%.0f%%(least:%.2f)", 100*recommendedShare, recommendedLeast),
		pass: float64(good) >= recommendedShare*float64(n) && least >= recommendedLeast,
	})
	share := float64(covered) / float64(max(1, judged))
	report(result{
		name: "A6/interval/synthetic", value: fmt.Sprintf("%d/%d", covered, judged), bar: fmt.Sprintf("%.0f..%.0f%%", 100*coverageLow, 100*coverageHigh),
		pass: share >= coverageLow && share <= coverageHigh, told: o.quick,
	})
	return nil
}

// recommended is what came of one fleet.
type recommended struct {
	result
	name              string
	ratio             float64
	forecast, covered bool
	goodput, ttft     [2]float64 // forecast and truth
}

func (s splitScenario) recommend(o options) (recommended, error) {
	start := max(1, s.groups/2)
	fleet, err := fleetsim.New(s.config(start, splitBudget))
	if err != nil {
		return recommended{}, err
	}
	p := fleetPlay{fleet: fleet, interval: 5 * time.Second, duration: observedFor, seed: s.seed}
	said, err := p.play()
	if err != nil {
		return recommended{}, err
	}
	chosen := start
	if x, ok := said.of(signal.TopologyWorkers, signal.TopologyRecommended, signal.RolePrefill); ok {
		chosen = int(x)
	}
	got, err := s.goodput(s.config(chosen, splitBudget))
	if err != nil {
		return recommended{}, err
	}
	prefill, best, err := s.rival(o, chosen)
	if err != nil {
		return recommended{}, err
	}
	out := recommended{name: s.String(), ratio: got / best}
	out.result = result{
		name:  "A6/goodput/" + s.String(),
		value: fmt.Sprintf("%.3f(%dP%dD:%.2f/%dP%dD:%.2f)", got/best, chosen, s.groups-chosen, got, prefill, s.groups-prefill, best),
		bar:   fmt.Sprint(recommendedLeast), pass: got/best >= recommendedLeast,
	}
	return out, s.hold(said, start, &out)
}

// hold holds the forecast of what was recommended, or of the current topology, to the truth.
func (s splitScenario) hold(said fleetReadings, start int, out *recommended) error {
	which, prefill := signal.TopologyCurrent, start
	if x, ok := said.of(signal.TopologyWorkers, signal.TopologyRecommended, signal.RolePrefill); ok {
		which, prefill = signal.TopologyRecommended, int(x)
	}
	mid, ok := said.of(signal.TopologyGoodput, which, signal.BoundMid)
	if !ok {
		return nil
	}
	truth, err := s.truths.running(s.config(prefill, splitBudget), judgedFor)
	if err != nil {
		return err
	}
	out.forecast = true
	out.goodput = [2]float64{mid, truth.Goodput}
	out.ttft = [2]float64{said[key(signal.TopologyTTFT, which, "0.9", signal.BoundMid)], truth.TTFT90}
	low, high := said[key(signal.TopologyGoodput, which, signal.BoundLow)], said[key(signal.TopologyGoodput, which, signal.BoundHigh)]
	out.covered = low <= truth.Goodput && truth.Goodput <= high
	return nil
}

func reportTold(report func(result), one recommended) {
	relative := func(what string, v [2]float64, bar float64) {
		report(result{
			name: "A6/" + what + "/" + one.name, value: fmt.Sprintf("%+.1f%%(%.3g/%.3g)", 100*(v[0]/v[1]-1), v[0], v[1]),
			bar: fmt.Sprintf("%.0f%%", 100*bar), pass: math.Abs(v[0]/v[1]-1) <= bar, told: true,
		})
	}
	relative("forecast-goodput", one.goodput, forecastBar)
	relative("forecast-ttft90", one.ttft, forecastTTFTBar)
}
