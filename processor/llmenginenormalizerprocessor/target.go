package llmenginenormalizerprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/llmenginenormalizerprocessor"

import (
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// target is what is remembered of one resource that has engine metrics.
type target struct {
	mu   sync.Mutex
	book *exposition.Book
	seen time.Time // guarded by the mutex of targets
}

// targets holds the state of every target, up to a limit. When full, new ones are turned away once the silent are forgotten: evicting
// under pressure would lose everybody's start times in turn.
type targets struct {
	mu    sync.Mutex
	limit int
	stale time.Duration
	byKey map[string]*target
}

// get returns the target, made by create at first sight, and by how many more there are now. It returns nil when there is no room.
func (t *targets) get(key string, now time.Time, create func() *exposition.Book) (found *target, more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found = t.byKey[key]
	if found == nil {
		if len(t.byKey) >= t.limit {
			more -= t.forget(now)
		}
		if len(t.byKey) >= t.limit {
			return nil, more
		}
		found = &target{book: create()}
		t.byKey[key] = found
		more++
	}
	found.seen = now
	return found, more
}

// forget drops the silent and returns how many they were.
func (t *targets) forget(now time.Time) (n int) {
	for key, old := range t.byKey {
		if now.Sub(old.seen) > t.stale {
			delete(t.byKey, key)
			n++
		}
	}
	return n
}

// keyOf identifies a resource by all its attributes.
func keyOf(r pcommon.Resource) string {
	var pairs []string
	for k, v := range r.Attributes().All() {
		pairs = append(pairs, k+"\x00"+v.AsString())
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "\x01")
}

// identityOf reads what a resource says of its target. Its attributes stay on what is made of it.
func identityOf(r pcommon.Resource) exposition.Identity {
	text := func(keys ...string) string {
		for _, key := range keys {
			if v, ok := r.Attributes().Get(key); ok && v.AsString() != "" {
				return v.AsString()
			}
		}
		return ""
	}
	base := pcommon.NewMap()
	r.Attributes().CopyTo(base)
	id := exposition.Identity{
		ID: text(signal.AttrServiceInstanceID), Service: text(signal.AttrServiceName), Address: text(signal.AttrServerAddress, "net.host.name"),
		Fleet: text(signal.AttrFleetName), Role: text(signal.AttrRole), Host: text(signal.AttrHostName), Base: base,
		// The label of llm-d, as the k8s_attributes processor names it.
		K8sRole: k8sRole(text("k8s.pod.label.llm-d.ai/role", "k8s.pod.labels.llm-d.ai/role", "llm-d.ai/role")),
	}
	if id.ID == "" {
		id.ID = id.Address
	}
	return id
}

// k8sRole reads a pod's label; "both" and what else is no role of ours tells none.
func k8sRole(label string) string {
	switch label {
	case signal.RolePrefill, signal.RoleDecode, signal.RoleAggregated, signal.RoleEncode, signal.RoleRouter:
		return label
	}
	return ""
}
