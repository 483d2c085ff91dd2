package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"encoding/json"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// tiers are the ways to divide a worker's time; the best one that a window's inputs allow is taken.
type tiers struct {
	steps  *serving.Splitter     // from counters; learns from every window, so that it is ready when passes are missing
	passes *serving.PassSplitter // from forward passes
	// roofline is nil where model, GPUs or their number are not known.
	roofline *serving.RooflineSplitter
	deployed serving.Deployment
	budget   float64
	// kept is what an earlier life of the collector found of the roofline of keptOf.
	kept   json.RawMessage
	keptOf string
}

func newTiers(budget float64) *tiers {
	return &tiers{steps: serving.NewSplitter(budget), passes: serving.NewPassSplitter(), budget: budget}
}

// deploy takes what the worker runs on. Anything else than before is another roofline.
func (t *tiers) deploy(d serving.Deployment) {
	switch {
	case !d.Known():
		t.roofline, t.deployed = nil, serving.Deployment{}
	case t.roofline == nil || !d.Same(t.deployed):
		t.roofline, t.deployed = serving.NewRooflineSplitter(d), d
		t.resume()
	}
}

// keep notes what was found of the roofline, for when its deployment is known again.
func (t *tiers) keep() {
	if t.roofline == nil {
		return
	}
	if text, err := json.Marshal(t.roofline); err == nil {
		t.kept, t.keptOf = text, t.deployed.Fingerprint()
	}
}

// resume goes on where an earlier life of the collector left the roofline, if it was that of the same deployment.
func (t *tiers) resume() {
	if t.roofline == nil || t.kept == nil || t.keptOf != t.deployed.Fingerprint() {
		return
	}
	if json.Unmarshal(t.kept, t.roofline) != nil {
		t.roofline = serving.NewRooflineSplitter(t.deployed)
	}
	t.kept = nil
}

// forget makes every fit begin anew: steps cost something else now. A roofline only forgets what depends on the clock, when it is that
// which makes steps slower by a factor; otherwise that is 0.
func (t *tiers) forget(slower float64) {
	t.kept = nil
	t.steps, t.passes = serving.NewSplitter(t.budget), serving.NewPassSplitter()
	switch {
	case t.roofline == nil:
	case slower > 0:
		t.roofline.Rescale(slower)
	default:
		t.roofline = serving.NewRooflineSplitter(t.deployed)
	}
}

// doubt looks from another side at a window that was divided by a model: at the seconds for which tensor pipes and memory were active,
// negative when not known. It lowers the confidence where that says something quite different.
func (t *tiers) doubt(d *division, tensor, dram float64) bool {
	if t.roofline == nil || tensor < 0 || dram < 0 || !d.reading.Known || d.counted || d.split.Method == serving.MethodDirect {
		return false
	}
	share, ok := t.roofline.Unmix(d.reading, tensor, dram)
	return ok && d.split.Doubt(share)
}

// division is how a window's time divides, and what is known of its steps.
type division struct {
	split   serving.Split
	work    serving.Passes // counted or estimated; none when not known
	counted bool           // work is from forward passes
	seconds bool           // work is the seconds of each phase: nothing else is known
	reading serving.Reading
	costs   serving.Costs    // of time
	steps   serving.StepCost // the same, by single steps
	tokens  float64          // prompt tokens computed
	decoded float64          // tokens decoded
	// interference is what prefill cost decode in the window; knownInterference is false when that cannot be said.
	interference      serving.Interference
	knownInterference bool
}

const (
	// leastCovered is the share of a window that observations must span for an input to count as known.
	leastCovered = 0.9
	// purity is the share of a worker's tokens from which on it is taken to serve one phase only.
	purity = 0.98
)

// divide splits a window. graphics is for how long the worker's GPUs ran anything, in seconds; negative when not known. The part of
// the window that inputs did not see is unattributed.
func (t *tiers) divide(win window.Window, graphics float64) division {
	d := t.byCounters(win, graphics)
	if direct, ok := directOf(win); ok {
		d.take(direct)
	}
	passes, seen := passesOf(win)
	if seen <= 0 {
		return d
	}
	split := t.passes.Split(passes, seen, serving.Running{Seen: win.Levels[inRunning].Seen, Min: win.Levels[inRunning].Min})
	if split.Withheld != "" && d.split.Withheld == "" {
		return d
	}
	split.Unattributed += win.Seconds() - seen
	d.split, d.work, d.costs, d.steps, d.counted, d.seconds = split.Split, passes, split.Costs, split.Costs.PerStep(), true, false
	d.tokens = passes.Prefill.PrefillTokens + passes.Mixed.PrefillTokens
	d.decoded = passes.Decode.Sequences + passes.Mixed.Sequences
	d.knownInterference = split.Withheld == ""
	if d.knownInterference {
		durations := win.Totals[inMixedDuration]
		d.interference = split.Interference(passes, serving.Buckets{Bounds: durations.Bounds, Counts: durations.Counts}, win.Totals[inITL].Sum)
	}
	return d
}

// directOf divides the window by the seconds that the engine itself counted for each phase; ok is false when it counts none, or when they
// do not tell.
func directOf(win window.Window) (split serving.Split, ok bool) {
	seen := max(win.Covered[inBusyPrefill], win.Covered[inBusyDecode], win.Covered[inBusyMixed])
	if seen < leastCovered*win.Seconds() {
		return split, false
	}
	split = serving.DirectSplit(win.Totals[inBusyPrefill].Sum, win.Totals[inBusyDecode].Sum, win.Totals[inBusyMixed].Sum, seen,
		serving.Running{Seen: win.Levels[inRunning].Seen, Min: win.Levels[inRunning].Min})
	split.Unattributed += win.Seconds() - seen
	return split, split.Withheld == ""
}

// take puts the engine's own division in the place of an estimated one. What is known of the steps, and of what prefill costs decode,
// stays.
func (d *division) take(direct serving.Split) {
	d.split = direct
	if d.work.Count() <= 0 {
		d.work, d.costs = direct.Worked()
		d.seconds = true
	}
}

// passesOf returns the engine steps of a window and how many of its seconds they tell of, 0 when they are missing or incomplete: a
// publisher that drops messages under load would otherwise look idle.
func passesOf(win window.Window) (p serving.Passes, seen float64) {
	seen = win.Covered[inSteps+stepsDecode*stepFields+stepTime]
	p = stepsOf(win)
	if seen < leastCovered*win.Seconds() || p.Count() < leastCovered*win.Totals[inStepTokens].Count {
		return serving.Passes{}, 0
	}
	return p, seen
}

// byCounters splits a window by the engine's counters.
func (t *tiers) byCounters(win window.Window, graphics float64) division {
	elapsed, seen := win.Seconds(), win.Covered[inGenerated]
	if seen <= 0 || win.Covered[inStepTokens] <= 0 {
		return division{split: serving.Split{Unattributed: elapsed, Withheld: serving.WithheldNoData}}
	}
	work := workOf(win, seen)
	sizes := win.Totals[inPromptSize]
	split := t.steps.Split(work, serving.Buckets{Bounds: sizes.Bounds, Counts: sizes.Counts})
	if t.roofline != nil && split.Reading.Known && split.Reading.Busy > 0 {
		if better := t.roofline.Split(work, split.Reading); better.Withheld == "" {
			split = better
		}
	}
	d := division{split: split.Split, work: split.Passes, costs: split.Costs, steps: split.PerStep, reading: split.Reading, tokens: work.PrefillTokens, decoded: work.DecodeTokens}
	if split.Withheld != "" {
		d.split = pure(work, d.split, graphics)
	}
	d.knownInterference = d.split.Withheld == "" && work.DecodeTokens > 0
	if d.knownInterference {
		d.interference = split.Interference(work)
	}
	d.split.Unattributed += elapsed - seen
	return d
}

// pure divides a window that cannot be split when its tokens are of one phase.
func pure(work serving.Work, split serving.Split, graphics float64) serving.Split {
	switch {
	case work.DecodeTokens <= 0 && work.PrefillTokens > 0 && graphics >= 0:
		// Only prefill ran, and its time shows on the GPUs alone.
		busy := min(graphics, work.Elapsed)
		return serving.Split{
			Prefill: busy, PrefillLow: busy, PrefillHigh: busy, Idle: work.Elapsed - busy,
			Method: serving.MethodPureRole, Confidence: serving.PureConfidence,
		}
	case split.Withheld != serving.WithheldBusyUnknown && split.Withheld != serving.WithheldBadInput &&
		work.DecodeTokens > purity*(work.DecodeTokens+work.PrefillTokens) && work.PrefillTokens <= 2*work.FirstTokens:
		// A decode worker computes no more of a prompt than its last token, in a step that decodes anyway.
		busy := split.Unattributed
		prefill := busy * work.PrefillTokens / (work.DecodeTokens + work.PrefillTokens)
		return serving.Split{
			Prefill: prefill, PrefillHigh: prefill, Decode: busy - prefill, Idle: split.Idle,
			Method: serving.MethodPureRole, Confidence: serving.PureConfidence,
		}
	}
	return split
}

// workOf reads the window's counters as work done over the given seconds.
func workOf(win window.Window, elapsed float64) serving.Work {
	steps := win.Totals[inStepTokens]
	work := serving.Work{
		Elapsed:      elapsed,
		Steps:        steps.Count,
		FirstTokens:  win.Totals[inTTFT].Count,
		DecodeTokens: win.Totals[inITL].Count,
		ITLSum:       win.Totals[inITL].Sum,
		PrefillTime:  win.Totals[inPrefillTime].Sum,
		Finished:     win.Totals[inPrefillTime].Count,
		StepTokens:   serving.Buckets{Bounds: steps.Bounds, Counts: steps.Counts},
		Running:      serving.Running{Seen: win.Levels[inRunning].Seen, Min: win.Levels[inRunning].Min},
	}
	if usage, capacity := win.Levels[inKVUsage], win.Levels[inKVCapacity]; usage.Seen && capacity.Seen {
		work.Context = usage.Mean * capacity.Mean
	}
	switch {
	case win.Covered[inComputed] > 0:
		work.PrefillTokens = win.Totals[inComputed].Sum
	default:
		// What a step was credited beyond the tokens it generated is the prompts that it completed.
		work.PrefillTokens = max(0, steps.Sum-win.Totals[inGenerated].Sum)
	}
	return work
}
