package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// clockTolerance is by how much the clock must differ from that at which the fit was made: clocks of a power-limited GPU breathe with
	// its load, and the fit holds their mean.
	clockTolerance = 0.05
	// clockWindows is for how many busy windows in a row it must differ, and over how many the first clock is taken.
	clockWindows = 12
	// clockSlowness is the weight of a window in the clock that a fit is said to be made at: a drift is followed, a step is not.
	clockSlowness = 1.0 / 200
)

// clockwatch notices that a worker's GPUs run at another clock than when its fit was made.
type clockwatch struct {
	slots []float64 // Hz of the SMs by slot of spending, newest look; 0 for none
	fit   float64   // Hz at which the fit is made
	seen  int       // busy windows behind it
	off   int       // busy windows in a row that differ
	away  float64   // sum of their clocks
}

// see takes the points of a GPU's clocks.
func (c *clockwatch) see(m pmetric.Metric, slot int) {
	if m.Type() != pmetric.MetricTypeGauge {
		return
	}
	for len(c.slots) <= slot {
		c.slots = append(c.slots, 0)
	}
	for _, dp := range m.Gauge().DataPoints().All() {
		if v := derive.Number(dp); derive.Text(dp.Attributes(), signal.AttrGPUClock) == "sm" && !dp.Flags().NoRecordedValue() && v > 0 && !math.IsInf(v, 0) {
			c.slots[slot] = v
		}
	}
}

// window takes a window; busy is whether the worker ran steps for most of it: an idle GPU lowers its clock. It returns the factor by
// which steps take longer than when the fit was made, once that is sure; 0 while nothing changed.
func (c *clockwatch) window(busy bool) (slower float64) {
	now, n := 0.0, 0.0
	for _, hz := range c.slots {
		if hz > 0 {
			now += hz
			n++
		}
	}
	if !busy || n == 0 {
		return 0
	}
	now /= n
	if c.seen < clockWindows {
		c.seen++
		c.fit += (now - c.fit) / float64(c.seen)
		return 0
	}
	if math.Abs(now/c.fit-1) <= clockTolerance {
		c.fit += clockSlowness * (now - c.fit)
		c.off, c.away = 0, 0
		return 0
	}
	c.off++
	c.away += now
	if c.off < clockWindows {
		return 0
	}
	mean := c.away / float64(c.off)
	slower = c.fit / mean
	c.fit, c.off, c.away = mean, 0, 0
	return slower
}
