package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestPreemptionsNameTheFlagOfTheEngine(t *testing.T) {
	for engine, change := range map[string]string{
		"vllm": "--max-num-seqs 88", "sglang": "--max-running-requests 88", "tensorrt_llm": "--max_batch_size 88", "unheard-of": "",
	} {
		t.Run(engine, func(t *testing.T) {
			b := newBench(t, testConfig(), schedulingRules()...)
			w := worker("a")
			b.windows(30, func() {
				b.info(w, signal.AttrEngineName, engine, signal.AttrEngineVersion, "1.2.3")
				b.level(w, signal.Running, 100)
				b.count(w, signal.Preemptions, 2)
			})
			require.NotEmpty(t, b.events)
			var raised []Event
			for _, e := range b.events {
				if e.Name == Raised {
					raised = append(raised, e)
				}
			}
			require.Len(t, raised, 1)
			f := raised[0].Finding
			assert.Equal(t, "preemptions", raised[0].Rule)
			assert.Equal(t, change, f.Action.Change)
			assert.Equal(t, engine+" 1.2.3", f.Action.Where)
			assert.InDelta(t, 24, f.Evidence[0].Value, 1e-9, "a minute")
			assert.Equal(t, Critical, f.Severity)
		})
	}
}

func TestAFewPreemptionsAreNoReason(t *testing.T) {
	b := newBench(t, testConfig(), schedulingRules()...)
	w := worker("a")
	b.windows(60, func() {
		b.level(w, signal.Running, 100)
		b.count(w, signal.Preemptions, 0.07)
	})
	assert.Empty(t, b.told("preemptions"))
}
