package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// meddling follows what co-scheduled prefill costs a worker's decodes over the trailing time.
type meddling struct {
	span   time.Duration
	recent serving.Interference
	load   *estimate.Moments // running requests at the scrapes
	looks  int
}

const (
	// maxVariation is the coefficient of variation of the running requests above which a window's mean batch says little of its
	// steps: the products of window means that the estimate from counters rests on are then biased.
	maxVariation = 0.5
	// variationForget remembers about 24 scrapes, two minutes at 5 s.
	variationForget = 1 - 1.0/24

	withheldBias    = "aggregation_bias" // the batch varies too much within windows
	withheldNoSplit = "no_split"         // the phases' time is not known
)

func newMeddling(span time.Duration) *meddling {
	return &meddling{span: span, load: estimate.NewMoments(variationForget)}
}

// meddled is what a window and the trailing time say.
type meddled struct {
	window, recent serving.Interference
	variation      float64 // of the running requests
	seen           bool    // variation is known
	withheld       string
}

// fade is how much of the past counts after a window of that length.
func fade(seconds float64, span time.Duration) float64 { return math.Exp(-seconds / span.Seconds()) }

// add takes a window. Sums over engine steps by composition need no mean batch of a window, and are not withheld for its variation.
func (m *meddling) add(win window.Window, d division) meddled {
	if l := win.Levels[inRunning]; l.Seen {
		m.load.Add(l.Mean)
		m.looks++
	}
	m.recent.Fade(fade(win.Seconds(), m.span))
	out := meddled{variation: m.load.CV(), seen: m.looks > 1}
	switch {
	case !d.knownInterference:
		out.withheld = withheldNoSplit
	case !d.counted && out.variation > maxVariation:
		out.withheld = withheldBias
	default:
		out.window = d.interference
		m.recent.Add(d.interference)
	}
	out.recent = m.recent
	return out
}
