package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// maxLabel bounds every label that is kept, in bytes. Labels come from the network.
const maxLabel = 4096

// workerKey identifies a worker: host, service.instance.id and the model, because one server may serve several. The model is
// empty for an endpoint that never answered; its place is taken by the worker that is found there. What can change while a worker
// runs (fleet, role) is not part of the key.
type workerKey struct{ host, instance, model string }

// id is a short name of the key that is safe in a URL: 16 hexadecimal digits.
func (k workerKey) id() string { return shortID(k.host + "\x00" + k.instance + "\x00" + k.model) }

// subject is the same as the key of a subject.
func (k workerKey) subject() subjectKey {
	return subjectKey{kind: kindWorker, host: k.host, instance: k.instance, model: k.model}
}

func shortID(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// identity is what the resource and llm.engine.info say of a worker.
type identity struct {
	Instance   string `json:"instance"`
	Host       string `json:"host"`
	Fleet      string `json:"fleet"`
	FleetID    string `json:"fleet_id"`
	Model      string `json:"model"`
	Engine     string `json:"engine"`
	Version    string `json:"version"`
	Role       string `json:"role"`
	RoleSource string `json:"role_source"`
}

// readKey returns the key of a resource. It shares memory with attrs: clone it before it is kept.
func readKey(attrs pcommon.Map) (workerKey, bool) {
	k := workerKey{
		host: text(attrs, signal.AttrHostName), instance: text(attrs, signal.AttrServiceInstanceID), model: text(attrs, signal.AttrModel),
	}
	return k, k.instance != "" && max(len(k.instance), len(k.host), len(k.model)) <= maxLabel
}

// clone returns a key that keeps no batch alive.
func (k workerKey) clone() workerKey {
	return workerKey{host: strings.Clone(k.host), instance: strings.Clone(k.instance), model: strings.Clone(k.model)}
}

// readResource takes over what a resource says. An attribute that is absent changes nothing, and neither does the role once
// llm.engine.info has told it.
func (id *identity) readResource(attrs pcommon.Map, roleKnown bool) {
	take(&id.Model, text(attrs, signal.AttrModel))
	take(&id.Engine, text(attrs, signal.AttrEngineName))
	if !roleKnown {
		take(&id.Role, text(attrs, signal.AttrRole))
	}
	fleet := text(attrs, signal.AttrFleetName)
	if fleet == "" && id.Fleet == "" {
		fleet = id.Model
	}
	if take(&id.Fleet, fleet) || id.FleetID == "" {
		id.FleetID = shortID(id.Fleet)
	}
}

// take sets dst to a clean, bounded copy of src where it says something new.
func take(dst *string, src string) bool {
	if src == "" || src == *dst {
		return false
	}
	cut := clip(src)
	if cut == *dst {
		return false
	}
	*dst = cut
	return true
}

// clip copies at most maxLabel bytes of s as valid UTF-8.
func clip(s string) string {
	if len(s) > maxLabel {
		end := maxLabel
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	return strings.Clone(strings.ToValidUTF8(s, "\uFFFD"))
}

// text returns a string attribute, empty where it is absent or no string.
func text(attrs pcommon.Map, name string) string {
	v, ok := attrs.Get(name)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}
