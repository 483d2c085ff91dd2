package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// subject is what a resource is to this processor.
type subject int

const (
	foreign subject = iota
	aWorker         // it names an engine and observes none
	anAgent         // of NIXL
	aHost           // whose links NIXL's receiver looks at, or a fleet's own resource: it has neither of the other two
)

// identity is what a resource says of who it is.
type identity struct {
	derive.WorkerID
	fleet, role         string
	port                string // of the engine's server
	agent, slot, source string
	observer            string
}

// agentID tells NIXL agents apart.
type agentID struct{ host, name, slot, source string }

// identify reads what a resource is.
func identify(resource pcommon.Resource) (id identity, is subject) {
	for key, v := range resource.Attributes().All() {
		if id.Learn(key, v) {
			continue
		}
		switch key {
		case signal.AttrFleetName:
			id.fleet = v.Str()
		case signal.AttrRole:
			id.role = v.Str()
		case signal.AttrServerPort:
			id.port = v.AsString()
		case signal.AttrNIXLAgentName:
			id.agent = v.Str()
		case signal.AttrNIXLAgentSlot:
			id.slot = v.AsString()
		case signal.AttrNIXLSource:
			id.source = v.Str()
		case signal.AttrObserver:
			id.observer = v.Str()
		}
	}
	switch {
	case id.source != "" && (id.agent != "" || id.slot != ""):
		return id, anAgent
	case id.Engine != "" && id.observer == "":
		if id.fleet == "" {
			id.fleet = id.Model
		}
		return id, aWorker
	case id.Engine == "" && (id.Host != "" || id.fleet != ""):
		return id, aHost
	}
	return id, foreign
}

func (id *identity) agentID() agentID { return agentID{id.Host, id.agent, id.slot, id.source} }

// place is where a worker's server listens, by which an agent of its process is joined to it.
type place struct{ host, port string }

func placeOf(host string, port int64) place { return place{host, strconv.FormatInt(port, 10)} }
