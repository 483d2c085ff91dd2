package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

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
	aGPU            // it is a piece of hardware with an id
	aFleet          // it names a fleet and no engine
)

// identify reads what a resource is, and which worker. Most are none of these, and are looked at once.
func identify(resource pcommon.Resource) (id derive.WorkerID, is subject) {
	for key, v := range resource.Attributes().All() {
		switch key {
		case signal.AttrEngineName:
			if v.Str() != "" {
				is = aWorker
			}
		case signal.AttrHWID:
			if is != aWorker {
				is = aGPU
			}
		case signal.AttrFleetName:
			if is == foreign {
				is = aFleet
			}
		}
	}
	if is == aWorker {
		for key, v := range resource.Attributes().All() {
			id.Learn(key, v)
		}
	}
	return id, is
}
