package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	scenarios "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"
)

// fleetAdvice is a fleet that calls for a rule on transfers or topology; the scenario's own remedy follows it.
type fleetAdvice struct {
	scenario string
	rule     string
	// effect is what the rule predicts, measured in the simulator.
	effect func(fleetsim.Truth) float64
	lasts  time.Duration
	size   bool // the predicted size is held to the truth too
	remedy []scenarios.Override
}

func fleetAdvices() []fleetAdvice {
	exposed := func(t fleetsim.Truth) float64 {
		return t.Transfers.ExposedSeconds / float64(t.Transfers.Fetched) / (t.TTFT.Sum / float64(t.TTFT.Count))
	}
	transfer := func(t fleetsim.Truth) float64 { return t.Transfers.Seconds / float64(t.Transfers.Fetched) }
	goodput := func(t fleetsim.Truth) float64 { return float64(t.Goodput.Both) / t.SimulatedSeconds }
	expired := func(t fleetsim.Truth) float64 { return float64(t.Transfers.ExpiredLeases) }
	return []fleetAdvice{
		{"advice-rails", "transfer-rails", exposed, 5 * time.Minute, true, nil},
		{"advice-coalesce", "transfer-coalesce", transfer, 5 * time.Minute, true, nil},
		{"advice-overlap", "transfer-overlap", exposed, 5 * time.Minute, true, nil},
		{"advice-lease", "kv-lease", expired, 5 * time.Minute, false, nil},
		{"tcp-fallback", "tcp-fallback", transfer, 5 * time.Minute, true, []scenarios.Override{set("faults", "[]")}},
		{"advice-topology", "topology", goodput, 14 * time.Minute, true, nil},
		{"short-prompts-do-not-disaggregate", "do-not-disaggregate", nil, 5 * time.Minute, false, nil},
	}
}

// fleetRules is A20 for the rules on transfers and topology: each is raised where its scenario calls for it, the effect of following it has
// the predicted sign, and its size.
func fleetRules(o options, report func(result)) error {
	for _, c := range fleetAdvices() {
		if o.match != nil && !o.match.MatchString(c.scenario) {
			continue
		}
		if o.quick && c.rule == "topology" {
			continue // it takes a quarter of an hour to be sure
		}
		for seed := range seeds(o) {
			if err := c.score(fmt.Sprint(seed+1), report); err != nil {
				return fmt.Errorf("%s: %w", c.scenario, err)
			}
		}
	}
	return nil
}

func (c fleetAdvice) score(seed string, report func(result)) error {
	problem, err := load(c.scenario, seed, nil)
	if err != nil {
		return err
	}
	got, err := adviseFleet(stage{problem, c.lasts, false})
	if err != nil {
		return err
	}
	name := func(what string) string { return fmt.Sprintf("A20/%s/%s/synthetic/seed%s", what, c.scenario, seed) }
	raised := got.raised()
	report(result{name: name("raised"), value: orNone(raised), bar: c.rule, pass: slices.Contains(raised, c.rule)})
	if c.effect == nil || !slices.Contains(raised, c.rule) {
		return nil
	}
	before, after, err := c.truths(seed)
	if err != nil {
		return err
	}
	for _, e := range got.events {
		if e.rule != c.rule || e.name != "llm.advice.raised" {
			continue
		}
		predicted, ok := e.body["predicted"].(map[string]any)
		if !ok {
			return nil
		}
		from, to := predicted["from"].(float64), predicted["to"].(float64)
		report(result{
			name: name("sign"), value: fmt.Sprintf("%.3g->%.3g(truth:%.3g->%.3g)", from, to, before, after), bar: "same",
			pass: (to-from)*(after-before) > 0,
		})
		if c.size {
			off := (to/from)/(after/before) - 1
			if from < nextToNothing*to && before < nextToNothing*after {
				off = to/after - 1 // a ratio to next to nothing says nothing
			}
			report(result{
				name: name("size"), value: fmt.Sprintf("%+.0f%%", 100*off), bar: fmt.Sprintf("%.0f%%", 100*sizeBar), pass: off >= -sizeBar && off <= sizeBar,
				told: c.rule != "topology",
			})
		}
		return nil
	}
	return nil
}

// nextToNothing is the share of what is left after a remedy below which there was nothing before it.
const nextToNothing = 0.05

// truths are the effect in the fleet as it is and after the remedy, in the simulator.
func (c fleetAdvice) truths(seed string) (before, after float64, err error) {
	run := func(o scenarios.Options) (float64, error) {
		o.Overrides = append(o.Overrides, set("seed", seed))
		s, err := scenarios.Load(c.scenario, o)
		if err != nil {
			return 0, err
		}
		f, err := s.Run(10 * time.Minute)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return c.effect(f.Truth()), nil
	}
	if before, err = run(scenarios.Options{}); err != nil {
		return 0, 0, err
	}
	after, err = run(scenarios.Options{Remedy: c.remedy == nil, Overrides: c.remedy})
	return before, after, err
}

// adviseFleet plays a stage through the disaggregation processor into the advice connector.
func adviseFleet(s stage) (told, error) {
	var t told
	epoch := s.scenario.Fleet.StartTime
	advice, stopAdvice, err := newAdvice(&t, epoch)
	if err != nil {
		return t, err
	}
	defer stopAdvice()
	pipeline, stop, err := disaggregationBefore(advice, s.scenario.Fleet)
	if err != nil {
		return t, err
	}
	defer stop()
	dialects, err := dialect.Load()
	if err != nil {
		return t, err
	}
	return t, playStage(s, epoch, dialects, map[string]*exposition.Book{}, pipeline)
}

func disaggregationBefore(next consumer.Metrics, sim fleetsim.Config) (consumer.Metrics, func(), error) {
	factory := disaggregationprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*disaggregationprocessor.Config)
	cfg.Objectives = objectives.Config{{TTFT: objectives.Bound{Max: sim.Objectives.TTFT}, ITL: objectives.Bound{Max: sim.Objectives.ITL}}}
	cfg.MaxNumBatchedTokens = sim.Pools[0].MaxBatchedTokens
	p, err := factory.CreateMetrics(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, next)
	if err != nil {
		return nil, nil, err
	}
	if err := p.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return nil, nil, err
	}
	return p, func() { _ = p.Shutdown(context.Background()) }, nil
}
