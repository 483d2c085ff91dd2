package engine

import (
	"math"
	"strconv"
)

// appendPython writes a number as the Python client library does in an exposition: repr(), with Go's exponent from 10^6 on
// ("45.0", "1e+06", "1.7325e+09", "0.001", "1e-05").
func appendPython(dst []byte, v float64) []byte {
	if v >= 0 && v < 1e6 && v == math.Trunc(v) { // most numbers of a page
		return append(strconv.AppendUint(dst, uint64(v), 10), '.', '0')
	}
	if special := notFinite(v); special != "" {
		return append(dst, special...)
	}
	start := len(dst)
	dst = appendRepr(dst, v)
	text := dst[start:]
	dot := 0
	for dot < len(text) && text[dot] != '.' {
		dot++
	}
	if v <= 0 || dot <= 6 || dot == len(text) {
		return dst
	}
	return appendPythonExponent(dst, start, dot)
}

// appendPythonExponent turns dst[start:], a plain decimal number with the point at dot, into one with an exponent.
func appendPythonExponent(dst []byte, start, dot int) []byte {
	text := dst[start:]
	copy(text[2:dot+1], text[1:dot]) // the point moves behind the first digit
	text[1] = '.'
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	if dst[end-1] == '.' {
		end--
	}
	dst = append(dst[:end], 'e', '+')
	if dot-1 < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(dot-1), 10)
}

// appendRepr writes Python's repr() of a finite float: the shortest text that reads back the same, in plain notation from 1e-4 up
// to 1e16.
func appendRepr(dst []byte, v float64) []byte {
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

// appendShort writes whole numbers without a point ("45", "0.25"), as Rust's and Go's client libraries do.
func appendShort(dst []byte, v float64) []byte {
	if special := notFinite(v); special != "" {
		return append(dst, special...)
	}
	if math.Abs(v) < 1<<53 && v == math.Trunc(v) {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

// appendPointed writes a float of Rust's OpenMetrics library, always with a point.
func appendPointed(dst []byte, v float64) []byte {
	if special := notFinite(v); special != "" {
		return append(dst, special...)
	}
	return appendRepr(dst, v)
}

// notFinite names what is no finite number; "" for the others.
func notFinite(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case math.IsNaN(v):
		return "NaN"
	}
	return ""
}

func repr(v float64) string { return string(appendRepr(nil, v)) }
