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
