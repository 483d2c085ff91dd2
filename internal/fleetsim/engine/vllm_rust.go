package engine

import (
	"fmt"
	"slices"
)

// Front ends of vLLM. The Rust one writes the same families by other rules: integers as integers, labels in their own order, a
// further full stop behind the help, and no creation times.
const (
	frontEndPython = "python"
	frontEndRust   = "rust"
)

// connectorNIXL is the connector whose families the page can have.
const connectorNIXL = "NixlConnector"

// firstRust is the first release that the Rust front end is spoken for; before 0.30 it lacked families.
const firstRust = 24

// checkFrontEnd refuses front ends that the release does not have.
func checkFrontEnd(f Facts, v version) error {
	switch f.FrontEnd {
	case "", frontEndPython:
	case frontEndRust:
		if !v.from(0, firstRust) {
			return fmt.Errorf("front end: got rust with version %q, want a release from 0.%d", f.Version, firstRust)
		}
		if f.APIServers > 1 {
			return fmt.Errorf("front end: got rust with %d API servers, want 1", f.APIServers)
		}
	default:
		return fmt.Errorf("front end: got %q, known are %s and %s", f.FrontEnd, frontEndPython, frontEndRust)
	}
	return nil
}

// earlyRust reports the Rust front end of before 0.30, which lacked families and spoke some of them otherwise.
func (p *vllmPage) earlyRust() bool { return p.facts.FrontEnd == frontEndRust && !p.from(0, 30) }

// rustLengths are the bounds of token counts in the Rust front end: up to 100000 whatever the context, and the context's length.
func rustLengths(longest int) []float64 {
	bounds := oneTwoFive(131072)
	if i, found := slices.BinarySearch(bounds, float64(longest)); !found {
		bounds = slices.Insert(bounds, i, float64(longest))
	}
	return bounds
}
