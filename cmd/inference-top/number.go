package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

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
	return words.Figure(*v, 3)
}

// quantity writes a value by its UCUM unit.
func quantity(v float64, unit string) string {
	switch unit {
	case "s":
		return words.Seconds(v)
	case "1":
		return percent(&v)
	}
	things := strings.Replace(unit, "}", "s}", 1)
	if v == 1 || !strings.HasPrefix(unit, "{") {
		things = unit
	}
	return words.Figure(v, 3) + " " + strings.NewReplacer("{", "", "}", "").Replace(things)
}
