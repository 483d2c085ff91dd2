// Package exposition turns the metrics pages of one target into data points. A Book remembers the series of its target: a series
// that was seen before is recognised by its raw bytes, so that a scrape parses values and nothing else.
package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"
