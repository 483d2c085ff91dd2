package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "maps"

// Kind is what a subject of advice is.
type Kind string

// The kinds of subjects.
const (
	Worker Kind = "worker" // one engine core
	Fleet  Kind = "fleet"  // the workers that serve one model together
	Agent  Kind = "agent"  // one that moves KV between workers
)

// Ref tells subjects apart.
type Ref struct {
	Kind     Kind
	Host     string
	Instance string // the name of a fleet
	Model    string // "" for an endpoint that never answered
}

// FleetRef is the Ref of a fleet.
func FleetRef(name string) Ref { return Ref{Kind: Fleet, Instance: name} }

// Identity is what is known of a subject when it is first seen.
type Identity struct {
	Ref
	Fleet string            // its fleet's name
	Facts map[string]string // by attribute name, such as llm.engine.name; what metrics tell later replaces them
	Carry any               // untouched: comes back with everything that is said of the subject
}

// FactTopology is a fact that the Advisor makes itself for every fleet: its live workers by role, such as "decode=3 prefill=1".
const FactTopology = "topology"

// FactWorkers is the number of a fleet's live workers of a role: FactWorkers + "prefill". It too is the Advisor's own.
const FactWorkers = "workers."

// FactTotal is the number of a fleet's live workers.
const FactTotal = FactWorkers + "total"

func (id Identity) clone() Identity {
	id.Facts = maps.Clone(id.Facts)
	if id.Facts == nil {
		id.Facts = map[string]string{}
	}
	return id
}
