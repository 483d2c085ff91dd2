package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

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

// clone returns an identity that may be changed. The names of facts, which are the same for all, are those of known.
func (id Identity) clone(known texts) Identity {
	facts := make(map[string]string, len(id.Facts))
	for name, value := range id.Facts {
		facts[known.one(name)] = value
	}
	id.Facts = facts
	return id
}
