package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// workerID tells workers apart.
type workerID struct{ engine, service, namespace, instance, host, model string }

// subject is what a resource is to this processor.
type subject int

const (
	foreign subject = iota
	aWorker         // it names an engine
	aGPU            // it is a piece of hardware with an id, and of no other type
)

// identify reads what a resource is, and which worker. Most are neither worker nor GPU, and are asked for two attributes only.
func identify(resource pcommon.Resource) (id workerID, is subject) {
	a := resource.Attributes()
	if id.engine = derive.Text(a, signal.AttrEngineName); id.engine == "" {
		return id, hardware(a)
	}
	for key, v := range a.All() {
		switch key {
		case signal.AttrServiceName:
			id.service = v.Str()
		case "service.namespace":
			id.namespace = v.Str()
		case signal.AttrServiceInstanceID:
			id.instance = v.Str()
		case signal.AttrHostName:
			id.host = v.Str()
		case signal.AttrModel:
			id.model = v.Str()
		}
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
