package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// trail holds sums over the windows of the past, older ones faded.
type trail struct {
	constant time.Duration
	fade     float64 // of the last window
	seconds  float64
	totals   [counters]window.Value
	held     float64 // block-seconds
	running  float64 // request-seconds
	resident float64 // block-seconds of content, and over how many seconds that was known
	known    float64
	waited   float64 // seconds in which requests waited for blocks
}

// look is what a window's gauges say.
type look struct {
	held, running, resident float64
	residentKnown           bool
	waits                   bool
	off                     float64 // standard deviation of held, blocks
}

// rest fades what there is by a time in which nothing was seen.
func (t *trail) rest(seconds float64) {
	t.age(seconds)
	for i := range t.totals {
		fadeIn(&t.totals[i], window.Value{}, t.fade)
	}
}

// age fades the sums of gauges.
func (t *trail) age(seconds float64) {
	t.fade = math.Exp(-seconds / t.constant.Seconds())
	for _, sum := range []*float64{&t.seconds, &t.held, &t.running, &t.resident, &t.known, &t.waited} {
		*sum *= t.fade
	}
}

func (t *trail) add(win window.Window, l look) {
	seconds := win.Seconds()
	t.age(seconds)
	t.seconds += seconds
	t.held += seconds * l.held
	t.running += seconds * l.running
	if l.residentKnown {
		t.resident += seconds * l.resident
		t.known += seconds
	}
	if l.waits {
		t.waited += seconds
	}
	for i := range t.totals {
		fadeIn(&t.totals[i], win.Totals[i], t.fade)
	}
}

// fadeIn fades v and adds d to it. Counts of other bounds replace those that were there.
func fadeIn(v *window.Value, d window.Value, fade float64) {
	v.Sum *= fade
	v.Count *= fade
	for i := range v.Counts {
		v.Counts[i] *= fade
	}
	if !v.Fits(d) {
		*v = window.Value{}
	}
	v.AddScaled(d, 1)
}

func (t *trail) sum(key int) float64   { return t.totals[key].Sum }
func (t *trail) count(key int) float64 { return t.totals[key].Count }

// prompts are the prompt tokens of requests that got their first token, and those of them that were computed here.
func (t *trail) prompts() (all, computed float64) {
	return promptsOf(func(key int) float64 { return t.sum(key) })
}

// promptsOf reads prompt tokens from sums. Where the engine does not tell their source, what was not found was computed.
func promptsOf(sum func(key int) float64) (all, computed float64) {
	computed = sum(inComputed)
	all = computed + sum(inLocalHit) + sum(inTransfer)
	if all <= 0 {
		all = sum(inPrompt)
		computed = max(0, all-sum(inHit)-sum(inExternalHits))
	}
	return all, computed
}

// perRequest is a sum divided by the requests that got their first token, 0 without any.
func (t *trail) perRequest(v float64) float64 {
	n := t.count(inFirstToken)
	if n <= 0 {
		return 0
	}
	return v / n
}

// output is the mean output of a request.
func (t *trail) output() float64 {
	if n := t.count(inOutputSize); n > 0 {
		return t.sum(inOutputSize) / n
	}
	return t.perRequest(t.sum(inGenerated))
}

// holding is for how long a request runs, by Little's law, in seconds.
func (t *trail) holding() float64 { return t.perRequest(t.running) }
