package derive

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Pick returns which counter or gauge of an Aligner a point of a metric is by its attributes, or -1.
type Pick func(attributes pcommon.Map) int

// Always picks one input whatever the attributes.
func Always(input int) Pick { return func(pcommon.Map) int { return input } }

// ByText picks by the text of an attribute; where none fits it is -1.
func ByText(attribute string, of func(text string) int) Pick {
	return func(attributes pcommon.Map) int { return of(Text(attributes, attribute)) }
}

// Input is what a metric is to an Aligner. Its points are first asked whether they are a gauge; nil is none.
type Input struct {
	name           string
	Counter, Gauge Pick
}

// Inputs are the metrics of the vocabulary by name, which those that are no input are, too.
type Inputs map[string]*Input

// NewInputs asks of each metric of the vocabulary what it is, once for all that read it.
func NewInputs(counter, gauge func(metric string) Pick) Inputs {
	all := Inputs{}
	for _, m := range signal.All() {
		all[m.Name] = &Input{name: m.Name, Counter: counter(m.Name), Gauge: gauge(m.Name)}
	}
	return all
}
