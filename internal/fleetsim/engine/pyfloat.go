package engine

import (
	"math"
	"strconv"
	"strings"
)

// pyFloat writes a number as the Python client library does in an exposition: repr(), with Go's exponent from 10^6 on
// ("45.0", "1e+06", "1.7325e+09", "0.001", "1e-05").
func pyFloat(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case math.IsNaN(v):
		return "NaN"
	}
	s := pyRepr(v)
	dot := strings.IndexByte(s, '.')
	if v <= 0 || dot <= 6 {
		return s
	}
	mantissa := strings.TrimRight(s[:1]+"."+s[1:dot]+s[dot+1:], "0.")
	exponent := strconv.Itoa(dot - 1)
	if len(exponent) < 2 {
		exponent = "0" + exponent
	}
	return mantissa + "e+" + exponent
}

// pyRepr is Python's repr() of a finite float: the shortest text that reads back the same, in plain notation from 1e-4 up to 1e16.
func pyRepr(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
