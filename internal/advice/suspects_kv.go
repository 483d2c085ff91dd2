package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// churn is what evictions cost a fleet: prompts that are computed again because their blocks were evicted shortly before.
type churn struct {
	storming   int     // workers
	again      float64 // share of what is stored, over all workers that compute prompts, 0 for those without a storm
	confidence float64 // of the thrash ratio, over the storming workers
}

// mostly reports whether more than half of the work is the same again: more capacity for prompts would repeat that as well.
func (c churn) mostly() bool { return c.again > 0.5 && c.confidence >= confidentMed }

// churn weighs the workers that compute prompts by their load.
func (f figures) churn() (c churn) {
	weight, storming := 0.0, 0.0
	for i, part := range f.weights() {
		w := f.workers[i]
		if w.role == signal.RoleDecode {
			continue
		}
		weight += part
		if w.storm && w.thrash.ok {
			c.storming++
			storming += part
			c.again += part * w.thrash.value
			c.confidence += part * w.thrashConfidence
		}
	}
	if weight <= 0 || storming <= 0 {
		return churn{storming: c.storming}
	}
	c.again /= weight
	c.confidence /= storming
	return c
}

// stormy is the candidate of an eviction storm. What is computed again is prefill, for which first tokens wait and which rides in decode's
// steps: of what either misses, the part that is computed again. A fleet that is comfortable all the same is held back by nothing.
func stormy(f figures) (candidate, bool) {
	k := f.churn()
	if k.storming == 0 || k.again <= 0 || f.idle() || f.comfortable() {
		return candidate{}, false
	}
	explained, _ := f.mixed()
	if f.observed < fullWindow {
		k.confidence = min(k.confidence, earlyWorth)
	}
	c := candidate{
		code: KVStorm, loss: k.again * max(f.ttft.Above, f.itl.Above*explained), confidence: k.confidence, title: "Cached blocks are evicted and computed again.",
		detail: fmt.Sprintf("%.0f %% of what prefill stores had been evicted shortly before, on %d of %d workers.",
			100*k.again, k.storming, len(f.workers)),
		direction: "More prefill capacity would compute the same again: relief is a larger KV cache, a tier below it, or routing by prefix.",
		evidence:  []Quantity{{Name: "Stored again soon after eviction", Value: k.again, Unit: "1", Metric: signal.KVThrash}},
	}
	if f.met() {
		c.detail += " " + f.bothDetail()
		c.beside = "Cached blocks are evicted and computed again, so far within the objectives."
	} else if missed, _ := f.ttft.Missed(); missed {
		c.detail += " " + against("TTFT", f.ttft) + "."
	}
	return c, true
}
