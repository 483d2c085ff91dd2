package rig

import (
	"regexp"
	"strconv"
	"strings"
)

// Sum adds up the samples of a Prometheus page whose name and labels match.
func Sum(page string, series *regexp.Regexp) (total float64) {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		end := strings.LastIndexByte(line, ' ')
		if end < 0 || line[0] == '#' || !series.MatchString(line[:end]) {
			continue
		}
		if value, err := strconv.ParseFloat(line[end+1:], 64); err == nil {
			total += value
		}
	}
	return total
}
