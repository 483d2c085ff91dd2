package phaseattributionprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// longPrompts is a window of 5 s of a worker that 5.6 prompts/s of 2,500 tokens keep as busy as it can be.
func longPrompts(i int) (window.Window, division) {
	from := int64(i) * 5 * second
	v := func(sum, count float64, bounds, counts []float64) window.Value {
		return window.Value{Sum: sum, Count: count, Bounds: bounds, Counts: counts}
	}
	w := window.Window{From: from, To: from + 5*second, Totals: make([]window.Value, inputCounters), Levels: make([]window.Level, inputGauges)}
	w.Totals[inTTFT] = v(15, 28, []float64{0.25, 0.5, 1}, []float64{8, 12, 5, 3})
	w.Totals[inTPOT] = v(28*0.045, 28, []float64{0.05, 0.1}, []float64{20, 8, 0})
	w.Totals[inITL] = v(28*29*0.045, 28*29, []float64{0.05, 0.1}, []float64{500, 312, 0})
	w.Totals[inPromptLength] = v(28*2500, 28, []float64{1250, 3750}, []float64{0, 28, 0})
	w.Totals[inOutputLength] = v(28*30, 28, []float64{15, 45}, []float64{0, 28, 0})
	w.Levels[inKVCapacity] = window.Level{Seen: true, Mean: 1e6}
	return w, division{
		split: serving.Split{Method: serving.MethodForwardPasses}, tokens: 28 * 2500,
		steps: serving.Costs{Step: 0.012, Sequence: 5e-5, Context: 2e-8, PrefillStep: 0.006, Row: 6e-5, MixedContext: 2e-8}.PerStep(),
	}
}

func target() objectives.InForce {
	return objectives.InForce{TTFT: objectives.Bound{Quantile: 0.9, Max: 500 * time.Millisecond}, ITL: objectives.Bound{Quantile: 0.9, Max: 50 * time.Millisecond}}
}

func TestSidesNameThePhaseThatMoreCapacityHelps(t *testing.T) {
	s := newSides(createDefaultConfig().(*Config))
	var last window.Window
	for i := range 130 {
		w, d := longPrompts(i)
		s.add(w, &d)
		last = w
	}
	b := balance{method: methodObjective}
	s.weigh(&b, 130, last.To, target())
	assert.Empty(t, b.untold)
	assert.Equal(t, serving.MethodRehearsedGain, b.method)
	assert.Greater(t, b.Imbalance, serving.BalancedBand)
	assert.Positive(t, b.Confidence)
	sure := b.Confidence
	s.weigh(&b, 60, last.To, target())
	assert.LessOrEqual(t, b.Confidence, min(sure, justBelowHigh), "a worker that was watched for five minutes only")
}

func TestSidesRehearseWhenItIsTimeAndSomethingMoved(t *testing.T) {
	s := newSides(createDefaultConfig().(*Config))
	at := func(i int) int64 {
		w, d := longPrompts(i)
		s.add(w, &d)
		_, why := s.leverage(w.To, target())
		if i > 10 {
			require.Empty(t, why)
		}
		return s.rehearsed
	}
	first := int64(0)
	for i := range 120 {
		at(i)
	}
	first = s.rehearsed
	for i := 120; i < 120+12*4; i++ {
		at(i)
	}
	assert.LessOrEqual(t, time.Duration(s.rehearsed-first), sideLasts, "nothing moved")
	before := s.rehearsed
	for i := 168; i < 168+60; i++ {
		at(i)
	}
	assert.Greater(t, s.rehearsed, before, "what came of it does not last for ever")
}

func TestSidesSayWhyNot(t *testing.T) {
	for why, change := range map[string]func(*window.Window, *division){
		withheldNoCosts:     func(_ *window.Window, d *division) { d.split.Withheld = serving.WithheldConstantLoad },
		withheldNoLengths:   func(w *window.Window, _ *division) { w.Totals[inOutputLength] = window.Value{} },
		withheldFewRequests: func(w *window.Window, _ *division) { w.Totals[inOutputLength].Count = 0.1 },
	} {
		t.Run(why, func(t *testing.T) {
			s := newSides(createDefaultConfig().(*Config))
			var last window.Window
			for i := range 20 {
				w, d := longPrompts(i)
				change(&w, &d)
				s.add(w, &d)
				last = w
			}
			b := balance{Balance: serving.Balance{Imbalance: -1, Confidence: 0.4}, method: methodObjective}
			s.weigh(&b, 20, last.To, target())
			assert.Equal(t, why, b.untold)
			assert.Equal(t, -1.0, b.Imbalance, "the pressures stand")
			assert.Equal(t, methodObjective, b.method)
		})
	}
}

func TestAnObjectiveInsideABucketIsReadNoBetterThanTheBucket(t *testing.T) {
	v := window.Value{Bounds: []float64{0.025, 0.05}, Counts: []float64{0, 10, 0}}
	share, deviation := below(0.04, v)
	assert.InDelta(t, 0.6, share, 1e-9)
	assert.InDelta(t, 0.2887, deviation, 1e-3)
	share, deviation = below(0.05, v)
	assert.Equal(t, [2]float64{1, 0}, [2]float64{share, deviation})
	_, deviation = below(1, v)
	assert.Zero(t, deviation, "nothing is above the last bound")
}

func TestSidesForgetCosts(t *testing.T) {
	s := newSides(createDefaultConfig().(*Config))
	for i := range 20 {
		w, d := longPrompts(i)
		s.add(w, &d)
	}
	s.forget()
	_, why := s.leverage(100*second, target())
	assert.Equal(t, withheldNoCosts, why)
}

func TestTheImbalanceSaysWhatItRestsOn(t *testing.T) {
	for lengths, method := range map[bool]string{true: serving.MethodRehearsedGain, false: methodObjective} {
		sink := new(consumertest.MetricsSink)
		p, c := newTestProcessor(t, createDefaultConfig().(*Config), sink)
		e := newEngine("a:8000", 1_700_000_000*second)
		e.lengths, e.passes = lengths, true
		play(t, p, c, 40, 5*time.Second, e)
		_, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimateMethod, method)
		assert.True(t, ok, method)
		withheld, ok := last(sink, signal.EstimateWithheld, signal.AttrReason, withheldNoLengths)
		assert.Equal(t, !lengths, ok && withheld.IntValue() > 0)
		dp, ok := last(sink, signal.EstimateConfidence, signal.AttrEstimate, signal.EstimateSide)
		assert.Equal(t, lengths, ok)
		if ok {
			assert.Less(t, dp.DoubleValue(), 0.8, "an implied objective is never HIGH")
		}
	}
}
