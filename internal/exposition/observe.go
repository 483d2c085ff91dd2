package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// What a worker must have done before its role is read from it.
const (
	enoughRequests = 20
	// fetchedShare of the prompt tokens must come from other workers for a decode worker.
	fetchedShare = 0.05
	// prefillTokens are the most output tokens per request of a prefill worker: it stops after the first.
	prefillTokens = 1.05
)

// behaviour is what a worker did since its engine began.
type behaviour struct {
	prompt, fetched, generated float64 // tokens
	requests, other            float64 // finished at their length, and otherwise
}

// observeRoles reads the roles of workers that nobody names from what they do. A role once seen holds until the engine restarts:
// a quiet hour is no change of role.
func (b *Book) observeRoles() {
	for _, w := range b.workers {
		if !w.connected || w.role.source != "" {
			continue
		}
		if r := b.behaviour(w).role(); r != "" && len(b.observed) < maxGroups {
			b.observed[w.key] = r
			w.role = b.roleOf(w)
		}
	}
}

// behaviour reads what there is. Of a page that lacks a part of it, as a damaged one does, nothing is concluded.
func (b *Book) behaviour(w *worker) behaviour {
	var did behaviour
	generates := false
	for _, s := range w.streams {
		name := s.family.Metric.Name
		tokens := name == signal.TokensPrompt || name == signal.TokensGenerated
		if !tokens && name != signal.RequestCount || tokens && b.yields(s.family) {
			continue
		}
		v, ok := s.value.value(b.scrape)
		if !ok {
			return behaviour{}
		}
		switch {
		case name == signal.TokensGenerated:
			generates = true
			did.generated += v
		case name == signal.TokensPrompt:
			did.prompt += v
			if has(s.attributes, signal.AttrTokenSource, signal.TokenSourceTransfer) {
				did.fetched += v
			}
		case has(s.attributes, signal.AttrFinishReason, signal.FinishLength):
			did.requests += v
		default:
			did.other += v
		}
	}
	if !generates || b.damaged() {
		return behaviour{}
	}
	return did
}

// role returns the role, or "" where the behaviour fits several. Both ends of a pair may hold KV connectors of either direction,
// so that a connector alone says nothing.
func (d behaviour) role() string {
	finished := d.requests + d.other
	switch {
	case finished < enoughRequests || d.prompt == 0:
		return ""
	case d.fetched > fetchedShare*d.prompt:
		return signal.RoleDecode
	case d.fetched == 0 && d.other == 0 && d.generated <= prefillTokens*finished:
		return signal.RolePrefill
	}
	return ""
}

func has(attributes []dialect.Attribute, key, value string) bool {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value == value
		}
	}
	return false
}
