// Package words writes numbers into sentences for people: the adviser, the page and the terminal say a figure alike.
package words // import "github.com/otelcol-inference/otelcol-inference/internal/words"

import (
	"math"
	"strconv"
)

// Seconds writes a duration in s in the unit that reads best, with at most three significant digits.
func Seconds(s float64) string {
	switch size := math.Abs(s); {
	case size < 0.9995e-3:
		return Figure(s*1e6, 3) + " µs"
	case size < 0.9995:
		return Figure(s*1e3, 3) + " ms"
	}
	return Figure(s, 3) + " s"
}

// Figure writes v with at most digits significant digits and no exponent.
func Figure(v float64, digits int) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	decimals := digits - 1 - int(math.Floor(math.Log10(math.Abs(v))))
	scale := math.Pow(10, float64(decimals))
	return strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64)
}

// Quantile returns p90 for 0.9 and p99.9 for 0.999.
func Quantile(q float64) string {
	return "p" + strconv.FormatFloat(math.Round(q*1e4)/100, 'f', -1, 64)
}

// Plural is one for 1 and many for all else.
func Plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
