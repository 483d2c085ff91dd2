package derive

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
)

// WorkerID tells workers apart: what the resource of a worker says of who it is.
type WorkerID struct{ Engine, Service, Namespace, Instance, Host, Model string }

// Learn takes an attribute of a resource; false where it does not tell workers apart.
func (id *WorkerID) Learn(key string, v pcommon.Value) bool {
	switch key {
	case signal.AttrEngineName:
		id.Engine = v.Str()
	case signal.AttrServiceName:
		id.Service = v.Str()
	case "service.namespace":
		id.Namespace = v.Str()
	case signal.AttrServiceInstanceID:
		id.Instance = v.Str()
	case signal.AttrHostName:
		id.Host = v.Str()
	case signal.AttrModel:
		id.Model = v.Str()
	default:
		return false
	}
	return true
}

// Key is that of the worker in a storage.
func (id WorkerID) Key() string {
	return snapshots.Key(id.Engine, id.Service, id.Namespace, id.Instance, id.Host, id.Model)
}
