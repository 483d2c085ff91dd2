package inferencedashboardexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// served is a worker that counts, with a load of 10 requests and an imbalance of 0.5 at confidence 0.9.
func served(change ...func(*workerFacts)) workerFacts {
	w := workerFacts{
		state: stateOK, role: "aggregated", load: some(10), waiting: some(0), samples: some(50), tokens: some(900), kv: some(0.5),
		imbalance: some(0.5), confidence: some(0.9), ttft: latencyLimit(0.812, 0.5), itl: latencyLimit(0.03, 0.05),
	}
	for _, c := range change {
		c(&w)
	}
	return w
}

func latencyLimit(value, objective float64) limit {
	l := limit{at: percentile.Estimate{Value: value}, known: true, objective: some(objective), quantile: 0.9, implied: true}
	if value > objective {
		l.above = some(0.4)
	}
	return l
}

func of(ws ...workerFacts) fleetFacts {
	f := fleetFacts{ttft: latencyLimit(0.812, 0.5), itl: latencyLimit(0.03, 0.05), observed: time.Hour}
	for _, w := range ws {
		f.add(w)
	}
	return f
}

func imbalance(v, confidence float64) func(*workerFacts) {
	return func(w *workerFacts) { w.imbalance, w.confidence = some(v), some(confidence) }
}

func unestimated(w *workerFacts) { w.imbalance, w.confidence = number{}, number{} }
func down(w *workerFacts)        { w.state = stateDown }
func stale(w *workerFacts)       { w.state = stateStale }
func idle(w *workerFacts)        { w.load, w.samples, w.tokens = some(0), some(0), some(0); unestimated(w) }
func role(r string, prefill, decode number) func(*workerFacts) {
	return func(w *workerFacts) { w.role, w.prefill, w.decode = r, prefill, decode }
}

func TestVerdict(t *testing.T) {
	meets := func(w *workerFacts) { w.ttft = latencyLimit(0.4, 0.5) }
	tests := map[string]struct {
		facts      fleetFacts
		code       code
		standing   standing
		confidence string
		says       string
		also       []string
		waitsFor   string
	}{
		"prefill-bound": {
			facts: of(served(), served(), served(), served(meets)), code: codePrefillBound, standing: standingFinal, confidence: "HIGH",
			says: "Prefill-bound. 3 of 4 workers miss the TTFT objective: p90 812 ms against 500 ms (implied).",
		},
		"decode-bound, one worker": {
			facts: func() fleetFacts {
				f := of(served(imbalance(-0.4, 0.6), func(w *workerFacts) { w.itl = latencyLimit(0.078, 0.05) }))
				f.itl = latencyLimit(0.078, 0.05)
				return f
			}(), code: codeDecodeBound, standing: standingFinal, confidence: "MED",
			says: "Decode-bound. The worker misses the ITL objective: p90 78 ms against 50 ms (implied).",
		},
		"a fleet that misses nothing is on target": {
			facts: func() fleetFacts {
				f := of(served(meets), served(meets))
				f.ttft = latencyLimit(0.4, 0.5)
				return f
			}(), code: codeBalanced, standing: standingFinal, confidence: "HIGH",
			says: "On target. Objectives are met: TTFT p90 400 ms against 500 ms (implied), ITL p90 30 ms against 50 ms (implied).",
		},
		"well within every limit nothing is held back": {
			facts: func() fleetFacts {
				f := of(served(imbalance(-0.9, 0.7)))
				f.ttft, f.itl = latencyLimit(0.042, 0.5), latencyLimit(0.0097, 0.05)
				return f
			}(), code: codeBalanced, standing: standingFinal, confidence: "MED",
			says: "On target. Objectives are met: TTFT p90 42 ms against 500 ms (implied), ITL p90 9.7 ms against 50 ms (implied).",
		},
		"a full KV cache is no target met": {
			facts: func() fleetFacts {
				f := of(served(imbalance(-0.9, 0.7), func(w *workerFacts) { w.kv = some(0.93) }))
				f.ttft, f.itl = latencyLimit(0.042, 0.5), latencyLimit(0.0097, 0.05)
				return f
			}(), code: codeDecodeBound, standing: standingFinal, confidence: "MED",
			says: "Decode-bound. No worker misses the ITL objective yet: p90 9.7 ms against 50 ms (implied).",
		},
		"the edge of the band is balanced": {
			facts: of(served(imbalance(0.2, 0.9))), code: codeBalanced, standing: standingFinal, confidence: "HIGH",
			says: "Balanced. One objective is missed: TTFT p90 812 ms against 500 ms (implied), ITL p90 30 ms against 50 ms (implied).",
		},
		"load weighs": {
			facts: of(served(imbalance(0.5, 0.9)), served(imbalance(-1, 0.9), func(w *workerFacts) { w.load = some(1) })),
			code:  codePrefillBound, standing: standingFinal, confidence: "HIGH",
			says: "Prefill-bound. 2 of 2 workers miss the TTFT objective: p90 812 ms against 500 ms (implied).",
		},
		"a worker without an estimate costs confidence": {
			facts: of(served(), served(unestimated)), code: codePrefillBound, standing: standingFinal, confidence: "LOW",
			says: "Prefill-bound. 2 of 2 workers miss the TTFT objective: p90 812 ms against 500 ms (implied).",
			also: []string{"1 of 2 workers has no estimate."},
		},
		"down outweighs a smaller loss": {
			facts: of(served(), served(down)), code: codeWorkersDown, standing: standingFinal, confidence: "HIGH",
			says: "1 of 2 workers is down. ", also: []string{"Prefill-bound."},
		},
		"a larger loss outweighs down": {
			facts: of(served(), served(), served(), served(), served(down)), code: codePrefillBound, standing: standingFinal, confidence: "HIGH",
			says: "Prefill-bound. 4 of 4 workers miss the TTFT objective: p90 812 ms against 500 ms (implied).",
			also: []string{"1 of 5 workers is down."},
		},
		"the only worker is down": {
			facts: of(served(down)), code: codeWorkersDown, standing: standingFinal, confidence: "HIGH", says: "The worker is down. ",
		},
		"stale workers do not count": {
			facts: of(served(), served(imbalance(-3, 1), stale)), code: codePrefillBound, standing: standingFinal, confidence: "HIGH",
			says: "Prefill-bound. The worker misses the TTFT objective: p90 812 ms against 500 ms (implied).",
			also: []string{"1 of 2 workers is silent and not counted."},
		},
		"all stale": {
			facts: of(served(stale), served(stale)), code: codeUnknown, standing: standingPreliminary,
			says: "No data. All 2 workers have fallen silent.",
		},
		"idle": {
			facts: of(served(idle), served(idle)), code: codeIdle, standing: standingFinal, confidence: "HIGH",
			says: "Idle. No requests in the last minute.",
		},
		"idle at first": {
			facts: func() fleetFacts { f := of(served(idle)); f.observed = 12 * time.Second; return f }(),
			code:  codeIdle, standing: standingPreliminary, confidence: "LOW",
			says: "Idle. No requests in the first 12 s.", waitsFor: "a full minute of data, 48 s more",
		},
		"an engine that tells no load is not idle": {
			facts: of(served(idle, func(w *workerFacts) { w.load = number{} })), code: codePrefillBound, standing: standingPreliminary,
			confidence: "LOW", says: "Prefill-bound. The worker misses the TTFT objective: p90 812 ms against 500 ms (implied).",
			waitsFor: "phase estimates. None has arrived: is phase_attribution in the pipeline before inference_dashboard?",
		},
		"withheld": {
			facts: of(served(unestimated, func(w *workerFacts) { w.withheld = "too_few_requests" })), code: codeUnknown,
			standing: standingWithheld, says: "Withheld. No phase estimate: too few requests.",
		},
		"a young estimate is preliminary and LOW": {
			facts: func() fleetFacts { f := of(served()); f.observed = 20 * time.Second; return f }(),
			code:  codePrefillBound, standing: standingPreliminary, confidence: "LOW",
			says:     "Prefill-bound. The worker misses the TTFT objective: p90 812 ms against 500 ms (implied).",
			waitsFor: "a full minute of data, 40 s more",
		},
		"from latencies alone": {
			facts: func() fleetFacts { f := of(served(unestimated)); f.observed = 8 * time.Second; return f }(),
			code:  codePrefillBound, standing: standingPreliminary, confidence: "LOW",
			says:     "Prefill-bound. The worker misses the TTFT objective: p90 812 ms against 500 ms (implied).",
			waitsFor: "the first phase estimates",
		},
		"from queues alone": {
			facts: fleetFacts{observed: 8 * time.Second, counted: []workerFacts{
				{state: stateOK, load: some(20), waiting: some(4), kv: some(0.95)},
			}},
			code: codeDecodeBound, standing: standingPreliminary, confidence: "LOW",
			says:     "Decode-bound. The objectives are not known yet; this is read from where requests wait.",
			waitsFor: "the first phase estimates",
		},
		"nothing to go by": {
			facts: fleetFacts{observed: 8 * time.Second, counted: []workerFacts{{state: stateOK, load: some(20), waiting: some(0)}}},
			code:  codeUnknown, standing: standingPreliminary, says: "Too early to tell. 1 worker reports, none with an estimate yet.",
			waitsFor: "the first phase estimates",
		},
		"pools with roles of their own": {
			facts: of(
				served(role("prefill", some(2), number{}), imbalance(3, 0.9)),
				served(role("decode", number{}, some(1)), imbalance(-3, 0.9)),
			),
			code: codePrefillBound, standing: standingFinal, confidence: "HIGH",
			says: "Prefill-bound. 2 of 2 workers miss the TTFT objective: p90 812 ms against 500 ms (implied).",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cs, b := judge(tt.facts)
			words := word(cs, b, tt.facts)
			assert.Equal(t, tt.code, cs[0].code)
			assert.Equal(t, tt.standing, standingOf(cs[0], b, tt.facts))
			assert.Equal(t, tt.says, words.title+" "+words.detail)
			assert.Equal(t, tt.waitsFor, words.waitsFor)
			if tt.also == nil {
				tt.also = []string{}
			}
			assert.Equal(t, tt.also, words.also)
			if tt.confidence != "" {
				assert.Equal(t, tt.confidence, confidenceWord(cs[0].confidence))
			}
		})
	}
}

func TestVerdictIsNeverMoreCertainThanItsEstimates(t *testing.T) {
	_, b := judge(of(served(imbalance(0.5, 0.4)), served(imbalance(0.9, 0.7)), served(unestimated)))
	assert.LessOrEqual(t, b.confidence, 0.7)
	assert.InDelta(t, (0.4+0.7+0)/3, b.confidence, 1e-9)
}

func TestMissed(t *testing.T) {
	over := latencyLimit(10, 0.5)
	over.at.Over = true
	missed, decided := over.missed()
	assert.True(t, missed && decided, "above the last bound, which is above the objective")
	over = latencyLimit(0.1, 0.5)
	over.at.Over = true
	_, decided = over.missed()
	assert.False(t, decided, "above the last bound, which is below the objective")
}

func TestWords(t *testing.T) {
	for v, want := range map[float64]string{0: "0 µs", 0.0000123: "12.3 µs", 0.0781: "78.1 ms", 0.8124: "812 ms", 0.99999: "1 s", 1.2345: "1.23 s", 123.4: "123 s"} {
		assert.Equal(t, want, words.Seconds(v))
	}
	assert.Equal(t, "p90", words.Quantile(0.9))
	assert.Equal(t, "p99.9", words.Quantile(0.999))
	l := latencyLimit(10, 0.5)
	l.at.Over, l.implied = true, false
	assert.Equal(t, "TTFT p90 above 10 s against 500 ms", against("TTFT", l))
	assert.Equal(t, "p90 above 10 s against 500 ms", against("", l))
}

func TestFigureRounding(t *testing.T) {
	assert.Equal(t, 0.8124, round(0.81239))
	assert.Equal(t, 1234000.0, round(1234400))
	assert.Equal(t, 0.0, round(0))
	assert.Equal(t, 5e-320, round(5e-320), "too small to scale")
}

func TestDirectionDoesNotSendTheReaderToTheWrongSide(t *testing.T) {
	f := of(served())
	f.itl = latencyLimit(0.08, 0.05)
	b := balance{imbalance: some(-0.7)}
	f.counted[0].seconds = [4]float64{5, 55, 0, 0}
	assert.Equal(t, "The pressure on decode is 2 times that on prefill. Relief has to come from the decode side.",
		direction(codeDecodeBound, b, f))
	b.basis = basisWorkers
	assert.Equal(t, "More capacity for decode would bring more than for prefill. Relief has to come from the decode side.",
		direction(codeDecodeBound, b, f), "the imbalance of workers is no ratio of pressures")
	f.counted[0].seconds = [4]float64{28, 32, 0, 0}
	assert.Contains(t, direction(codeDecodeBound, b, f), "Prefill takes 47 % of the busy time")
	f.itl = latencyLimit(0.04, 0.05)
	assert.Contains(t, direction(codeDecodeBound, b, f), "decode side", "no objective is missed, so mixing costs none")
}

func TestDirectionWhenNobodyAnswers(t *testing.T) {
	assert.Contains(t, direction(codeWorkersDown, balance{}, of(served(), served(down))), "those of the other workers")
	assert.Contains(t, direction(codeWorkersDown, balance{}, of(served(down), served(down))), "Does the engine run")
}
