package disaggregationprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// Prompts are held whole, wherever their tokens came from; what left is what finished requests held.
func TestTurnoverOfAWindow(t *testing.T) {
	totals := make([]window.Value, inputCounters)
	totals[inTTFT].Count = 10
	totals[inLocal].Sum, totals[inHit].Sum, totals[inFetched].Sum = 4000, 900, 100
	totals[inInput] = window.Value{Sum: 3600, Count: 8}
	totals[inOutput] = window.Value{Sum: 2400, Count: 8}
	assert.Equal(t, serving.Turnover{Came: 10, CameTokens: 5000, Left: 8, LeftTokens: 6000}, turnoverOf(window.Window{Totals: totals}))
}

// After a change of the topology no lengths are known until a request finished. What came and left before is not followed, and the batch begins anew.
func TestABatchIsForgottenWhileLengthsAreNotKnown(t *testing.T) {
	win := window.Window{
		To: 5e9, Totals: make([]window.Value, inputCounters), Covered: make([]float64, inputCounters), Spanned: make([]float64, inputCounters),
		Levels: make([]window.Level, inputGauges),
	}
	win.Covered[inGenerated], win.Covered[inStepTokens] = 5, 5
	win.Totals[inStepTokens] = window.Value{Sum: 4500, Count: 200, Bounds: []float64{64, 8192}, Counts: []float64{195, 5, 0}}
	win.Totals[inITL] = window.Value{Sum: 80, Count: 3200}
	win.Totals[inTTFT].Count, win.Totals[inLocal].Sum = 5, 1300
	lengths := window.Value{Sum: 2000, Count: 10, Bounds: []float64{100, 400}, Counts: []float64{2, 8, 0}}
	var m member
	m.divide(win, testConfig(), &side{input: lengths, output: lengths})
	assert.NotZero(t, m.running)
	m.divide(win, testConfig(), &side{})
	assert.Zero(t, m.running)
}
