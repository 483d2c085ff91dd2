package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	scenarios "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

// sizeBar bounds by how much the size of a predicted effect is off what is observed.
const sizeBar = 0.25

// adviceCase is a fleet with a problem, and the same fleet after the advice was followed.
type adviceCase struct {
	scenario string
	before   []scenarios.Override
	remedy   []scenarios.Override // that follows the advice
	rule     string               // that has to be raised
	verdict  string               // that has to be in force most of the time
	others   []string             // rules that may be raised as well: what they say is true too
	verified bool                 // what was predicted can be verified: a fact shows that the advice was followed
	bursts   bool                 // no capacity that one would buy ends it: nothing is predicted and nothing has to clear
	passes   bool
}

func set(path, value string) scenarios.Override { return scenarios.Override{Path: path, Value: value} }

// apart is the pools of aggregated-mixed with prefill and decode on workers of their own.
const apart = "[{name: prefill, role: prefill, workers: 2, max_num_batched_tokens: 8192}, {name: decode, role: decode, workers: 2}]"

func adviceCases() []adviceCase {
	return []adviceCase{
		{
			// Code traffic comes in bursts: sixteen times the workers still leave requests waiting.
			scenario: "which-side-prefill", rule: "prefill-bound", verdict: "prefill_bound", bursts: true, others: []string{"interference"},
		},
		{
			scenario: "which-side-decode", rule: "decode-bound", verdict: "decode_bound", verified: true,
			remedy: []scenarios.Override{set("pools[0].workers", "3")},
		},
		{
			scenario: "pd-prefill-bound", rule: "prefill-bound", verdict: "prefill_bound", verified: true,
			remedy: []scenarios.Override{set("pools[0].workers", "2"), set("workload.synthetic.load_per_worker", "0.48")},
		},
		{
			scenario: "advice-topology", rule: "prefill-bound", verdict: "prefill_bound", verified: true,
			remedy: []scenarios.Override{set("pools[0].workers", "3")},
		},
		{
			scenario: "pd-decode-bound", rule: "decode-bound", verdict: "decode_bound", verified: true,
			remedy: []scenarios.Override{set("pools[0].workers", "2"), set("pools[1].workers", "2")},
		},
		{
			// No smaller token budget has room for its prompts.
			scenario: "aggregated-mixed", rule: "interference", verdict: "interference", verified: true,
			remedy: []scenarios.Override{set("pools", apart), set("workload.synthetic.load_per_worker", "1.3")},
		},
		{
			scenario: "interference-burst", rule: "decode-stalls", passes: true, others: []string{"prefill-bound", "interference"},
			remedy: []scenarios.Override{set("pools[0].max_num_batched_tokens", "512")},
		},
		{
			scenario: "advice-preemptions", rule: "preemptions", verdict: "decode_bound", others: []string{"decode-bound"}, verified: true,
			// With the prefix cache on, whose absence another rule speaks of.
			before: []scenarios.Override{set("pools[0].prefix_caching", "true")}, remedy: []scenarios.Override{set("pools[0].kv_blocks", "3600")},
		},
	}
}

// healthyFleets are those in which nothing is to be raised.
func healthyFleets() map[string][]scenarios.Override {
	return map[string][]scenarios.Override{
		"pd-balanced":         nil,
		"advice-topology":     {set("pools[0].workers", "3"), set("pools[1].workers", "1")},
		"advice-preemptions":  {set("pools[0].kv_blocks", "4800"), set("pools[0].prefix_caching", "true")},
		"which-side-balanced": {set("workload.synthetic.load_per_worker", "0.5")},
	}
}

// adviceRules is A20 for the rules of phases and interference: the right rule is raised, is cleared once its advice was followed, and the
// effect that it predicted is the one that came. In a healthy fleet nothing is raised.
func adviceRules(o options, report func(result)) error {
	seeds, before, after := 5, 10*time.Minute, 20*time.Minute
	if o.quick {
		seeds, before, after = 1, 5*time.Minute, 10*time.Minute
	}
	for _, c := range adviceCases() {
		for seed := range seeds {
			if err := scoreAdvice(c, fmt.Sprint(seed+1), before, after, report); err != nil {
				return fmt.Errorf("%s: %w", c.scenario, err)
			}
		}
	}
	for name, overrides := range healthyFleets() {
		for seed := range seeds {
			if err := scoreHealthy(name, overrides, fmt.Sprint(seed+1), before+after, report); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func load(name, seed string, overrides []scenarios.Override) (scenarios.Scenario, error) {
	return scenarios.Load(name, scenarios.Options{Overrides: append([]scenarios.Override{set("seed", seed)}, overrides...)})
}

func scoreAdvice(c adviceCase, seed string, before, after time.Duration, report func(result)) error {
	problem, err := load(c.scenario, seed, c.before)
	if err != nil {
		return err
	}
	remedied, err := load(c.scenario, seed, append(c.before, c.remedy...))
	if err != nil {
		return err
	}
	got, err := advise([]stage{{problem, before, c.passes}, {remedied, after, c.passes}})
	if err != nil {
		return err
	}
	name := func(what string) string { return fmt.Sprintf("A20/%s/%s/synthetic/seed%s", what, c.scenario, seed) }
	raised := got.before(before).raised()
	strangers := slices.DeleteFunc(slices.Clone(raised), func(rule string) bool {
		return rule == c.rule || slices.Contains(c.others, rule)
	})
	report(result{
		name: name("raised"), value: orNone(raised), bar: c.rule, pass: slices.Contains(raised, c.rule) && len(strangers) == 0,
	})
	if c.verdict != "" {
		windows := got.before(before).windowsOf(c.verdict)
		report(result{name: name("verdict"), value: fmt.Sprintf("%.0f%%(%s)", 100*windows, c.verdict), bar: "60%", pass: windows >= 0.6})
	}
	if c.bursts {
		report(result{name: name("predictions"), value: fmt.Sprint(got.predictions(c.rule)), bar: "0", pass: got.predictions(c.rule) == 0})
		return nil
	}
	report(result{
		name: name("cleared"), value: fmt.Sprint(got.count(c.rule, "llm.advice.cleared")), bar: "1",
		pass: got.count(c.rule, "llm.advice.cleared") == 1 && got.count(c.rule, "llm.advice.raised") == 1,
	})
	if c.verified {
		reportVerified(got, c.rule, name, report)
	}
	return nil
}

// reportVerified says how the prediction of a rule came out, with the predicted interval and what was observed.
func reportVerified(got told, rule string, name func(string) string, report func(result)) {
	for _, e := range got.events {
		if e.rule != rule || e.name != "llm.advice.verified" {
			continue
		}
		observed, predicted := e.body["observed"].(map[string]any), e.body["predicted"].(map[string]any)
		report(result{
			name: name("verified"), bar: "inside", pass: observed["result"] == "inside",
			value: fmt.Sprintf("%v(%.4g:%.4g..%.4g->%.4g)", observed["result"], predicted["from"], predicted["low"], predicted["high"], observed["value"]),
		})
		from, to, is := predicted["from"].(float64), predicted["to"].(float64), observed["value"].(float64)
		off := (to-from)/(is-from) - 1
		report(result{
			name: name("size"), value: fmt.Sprintf("%+.0f%%(%.4g/%.4g)", 100*off, to-from, is-from), bar: fmt.Sprintf("%.0f%%", 100*sizeBar),
			pass: math.Abs(off) <= sizeBar, // NaN fails
		})
		return
	}
	report(result{name: name("verified"), value: "never", bar: "inside"})
}

func scoreHealthy(name string, overrides []scenarios.Override, seed string, lasts time.Duration, report func(result)) error {
	s, err := load(name, seed, overrides)
	if err != nil {
		return err
	}
	got, err := advise([]stage{{s, lasts, false}})
	if err != nil {
		return err
	}
	raised := got.raised()
	report(result{
		name: fmt.Sprintf("A20/healthy/%s/synthetic/seed%s", name, seed), value: orNone(raised), bar: "none", pass: len(raised) == 0,
	})
	return nil
}

func orNone(rules []string) string {
	if len(rules) == 0 {
		return "none"
	}
	return strings.Join(rules, ",")
}
