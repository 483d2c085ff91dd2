package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

const (
	// sideTogether and sideApart are how many workers and split fleets are scored, a third of each class.
	sideTogether, sideApart = 36, 24
	// sideDraws bounds how many are drawn until each class is full.
	sideDraws             = 600
	sideFor, sideSplitFor = 20 * time.Minute, 8 * time.Minute
	// allMet is the share of the requests that meet both objectives from which on no capacity brings as much as clearGain.
	allMet                     = 0.995
	sideWarmUp, sideSplitBegin = 2 * time.Minute, time.Minute
)

// sideScenarios draws workers and split fleets from a seed until there is the same number of each class, by truth alone.
func sideScenarios(o options, seed uint64) (together []judgedSide, apart []judgedSplit, err error) {
	each, eachSplit := sideTogether/int(classes), sideApart/int(classes)
	if o.quick {
		each, eachSplit = 1, 1
	}
	random := rand.New(rand.NewPCG(seed, 18))
	var found [classes]int
	for i := 0; i < sideDraws && len(together) < each*int(classes); i++ {
		s := drawWorker(i, random)
		truth, err := sideTruthOf(s.fleetConfig(s.setting.workload), 0, 0, sideWarmUp, sideFor)
		if err != nil {
			return nil, nil, err
		}
		if c := truth.class(); found[c] < each {
			s.with = []sources{{}, {facts: true}, {passes: true}}[found[c]%3]
			found[c]++
			together = append(together, judgedSide{s, truth})
		}
	}
	found = [classes]int{}
	for i := 0; i < sideDraws && len(apart) < eachSplit*int(classes); i++ {
		s := drawSplit(i, random)
		truth, err := sideTruthOf(s.config(s.prefill, splitBudget), 0, 1, sideSplitBegin, sideSplitFor)
		if err != nil {
			return nil, nil, err
		}
		if c := truth.class(); found[c] < eachSplit {
			found[c]++
			s.truth = truth
			apart = append(apart, s)
		}
	}
	return together, apart, nil
}

// sideTruth is what a tenth more capacity of either phase brings.
type sideTruth struct {
	gain   float64 // by how much more goodput rises with prefill's than with decode's, as a share of it
	served float64 // share of the finished requests that met both objectives as it is
}

// sideTruthOf runs a fleet as it is, with prefill faster by capacityRise in its pool, and with decode in its own.
func sideTruthOf(cfg fleetsim.Config, prefill, decode int, from, to time.Duration) (truth sideTruth, err error) {
	var met [3]float64
	for i := range met {
		one := cfg
		one.Pools = append([]fleetsim.Pool(nil), cfg.Pools...)
		switch i {
		case 1:
			one.Pools[prefill].PhaseSpeed.Prefill = 1 + capacityRise
		case 2:
			one.Pools[decode].PhaseSpeed.Decode = 1 + capacityRise
		}
		fleet, err := fleetsim.New(one)
		if err != nil {
			return truth, err
		}
		if err := fleet.Advance(from); err != nil {
			return truth, err
		}
		before := fleet.Truth().Goodput
		if err := fleet.Advance(to); err != nil {
			return truth, err
		}
		after := fleet.Truth().Goodput
		met[i] = float64(after.Both - before.Both)
		if err := fleet.Close(); err != nil {
			return truth, err
		}
		if i == 0 {
			truth.served = met[0] / math.Max(1, float64(after.Requests-before.Requests))
		}
		if truth.served > allMet {
			return truth, nil // nothing is left to gain
		}
	}
	truth.gain = (met[1] - met[2]) / math.Max(1, met[0])
	return truth, nil
}

// sideRate is about how many requests/s so many workers of a deployment take, prefill and decode together or each on their own.
func sideRate(d deployment, prompt, output float64, prefill, decode int) float64 {
	prefilled, decoded := 18_000.0, 8_000.0 // tokens/s of a full worker
	if d.model == "llama-3-8b" {
		prefilled, decoded = 40_000, 15_000
	}
	if prefill == 0 {
		return 1 / (prompt/prefilled + output/decoded)
	}
	return min(float64(prefill)*prefilled/prompt, float64(decode)*decoded/output)
}

// sideGoals are objectives from strict to loose.
func sideGoals(random *rand.Rand) fleetsim.Objectives {
	return fleetsim.Objectives{
		TTFT: []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}[random.IntN(3)],
		ITL:  []time.Duration{25 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond}[random.IntN(3)],
	}
}

func sideDeployment(random *rand.Rand) deployment {
	return []deployment{reference(), {"llama-3-70b", "h100", "fp8", 4}, {"llama-3-8b", "h100", "bf16", 1}}[random.IntN(3)]
}

// between draws from low to high, each part of the same ratio as likely.
func between(low, high float64, random *rand.Rand) float64 {
	return low * math.Pow(high/low, random.Float64())
}

// drawWorker is a worker from half empty to overloaded.
func drawWorker(i int, random *rand.Rand) scenario {
	d := sideDeployment(random)
	prompt, output := between(200, 4000, random), between(20, 400, random)
	if random.IntN(2) == 0 { // answers longer than prompts, without which decode rarely limits a worker
		prompt, output = between(30, 500, random), between(200, 1500, random)
	}
	goal, load, cv := sideGoals(random), between(0.5, 1.3, random), between(0.7, 1.5, random)
	return scenario{d, "synthetic", 1, 2048, 5 * time.Second, uint64(i + 1), sideFor, sources{}, setting{
		name: fmt.Sprintf("side%d", i), goal: goal,
		workload: fleetsim.Custom{
			Rate: load * sideRate(d, prompt, output, 0, 0), CV: cv,
			Prompt: fleetsim.Uniform(prompt/2+1, 1.5*prompt+1), Output: fleetsim.Uniform(output/2+1, 1.5*output+1),
		},
	}}
}

// drawSplit is a fleet of a few groups whose sides are rarely in the proportion of the work, with the busier side from half empty to
// overloaded.
func drawSplit(i int, random *rand.Rand) judgedSplit {
	s := judgedSplit{splitScenario: splitScenario{
		number: i, groups: 2 + random.IntN(3), model: servedModel{sideDeployment(random), 1}, goal: sideGoals(random), seed: uint64(500 + i),
	}}
	prompt, output := between(200, 4000, random), between(50, 800, random)
	s.prefill = 1 + random.IntN(s.groups-1)
	s.load = between(0.5, 1.3, random)
	s.traffic = trafficShape{
		"drawn", fleetsim.Uniform(prompt/2+1, 1.5*prompt+1), fleetsim.Uniform(output/2+1, 1.5*output+1),
		sideRate(s.model.deployment, prompt, output, s.prefill, s.groups-s.prefill) / float64(s.groups),
	}
	return s
}
