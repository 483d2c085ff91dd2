package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"slices"
)

// Input says how to switch on an input that an engine has and that sharpens estimates.
type Input struct {
	Source string  // value of llm.source
	Text   string  // the flag, environment variable or configuration key, as it is typed
	Since  release // first release that knows it; the zero release: all
	// Shown are families that are on the page only with the input on. Moving are families that are there anyway and stay 0 without
	// it. A source with neither cannot be seen on the page: the configuration says that it is connected.
	Shown  []string
	Moving []string
	// When are families one of which must be on the page for the input to make sense; none: always. Newer is the same, and counts
	// only while the release is not known: a page with one of them is of a release that has the input.
	When, Newer []string
	// Work is a family that must count something for Shown and Moving to prove anything: before the first request nothing moves.
	Work string
}

// Seen is what is known of an engine when its missing inputs are looked for.
type Seen struct {
	Version   string // as the engine says it; empty while not known: then the newest is assumed
	Connected []string
	Value     func(family string) (v float64, shown bool) // of a family on the page, its series added up
}

// Missing returns the inputs that are off. The first of a source that fits the release counts.
func (d *Dialect) Missing(s Seen) (missing []Input) {
	version, known := parseRelease(s.Version)
	var done []string
	for _, h := range d.table.Inputs {
		if slices.Contains(done, h.Source) || known && version.before(h.Since) || !known && !anyShown(h.Newer, s) || !h.makesSense(s) {
			continue
		}
		done = append(done, h.Source)
		if !slices.Contains(s.Connected, h.Source) && !h.isOn(s) {
			missing = append(missing, h)
		}
	}
	return missing
}

// anyShown reports whether one of the families is on the page. Of none, it is so.
func anyShown(families []string, s Seen) bool {
	return len(families) == 0 || slices.ContainsFunc(families, func(family string) bool { _, ok := s.Value(family); return ok })
}

func (h Input) makesSense(s Seen) bool {
	if !anyShown(h.When, s) {
		return false
	}
	if h.Work == "" {
		return true
	}
	done, _ := s.Value(h.Work)
	return done > 0
}

func (h Input) isOn(s Seen) bool {
	return len(h.Shown) > 0 && anyShown(h.Shown, s) ||
		slices.ContainsFunc(h.Moving, func(family string) bool { v, _ := s.Value(family); return v > 0 })
}

// First returns the first release that has the input, or "" where all have.
func (h Input) First() string {
	if h.Since == (release{}) {
		return ""
	}
	return h.Since.String()
}
