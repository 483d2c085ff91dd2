package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// workerID tells workers apart.
type workerID struct{ engine, service, namespace, instance, host, model string }

// subject is what a resource is to this processor.
type subject int

const (
	foreign subject = iota
	aWorker         // it names an engine
	aGPU            // it is a piece of hardware with an id
	aFleet          // it names a fleet and no engine
)

// identify reads what a resource is, and which worker.
func identify(resource pcommon.Resource) (id workerID, is subject) {
	hardware, fleet := false, false
	for key, v := range resource.Attributes().All() {
		switch key {
		case signal.AttrEngineName:
			id.engine = v.Str()
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
		case signal.AttrHWID:
			hardware = true
		case signal.AttrFleetName:
			fleet = true
		}
	}
	switch {
	case id.engine != "":
		return id, aWorker
	case hardware:
		return id, aGPU
	case fleet:
		return id, aFleet
	}
	return id, foreign
}
