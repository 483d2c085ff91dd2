package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// board is where the instance of a metrics pipeline posts its workers, for those of traces pipelines to find. It is bounded by
// max_workers, since it holds those workers and no others.
type board struct {
	mu     sync.RWMutex
	byClue map[clue][]*posting // slices are replaced, never written
}

// clue is an attribute by which the resource of a span tells its worker.
type clue struct{ attribute, value string }

// posting is one worker.
type posting struct {
	engine, model string
	clues         []clue
	target        objectives.InForce
	costs         atomic.Pointer[requestCosts] // nil while no estimate is known; what it points to is never written
	spans         *spanLedger
}

func newBoard() *board { return &board{byClue: map[clue][]*posting{}} }

// clueOrder lists the attributes that tell a worker, the surest first.
func clueOrder() [4]string {
	return [4]string{signal.AttrServiceInstanceID, signal.AttrK8sPodUID, signal.AttrContainerID, signal.AttrHostName}
}

// rankMark divides the instance of a data-parallel rank, of which the engine's spans know nothing, from that of the engine.
const rankMark = "/dp"

func newPosting(cfg *Config, resource pcommon.Resource, target objectives.InForce) *posting {
	a := resource.Attributes()
	p := &posting{
		engine: derive.Text(a, signal.AttrEngineName), model: derive.Text(a, signal.AttrModel), target: target, spans: newSpanLedger(cfg),
	}
	for _, attribute := range clueOrder() {
		value := derive.Text(a, attribute)
		if attribute == signal.AttrServiceInstanceID {
			if i := strings.LastIndex(value, rankMark); i >= 0 {
				value = value[:i]
			}
		}
		if value != "" {
			p.clues = append(p.clues, clue{attribute, value})
		}
	}
	return p
}

func (b *board) add(p *posting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range p.clues {
		old := b.byClue[c]
		b.byClue[c] = append(old[:len(old):len(old)], p)
	}
}

func (b *board) remove(p *posting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range p.clues {
		var rest []*posting
		for _, o := range b.byClue[c] {
			if o != p {
				rest = append(rest, o)
			}
		}
		if b.byClue[c] = rest; rest == nil {
			delete(b.byClue, c)
		}
	}
}

// candidates are the workers that the resource of a span may mean, by the surest clue that means any.
func (b *board) candidates(resource pcommon.Resource) []*posting {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, attribute := range clueOrder() {
		if value := derive.Text(resource.Attributes(), attribute); value != "" {
			if found := b.byClue[clue{attribute, value}]; len(found) > 0 {
				return found
			}
		}
	}
	return nil
}

// Reasons for which a span has no joules.
const (
	unjoinedUnknown    = "unknown_worker"   // no worker has the instance, pod, container or host of the span's resource
	unjoinedAmbiguous  = "ambiguous_worker" // several have
	unjoinedNoEstimate = "no_estimate"      // the worker's joules and costs are not known
)

// choose picks the one candidate that serves the model with the engine.
func choose(candidates []*posting, engine, model string) (one *posting, reason string) {
	for _, p := range candidates {
		if p.engine != engine || model != "" && p.model != "" && p.model != model {
			continue
		}
		if one != nil {
			return nil, unjoinedAmbiguous
		}
		one = p
	}
	if one == nil {
		return nil, unjoinedUnknown
	}
	return one, ""
}
