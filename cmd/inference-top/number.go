package main

import (
	"math"
	"strconv"
	"strings"
)

// digits writes a number with at most three significant digits.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64)
}

func seconds(s float64) string {
	switch {
	case s < 0.9995e-3:
		return digits(s*1e6) + " µs"
	case s < 0.9995:
		return digits(s*1e3) + " ms"
	}
	return digits(s) + " s"
}

func percent(share *float64) string {
	if share == nil {
		return "–"
	}
	return strconv.Itoa(int(math.Round(100**share))) + " %"
}

func whole(v *float64) string {
	if v == nil {
		return "–"
	}
	return digits(*v)
}

// quantity writes a value by its UCUM unit.
func quantity(v float64, unit string) string {
	switch unit {
	case "s":
		return seconds(v)
	case "1":
		return percent(&v)
	}
	things := strings.Replace(unit, "}", "s}", 1)
	if v == 1 || !strings.HasPrefix(unit, "{") {
		things = unit
	}
	return digits(v) + " " + strings.NewReplacer("{", "", "}", "").Replace(things)
}
