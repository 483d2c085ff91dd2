package grafana

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// stormAlerts rest on what kv_fragmentation derives.
func stormAlerts(s promql.Scope) []alert.Alert {
	w := by(signal.AttrFleetName, signal.AttrServiceInstanceID)
	of := "{{ $labels." + s.Label(signal.AttrServiceInstanceID) + " }}"
	level := func(metric string, value float64) []alert.Series {
		return []alert.Series{data(s, metric, alert.Steady(value), worker()...)}
	}
	return []alert.Alert{
		{Name: "InferenceKVStorm", Severity: alert.Warning, For: 2 * time.Minute,
			Value: s.Max(signal.KVStorm, w), Condition: "== 1",
			Summary: "Eviction storm in the KV cache of " + of,
			Meaning: "Evictions surge, and what is evicted comes back and evicts something else: hit ratio and latency fall together, and get no better by themselves.",
			Look:    "Dashboard KV cache: since when, and what came in then: long prompts, a new tenant, a router that was restarted and scatters prefixes?",
			Action:  "Limit the concurrency of the traffic that came in, or route by prefix; do not restart workers, empty caches make it worse.",
			Bad:     level(signal.KVStorm, 1), Good: level(signal.KVStorm, 0)},
		{Name: "InferenceKVFragmented", Severity: alert.Info, For: 15 * time.Minute,
			Value: s.Max(signal.KVFragmentation, w), Condition: "> 0.4",
			Summary: "{{ $value | humanizePercentage }} of the KV pool of " + of + " serves no tokens",
			Meaning: "Room that is reserved, pinned, half filled or dead while blocks are short.",
			Look:    "Dashboard KV cache, Pool by use: which of them is it?",
			Action:  "tail_waste: smaller block size. reserved: lower max_model_len, or paged attention. pinned: faster hand-over. cached_dead: another router, or no prefix caching.",
			Bad:     level(signal.KVFragmentation, 0.6), Good: level(signal.KVFragmentation, 0.1)},
	}
}

// splitAlerts rest on what disaggregation derives of a fleet.
func splitAlerts(s promql.Scope) []alert.Alert {
	fleet := by(signal.AttrFleetName)
	of := "fleet {{ $labels." + s.Label(signal.AttrFleetName) + " }}"
	chat := promql.Is(signal.AttrFleetName, "chat")
	seen := func(workers float64) []alert.Series {
		return []alert.Series{data(s, signal.FleetObserved, alert.Steady(workers), chat), data(s, signal.FleetExpected, alert.Steady(8), chat)}
	}
	writer := func(id string) alert.Series {
		return data(s, signal.FleetWriter, alert.Steady(1), chat, promql.Is(signal.AttrFleetWriter, id))
	}
	topology := func(which string) []alert.Series {
		return []alert.Series{data(s, signal.TopologyWorkers, alert.Steady(3), chat, promql.Is(signal.AttrTopology, which), promql.Is(signal.AttrRole, signal.RolePrefill))}
	}
	together := []promql.Match{promql.Is(signal.AttrTopology, signal.TopologyCurrent), promql.Is(signal.AttrRole, signal.RoleAggregated)}
	benefit := func(low float64) []alert.Series {
		return []alert.Series{
			data(s, signal.DisaggregationBenefit, alert.Steady(low), chat, promql.Is(signal.AttrBound, signal.BoundLow)),
			data(s, signal.TopologyWorkers, alert.Steady(4), append([]promql.Match{chat}, together...)...),
		}
	}
	return []alert.Alert{
		{Name: "InferenceFleetIncomplete", Severity: alert.Warning, For: 10 * time.Minute,
			Value: s.Sum(signal.FleetObserved, fleet) + " / " + s.Sum(signal.FleetExpected, fleet), Condition: "< 0.9",
			Summary: "Only {{ $value | humanizePercentage }} of the workers of " + of + " are seen",
			Meaning: "Workers are missing. What speaks of the whole fleet (score, topology) is withheld until they are back.",
			Look:    "InferenceWorkerDown; whether the missing ones are scraped by a collector whose metrics do not come here.",
			Action:  "Bring them back, or lower expected_workers when the fleet was made smaller.",
			Bad:     seen(6), Good: seen(8)},
		{Name: "InferenceFleetHasTwoWriters", Severity: alert.Warning, For: 15 * time.Minute,
			Value: s.Over("count", signal.FleetWriter, s.Value(signal.FleetWriter), fleet...), Condition: "> 1",
			Summary: "{{ $value }} collectors derive what is said of " + of,
			Meaning: "Each has a part of the fleet's workers and judges that part, or all have all of them and say everything twice.",
			Look:    "llm.fleet.writer.id names the collectors; the rest of the series of the fleet alternates between theirs.",
			Action:  "Send a fleet's data to one gateway: balance by llm.fleet.name, and run the disaggregation processor on gateways only.",
			Bad:     []alert.Series{writer("a/disaggregation"), writer("b/disaggregation")}, Good: []alert.Series{writer("a/disaggregation")}},
		{Name: "InferenceSplitLoses", Severity: alert.Info, For: 15 * time.Minute,
			Value: s.Over("min", signal.DisaggregationScore, s.Value(signal.DisaggregationScore), fleet...), Condition: "< 0.7",
			Summary: "The split of " + of + " reaches {{ $value | humanizePercentage }} of the goodput that its GPUs could have",
			Meaning: "Something costs the disaggregated fleet more than three tenths of what it could do.",
			Look:    "Dashboard Disaggregation: the smallest factor of the score says what.",
			Action:  "purity: mend hand-overs. balance: move a worker. transfer, locality: the network. slo: see Phases.",
			Bad:     []alert.Series{data(s, signal.DisaggregationScore, alert.Steady(0.5), chat)},
			Good:    []alert.Series{data(s, signal.DisaggregationScore, alert.Steady(0.9), chat)}},
		{Name: "InferenceTopologyRecommended", Severity: alert.Info, For: 15 * time.Minute,
			Value:     s.Over("count", signal.TopologyWorkers, s.Value(signal.TopologyWorkers, promql.Is(signal.AttrTopology, signal.TopologyRecommended)), fleet...),
			Condition: "> 0", Quiet: "no topology is recommended while none is better enough",
			Summary: "Another split of " + of + " is forecast to serve more",
			Meaning: "For a quarter of an hour another ratio of prefill to decode workers has been better than the present one, by more than the forecast's uncertainty.",
			Look:    "Dashboard Disaggregation: workers as recommended, goodput forecast with its interval.",
			Action:  "Move one worker group, and compare the measured goodput with the forecast before the next.",
			Bad:     topology(signal.TopologyRecommended), Good: topology(signal.TopologyCurrent)},
		{Name: "InferenceSplitWouldPay", Severity: alert.Info, For: 30 * time.Minute,
			Value: "(" + s.Over("min", signal.DisaggregationBenefit, s.Value(signal.DisaggregationBenefit, promql.Is(signal.AttrBound, signal.BoundLow)), fleet...) +
				" and " + s.Over("max", signal.TopologyWorkers, s.Value(signal.TopologyWorkers, together...), fleet...) + ")",
			Condition: "> 1.1", Quiet: "asked only of aggregated fleets that could be split",
			Summary: "Split into prefill and decode, " + of + " would serve {{ $value | humanize }} times as much, or more",
			Meaning: "Even the lower end of the 80 % interval of what disaggregation would bring is well above 1, for the measured workload and these GPUs.",
			Look:    "llm_disaggregation_gate has the verdict with its reason; the collector's page has the forecast by topology.",
			Action:  "Try it on a copy of the traffic, with the topology that the page recommends.",
			Bad:     benefit(1.4), Good: benefit(0.9)},
	}
}

// adviceAlerts pass on what the advice connector holds for urgent.
func adviceAlerts(s promql.Scope) []alert.Alert {
	urgent := promql.Is(signal.AttrAdviceSeverity, string(alert.Critical))
	record := func(share float64) []alert.Series {
		return []alert.Series{data(s, signal.AdviceRecord, alert.Steady(share), promql.Is(signal.AttrFleetName, "chat"), promql.Is(signal.AttrAdviceID, "rebalance"))}
	}
	stands := func(severity string) []alert.Series {
		return []alert.Series{data(s, signal.Advice, alert.Steady(1), promql.Is(signal.AttrFleetName, "chat"), promql.Is(signal.AttrAdviceID, "rebalance"), promql.Is(signal.AttrAdviceSeverity, severity))}
	}
	return []alert.Alert{
		{Name: "InferenceAdviceUrgent", Severity: alert.Warning, For: 5 * time.Minute,
			Value:     s.Max(signal.Advice, by(signal.AttrFleetName, signal.AttrServiceInstanceID, signal.AttrAdviceID), urgent),
			Condition: "== 1", Quiet: "no advice stands while all is well",
			Summary: "Advice {{ $labels." + s.Label(signal.AttrAdviceID) + " }} is urgent for fleet {{ $labels." + s.Label(signal.AttrFleetName) + " }} {{ $labels." + s.Label(signal.AttrServiceInstanceID) + " }}",
			Meaning: "Most requests miss their objective, or work is lost, and the collector knows what would help.",
			Look:    "The collector's page, or the log event llm.advice.raised: evidence, the exact flag, the predicted effect.",
			Action:  "Follow it, or disable the rule for this fleet (disabled of the advice connector) when it does not apply.",
			Bad:     stands("critical"), Good: stands("info")},
		{Name: "InferenceAdviceUnreliable", Severity: alert.Info, For: 30 * time.Minute,
			Value:     s.Over("min", signal.AdviceRecord, s.Value(signal.AdviceRecord), signal.AttrFleetName, signal.AttrAdviceID),
			Condition: "< 0.5", Quiet: "a rule has a record once its advice was followed and measured",
			Summary: "Predictions of rule {{ $labels." + s.Label(signal.AttrAdviceID) + " }} for fleet {{ $labels." + s.Label(signal.AttrFleetName) + " }} come true {{ $value | humanizePercentage }} of the time",
			Meaning: "Where the advice was followed, the observed effect mostly fell outside the stated interval. Something about this fleet is not as the rule assumes.",
			Look:    "The log events of the advice: predicted and observed effect side by side.",
			Action:  "Do not follow this rule here without a trial; disable it (disabled of the advice connector), and report the figures.",
			Bad:     record(0.2), Good: record(0.9)},
	}
}
