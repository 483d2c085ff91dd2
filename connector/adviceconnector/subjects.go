package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/advice"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// engineReceiver is the scope of the llm_engine receiver. An endpoint of it that never answered has no engine name yet and is known by
// nothing else.
const engineReceiver = "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

// identify reads which subject a resource is. It shares memory with the resource.
func identify(rm pmetric.ResourceMetrics) (ref advice.Ref, ok bool) {
	a := rm.Resource().Attributes()
	host, instance, model := text(a, signal.AttrHostName), text(a, signal.AttrServiceInstanceID), text(a, signal.AttrModel)
	switch agent := text(a, signal.AttrNIXLAgentName) + text(a, signal.AttrNIXLAgentSlot); {
	case text(a, signal.AttrEngineName) != "" && text(a, signal.AttrObserver) == "":
		return advice.Ref{Kind: advice.Worker, Host: host, Instance: instance, Model: model}, instance != ""
	case instance != "" && text(a, signal.AttrObserver) == "" && neverAnswered(rm):
		return advice.Ref{Kind: advice.Worker, Host: host, Instance: instance}, true
	case agent != "":
		return advice.Ref{Kind: advice.Agent, Host: host, Instance: agent + "/" + text(a, signal.AttrProcessPID)}, true
	case text(a, signal.AttrFleetName) != "" && text(a, signal.AttrHWID) == "" && instance == "":
		return advice.FleetRef(text(a, signal.AttrFleetName)), true
	}
	return advice.Ref{}, false
}

func neverAnswered(rm pmetric.ResourceMetrics) bool {
	for _, sm := range rm.ScopeMetrics().All() {
		if sm.Scope().Name() != engineReceiver {
			continue
		}
		for _, m := range sm.Metrics().All() {
			if m.Name() == signal.Up {
				return true
			}
		}
	}
	return false
}

// describe makes the identity of a subject that is new. What is told of a fleet has the fleet's name as its only attribute, whoever else
// speaks of it.
func describe(ref advice.Ref, resource pcommon.Resource) advice.Identity {
	a := resource.Attributes()
	ref.Host, ref.Instance, ref.Model = strings.Clone(ref.Host), strings.Clone(ref.Instance), strings.Clone(ref.Model)
	id := advice.Identity{Ref: ref, Fleet: strings.Clone(text(a, signal.AttrFleetName)), Facts: map[string]string{}}
	if ref.Kind == advice.Worker {
		id.Fleet = cmp.Or(id.Fleet, ref.Model)
	}
	if ref.Kind == advice.Fleet {
		return id
	}
	for k, v := range a.All() {
		id.Facts[strings.Clone(k)] = strings.Clone(v.AsString())
	}
	id.Carry = keep(resource)
	return id
}

func keep(resource pcommon.Resource) pcommon.Resource {
	kept := pcommon.NewResource()
	resource.CopyTo(kept)
	return kept
}

func text(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}
