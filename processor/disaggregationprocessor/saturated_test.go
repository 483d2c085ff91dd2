package disaggregationprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// A worker is certainly busy where it took no more than had waited all the time, and was not held up.
func TestWhenAPrefillWorkerCannotHaveBeenIdle(t *testing.T) {
	win := window.Window{Totals: make([]window.Value, inputCounters), Covered: make([]float64, inputCounters), Levels: make([]window.Level, inWaiting+1)}
	win.Totals[inPrefillTime].Count = 20
	win.Covered[inStepTokens] = 5
	f := &fleet{}
	assert.Zero(t, f.saturated(win), "nobody tells what waits")
	win.Levels[inWaiting] = window.Level{Seen: true, Min: 19, Mean: 30}
	assert.Zero(t, f.saturated(win))
	win.Levels[inWaiting].Min = 20
	assert.Equal(t, 5.0, f.saturated(win))
	f.held = true
	assert.Zero(t, f.saturated(win))
}
