package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// forecast is what the disaggregation processor says of the fleet "chat" of one prefill and three decode workers.
func forecast(b *bench, recommended bool) {
	f := FleetRef("chat")
	at := func(metric string, v float64, kv ...string) { b.level(f, metric, v, kv...) }
	at(signal.TopologyWorkers, 1, signal.AttrTopology, signal.TopologyCurrent, signal.AttrRole, signal.RolePrefill)
	at(signal.TopologyWorkers, 3, signal.AttrTopology, signal.TopologyCurrent, signal.AttrRole, signal.RoleDecode)
	at(signal.TopologyGoodput, 2, signal.AttrTopology, signal.TopologyCurrent, signal.AttrBound, signal.BoundMid)
	at(signal.DisaggregationGoodput, 2.5)
	at(signal.DisaggregationSide, 1, signal.AttrPhase, signal.PhasePrefill)
	at(signal.TopologyGain, 0, signal.AttrRole, signal.RoleDecode)
	at(signal.EstimateConfidence, 0.9, signal.AttrEstimate, signal.TopologyGoodput, signal.AttrEstimateMethod, "rehearsal")
	if !recommended {
		return
	}
	at(signal.TopologyWorkers, 3, signal.AttrTopology, signal.TopologyRecommended, signal.AttrRole, signal.RolePrefill)
	at(signal.TopologyWorkers, 1, signal.AttrTopology, signal.TopologyRecommended, signal.AttrRole, signal.RoleDecode)
	for bound, v := range map[string]float64{signal.BoundLow: 18, signal.BoundMid: 19, signal.BoundHigh: 20} {
		at(signal.TopologyGoodput, v, signal.AttrTopology, signal.TopologyRecommended, signal.AttrBound, bound)
	}
}

func alive(b *bench) {
	for _, name := range []string{"p0", "d0"} {
		b.level(worker(name), signal.Running, 5)
		b.histogram(worker(name), signal.TTFT, 0.3, 50)
	}
}

func TestTopologyIsToldWithItsForecast(t *testing.T) {
	b := newBench(t, testConfig(), topologyRules()...)
	b.windows(20, func() { alive(b); forecast(b, true) })
	var f *Finding
	for _, e := range b.events {
		if e.Rule == "topology" && e.Name == Raised {
			f = &e.Finding
		}
	}
	require.NotNil(t, f)
	assert.Equal(t, "1P3D -> 3P1D", f.Action.Change)
	assert.Contains(t, f.Action.Text, "More decode workers alone would not help.")
	assert.Equal(t, Critical, f.Severity)
	require.NotNil(t, f.Predicted)
	assert.Equal(t, []float64{2.5, 19, 18, 20}, []float64{f.Predicted.From, f.Predicted.To, f.Predicted.Low, f.Predicted.High})
	assert.InDelta(t, 0.9, f.Confidence, 1e-9)
}

// One change is asked for, whoever asks: what is short is added as the recommended split has it, once there is one.
func TestRulesAskForOneChange(t *testing.T) {
	b := newBench(t, testConfig(), Rules()...)
	said := func() map[string]string {
		changes := map[string]string{}
		for _, e := range b.events {
			if e.Name == Raised || e.Name == Updated {
				changes[e.Rule] = e.Finding.Action.Change
			}
		}
		return changes
	}
	fleet := func() {
		b.show(worker("p0"), seen{role: "prefill", ttft: 3, running: 5, waiting: 9})
		for _, name := range []string{"d0", "d1", "d2"} {
			b.show(worker(name), seen{role: "decode", ttft: 0.03, itl: 0.015, running: 5})
		}
	}
	b.windows(24, func() { fleet(); forecast(b, false) })
	require.Equal(t, "1P3D -> 2P2D", said()["prefill-bound"])
	b.windows(24, func() { fleet(); forecast(b, true) })
	assert.Equal(t, "1P3D -> 3P1D", said()["topology"])
	assert.Equal(t, "1P3D -> 3P1D", said()["prefill-bound"])
}

func TestNothingRecommendedIsNothingToSay(t *testing.T) {
	b := newBench(t, testConfig(), topologyRules()...)
	b.windows(20, func() { alive(b); forecast(b, false) })
	assert.Empty(t, b.told("topology"))
}

// Whether to split a fleet is one recommendation and not two: what a split would bring is the benefit, while goodput at a demand that is met
// hardly rises.
func TestAnAggregatedFleetIsToldToSplitOnce(t *testing.T) {
	b := newBench(t, testConfig(), topologyRules()...)
	b.windows(20, func() {
		alive(b)
		at := func(metric string, v float64, kv ...string) { b.level(FleetRef("chat"), metric, v, kv...) }
		at(signal.TopologyWorkers, 4, signal.AttrTopology, signal.TopologyCurrent, signal.AttrRole, signal.RoleAggregated)
		at(signal.TopologyWorkers, 3, signal.AttrTopology, signal.TopologyRecommended, signal.AttrRole, signal.RolePrefill)
		at(signal.TopologyWorkers, 1, signal.AttrTopology, signal.TopologyRecommended, signal.AttrRole, signal.RoleDecode)
		at(signal.TopologyGoodput, 25.6, signal.AttrTopology, signal.TopologyCurrent, signal.AttrBound, signal.BoundMid)
		at(signal.TopologyGoodput, 25.7, signal.AttrTopology, signal.TopologyRecommended, signal.AttrBound, signal.BoundMid)
		at(signal.DisaggregationGate, 1, signal.AttrGate, signal.GateRecommend, signal.AttrGateWhy, "benefit")
		for _, estimate := range []string{signal.TopologyGoodput, signal.DisaggregationBenefit} {
			at(signal.EstimateConfidence, 0.9, signal.AttrEstimate, estimate, signal.AttrEstimateMethod, "rehearsal")
		}
	})
	changes := map[string]string{}
	for _, e := range b.events {
		if e.Name == Raised {
			changes[e.Rule] = e.Finding.Action.Change
		}
	}
	assert.Equal(t, map[string]string{"disaggregate": "4 aggregated -> 3P1D"}, changes)
}

func TestASplitFleetThatShouldNotBe(t *testing.T) {
	b := newBench(t, testConfig(), topologyRules()...)
	b.windows(20, func() {
		alive(b)
		forecast(b, false)
		b.level(FleetRef("chat"), signal.DisaggregationGate, 1, signal.AttrGate, signal.GateAgainst, signal.AttrGateWhy, "short_prompts")
	})
	assert.Equal(t, []EventName{Raised}, b.told("do-not-disaggregate"))
}

func TestAFallbackToTCPComesBeforeServingTogether(t *testing.T) {
	b := newBench(t, testConfig(), append(topologyRules(), transferRules()...)...)
	b.windows(20, func() {
		alive(b)
		forecast(b, false)
		b.level(FleetRef("chat"), signal.TransferFallback, 1)
		b.level(FleetRef("chat"), signal.DisaggregationGate, 1, signal.AttrGate, signal.GateAgainst, signal.AttrGateWhy, "slow_transfer")
	})
	var raised []string
	for _, e := range b.events {
		if e.Name == Raised {
			raised = append(raised, e.Rule)
		}
	}
	assert.Equal(t, []string{"tcp-fallback"}, raised)
}

func TestTransferRules(t *testing.T) {
	for rule, say := range map[string]func(*bench, func(string, float64, ...string)){
		"tcp-fallback":     func(_ *bench, at func(string, float64, ...string)) { at(signal.TransferFallback, 1) },
		"transfer-hiccups": func(_ *bench, at func(string, float64, ...string)) { at(signal.TransferHiccup, 1) },
		"transfer-rails": func(_ *bench, at func(string, float64, ...string)) {
			at(signal.TransferUtilization, 0.8)
			at(signal.TransferExposed, 0.3)
		},
		"transfer-overlap": func(_ *bench, at func(string, float64, ...string)) {
			at(signal.TransferUtilization, 0.2)
			at(signal.TransferExposed, 0.3)
		},
		"transfer-coalesce": func(b *bench, at func(string, float64, ...string)) {
			at(signal.TransferPostRatio, 0.8)
			b.histogram(worker("d0"), signal.KVTransferTime, 0.03, 50)
		},
	} {
		t.Run(rule, func(t *testing.T) {
			b := newBench(t, testConfig(), transferRules()...)
			b.windows(20, func() {
				alive(b)
				say(b, func(metric string, v float64, kv ...string) { b.level(FleetRef("chat"), metric, v, kv...) })
			})
			raised := map[string]bool{}
			for _, e := range b.events {
				if e.Name == Raised {
					raised[e.Rule] = true
				}
			}
			assert.Equal(t, map[string]bool{rule: true}, raised)
		})
	}
}

// Ordinary transfers of 3 ms, half of it fixed, are not worth larger pieces because stalls of others lift the mean to 10 ms.
func TestStalledTransfersAreNotToBeCoalesced(t *testing.T) {
	b := newBench(t, testConfig(), transferRules()...)
	b.windows(20, func() {
		alive(b)
		b.level(FleetRef("chat"), signal.TransferBase, 0.0016)
		b.level(FleetRef("chat"), signal.TransferBaseRatio, 0.55)
		b.level(FleetRef("chat"), signal.TransferHiccup, 1)
		b.histogram(worker("d0"), signal.KVTransferTime, 0.01, 50)
	})
	var raised []string
	for _, e := range b.events {
		raised = append(raised, e.Rule)
	}
	assert.Contains(t, raised, "transfer-hiccups")
	assert.NotContains(t, raised, "transfer-coalesce")
}

func TestHealthyTransfersRaiseNothing(t *testing.T) {
	b := newBench(t, testConfig(), transferRules()...)
	b.windows(40, func() {
		alive(b)
		for metric, v := range map[string]float64{
			signal.TransferFallback: 0, signal.TransferHiccup: 0, signal.TransferUtilization: 0.1, signal.TransferExposed: 0.02,
			signal.TransferBaseRatio: 0.4, signal.TransferPostRatio: 0.3,
		} {
			b.level(FleetRef("chat"), metric, v)
		}
		b.count(worker("p0"), signal.KVTransferFailures, 0, signal.AttrFailure, signal.FailureExpired)
	})
	for _, e := range b.events {
		assert.Empty(t, e.Rule)
	}
}
