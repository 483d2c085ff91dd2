package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"cmp"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// role is what a worker does in its fleet, and who says so.
type role struct{ name, source string }

// roleOf asks in turn the configuration, the labels of the worker's own series, Kubernetes, the engine's own pages, and what the
// worker was seen to do.
func (b *Book) roleOf(w *worker) role {
	id := b.set.Identity
	always, label := "", ""
	if b.engine != nil {
		always = b.engine.Role()
	}
	for _, g := range w.groups {
		label = cmp.Or(label, g.role)
	}
	for _, r := range []role{
		{id.Role, signal.RoleSourceConfig},
		{label, signal.RoleSourceLabel},
		{id.K8sRole, signal.RoleSourceK8s},
		{cmp.Or(always, b.told.Role), signal.RoleSourceEngine},
		{b.observed[w.key], signal.RoleSourceObserved},
	} {
		if r.name != "" {
			return r
		}
	}
	return role{signal.RoleUnknown, ""}
}

// settled returns the role that a worker's resource has: the one that was known when its first points were made. One that is
// learnt later, or changes, is told by llm.engine.info only, since another resource would be another worker.
func (b *Book) settled(w *worker) string {
	known, ok := b.roles[w.key]
	if !ok && len(b.roles) < maxGroups {
		if w.role.source != signal.RoleSourceObserved {
			known = w.role.name
		}
		if known == signal.RoleUnknown {
			known = ""
		}
		b.roles[w.key] = known
	}
	return known
}

// Told is what an engine says of itself beside its metrics.
type Told struct {
	Version string
	Role    string
	Facts   map[string]any // string, float64 or bool; attributes of llm.engine.info
}
