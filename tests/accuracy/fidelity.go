package main

import (
	"errors"
	"fmt"
	"math"
)

// fidelity is A14: the simulator against measured data. Without a folder of public data nothing but the effects of chunking and of
// disaggregation can be checked here; the published figures typed into the simulator's own unit tests are checked there.
func fidelity(o options, report func(result)) error {
	if err := errors.Join(chunking(o, report), disaggregation(o, report)); err != nil {
		return err
	}
	if o.data == "" {
		return nil
	}
	return errors.Join(
		servingPoints(o.data, report),
		splitwiseTables(o.data, report),
		traceStatistics(o.data, report),
	)
}

// within reports a relative deviation from a measured value.
func within(report func(result), name string, got, want, tolerance float64, unit string) {
	d := got/want - 1
	report(result{
		name: name, value: fmt.Sprintf("%+.1f%%(%.4g/%.4g%s)", 100*d, got, want, unit),
		bar: fmt.Sprintf("<=%g%%", 100*tolerance), pass: math.Abs(d) <= tolerance,
	})
}

// informs reports a figure that has no bar, or one that is known to be out of reach: docs/fleetsim.md says why.
func informs(report func(result), name, value string) {
	report(result{name: name, value: value, bar: "none", told: true, pass: true})
}
