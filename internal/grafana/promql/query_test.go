package promql

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func scope() Scope {
	return Scope{Vocabulary: NewVocabulary(), Window: "5m", Variables: []Variable{
		{signal.AttrServiceInstanceID, "worker"}, {signal.AttrHostName, "host"},
	}}
}

// The names are those of a real page of the prometheus exporter.
func TestNamesAreThoseOfTheExporters(t *testing.T) {
	v := NewVocabulary()
	for metric, name := range map[string]string{
		signal.Up:                  "up_ratio",
		signal.PhaseWorkerTime:     "llm_phase_worker_time_seconds_total",
		signal.Goodput:             "llm_goodput_per_second",
		signal.PhaseEnergyPerToken: "llm_phase_energy_per_token_joules",
		signal.PhaseCost:           "llm_phase_cost_total",
		signal.HWStatus:            "hw_status",
		signal.HWTemperature:       "hw_temperature_celsius",
		signal.NIXLThroughput:      "nixl_transfer_throughput_bytes_per_second",
		SelfMemory:                 SelfMemory,
	} {
		assert.Equal(t, name, v.Name(metric))
	}
	assert.Equal(t, "gen_ai_request_model", v.Label(signal.AttrModel))
	require.NoError(t, v.Err())
}

func TestEveryMetricHasAName(t *testing.T) {
	v := NewVocabulary()
	seen := map[string]string{}
	for _, m := range signal.All() {
		name := v.Name(m.Name)
		assert.Regexp(t, `^[a-z][a-z0-9_]*$`, name, m.Name)
		assert.Empty(t, seen[name], "%s and %s are both %s", m.Name, seen[name], name)
		seen[name] = m.Name
	}
	require.NoError(t, v.Err())
}

func TestQueries(t *testing.T) {
	s := scope()
	assert.Equal(t, `sum by (llm_phase) (rate(llm_phase_gpu_time_seconds_total{service_instance_id=~"$worker", host_name=~"$host"}[5m]))`,
		s.SumRate(signal.PhaseGPUTime, []string{signal.AttrPhase}))
	assert.Equal(t, `histogram_quantile(0.99, sum by (le) (rate(nixl_transfer_duration_seconds_bucket{host_name=~"$host"}[5m])))`,
		s.Quantile(0.99, signal.NIXLTransferTime, nil), "a transfer has no worker, so the variable does not narrow it")
	assert.Equal(t, `max(hw_status{hw_state="failed", host_name=~"$host"})`, s.Max(signal.HWStatus, nil, Is(signal.AttrHWState, "failed")))
	assert.Equal(t, "{{llm_phase}} of {{host_name}}", s.Legend("{llm.phase} of {host.name}"))
	require.NoError(t, s.Err())
}

func TestMistakesAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		ask  func(Scope)
		want string
	}{
		"a metric that is not there": {func(s Scope) { s.Value("llm.nothing") }, `metric "llm.nothing": not in the vocabulary`},
		"the rate of a gauge":        {func(s Scope) { s.Rate(signal.Goodput) }, `metric "llm.goodput": must be one of ["sum"] here, is a gauge`},
		"the value of a histogram":   {func(s Scope) { s.Value(signal.TTFT) }, "is a histogram"},
		"the quantile of a sum":      {func(s Scope) { s.Quantile(0.5, signal.RequestCount, nil) }, "is a sum"},
		"a label that it never has":  {func(s Scope) { s.Sum(signal.Running, []string{signal.AttrPhase}) }, `metric "llm.engine.requests.running": has no attribute "llm.phase"`},
		"a match that never holds":   {func(s Scope) { s.Value(signal.HWPower, Is(signal.AttrFleetName, "x")) }, `has no attribute "llm.fleet.name"`},
		"a legend that is not whole": {func(s Scope) { s.Legend("{llm.phase") }, "not closed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scope()
			c.ask(s)
			require.ErrorContains(t, s.Err(), c.want)
		})
	}
}
