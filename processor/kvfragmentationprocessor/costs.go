package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// costs are what prefill takes, from phase_attribution, whose points come after the window that they speak of: so they are kept apart
// from the windows, which would wait for them.
type costs struct{ seconds, workerSeconds, joules rising }

// rising is how much a cumulative sum rose lately; older rises fade as windows pass.
type rising struct {
	last  float64
	start pcommon.Timestamp
	at    pcommon.Timestamp
	seen  bool
	sum   float64
	over  float64 // s in which it rose
}

func (r *rising) take(dp pmetric.NumberDataPoint) {
	v := derive.Number(dp)
	if r.seen && dp.Timestamp() <= r.at {
		return
	}
	if r.seen && dp.StartTimestamp() == r.start && v >= r.last {
		r.sum += v - r.last
		r.over += float64(dp.Timestamp()-r.at) / 1e9
	}
	r.last, r.start, r.at, r.seen = v, dp.StartTimestamp(), dp.Timestamp(), true
}

// learn takes what is of use in a metric.
func (c *costs) learn(m pmetric.Metric) {
	var r *rising
	switch m.Name() {
	case signal.PhaseGPUTime:
		r = &c.seconds
	case signal.PhaseWorkerTime:
		r = &c.workerSeconds
	case signal.PhaseEnergy:
		r = &c.joules
	default:
		return
	}
	for _, dp := range points(m).All() {
		if derive.Text(dp.Attributes(), signal.AttrPhase) == signal.PhasePrefill && !dp.Flags().NoRecordedValue() {
			r.take(dp)
		}
	}
}

func (c *costs) all() [3]*rising { return [3]*rising{&c.seconds, &c.workerSeconds, &c.joules} }

func (c *costs) fade(f float64) {
	for _, r := range c.all() {
		r.sum *= f
		r.over *= f
	}
}

// price is what a computed prompt token costs; 0 where that is not known.
type price struct{ seconds, joules float64 }

// rate is by how much it rose a second, 0 when it was not followed.
func (r *rising) rate() float64 {
	if r.over <= 0 {
		return 0
	}
	return r.sum / r.over
}

// of returns the price when so many tokens were computed in so many seconds. Rates are compared, since phases are told apart only some
// time after tokens are counted. Seconds are of GPUs where GPUs are joined.
func (c *costs) of(computed, seconds float64) price {
	if computed < leastPriced || seconds <= 0 {
		return price{}
	}
	s := c.seconds.rate()
	if s <= 0 {
		s = c.workerSeconds.rate()
	}
	tokens := computed / seconds
	return price{s / tokens, c.joules.rate() / tokens}
}

// leastPriced is how many tokens are needed for a price.
const leastPriced = 1000
