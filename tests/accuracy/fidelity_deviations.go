package main

import (
	"fmt"
	"math"
)

// deviations sums up the relative deviations of a group of serving points.
type deviations struct {
	n, ttft, tpot, ttftBias, tpotBias, ttftWorst, tpotWorst float64
	need                                                    float64 // largest share of the peak the rows imply
}

func (d *deviations) add(p point) {
	d.n++
	d.ttft += math.Abs(p.ttftError)
	d.tpot += math.Abs(p.tpotError)
	d.ttftBias += p.ttftError
	d.tpotBias += p.tpotError
	d.ttftWorst = math.Max(d.ttftWorst, math.Abs(p.ttftError))
	d.tpotWorst = math.Max(d.tpotWorst, math.Abs(p.tpotError))
}

// String gives mean absolute deviation, bias and worst row, in per cent.
func (d *deviations) String() string {
	f := 100 / d.n
	return fmt.Sprintf("rows=%.0f,tpot=%.1f%%(bias%+.1f,worst%.0f),ttft=%.1f%%(bias%+.1f,worst%.0f)",
		d.n, f*d.tpot, f*d.tpotBias, 100*d.tpotWorst, f*d.ttft, f*d.ttftBias, 100*d.ttftWorst)
}

func (d *deviations) report(report func(result), name string, tpotBar, ttftBar float64) {
	for _, v := range []struct {
		what       string
		value, bar float64
	}{{"tpot", d.tpot / d.n, tpotBar}, {"ttft", d.ttft / d.n, ttftBar}} {
		report(result{
			name: name + "/" + v.what, value: fmt.Sprintf("%.1f%%(%.0frows)", 100*v.value, d.n),
			bar: fmt.Sprintf("<=%g%%", 100*v.bar), pass: v.value <= v.bar,
		})
	}
}
