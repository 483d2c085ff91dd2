package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// subject is what a resource is to this processor.
type subject int

const (
	foreign subject = iota
	aWorker         // it names an engine
	aGPU            // it is a piece of hardware with an id, and of no other type
)

// identify reads what a resource is, and which worker. Most are neither worker nor GPU, and are asked for two attributes only.
func identify(resource pcommon.Resource) (id derive.WorkerID, is subject) {
	a := resource.Attributes()
	if id.Engine = derive.Text(a, signal.AttrEngineName); id.Engine == "" {
		return id, hardware(a)
	}
	for key, v := range a.All() {
		id.Learn(key, v)
	}
	return id, aWorker
}

func hardware(a pcommon.Map) subject {
	if _, ok := a.Get(signal.AttrHWID); !ok {
		return foreign
	}
	if t := derive.Text(a, signal.AttrHWType); t != "" && t != signal.HWTypeGPU {
		return foreign
	}
	return aGPU
}
