// Package signal is the one table of metric and attribute names that the components of this distribution share: what each
// metric is called, its instrument, its unit and its meaning. A component takes its names from here, so a rename is one edit,
// and docs/vocabulary.md is generated from the same table.
//
// Names follow the semantic conventions where those exist (hw.*, gen_ai.server.*). The rest is ours: llm.engine.* is what an
// engine said, llm.<topic>.* is what this distribution derived. Units are UCUM.
package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

import "slices"

// Instrument says how a metric's points combine.
type Instrument string

const (
	// Gauge is a value that holds at its timestamp; adding gauges over time means nothing.
	Gauge Instrument = "gauge"
	// Sum is a cumulative monotonic sum: its increase over a window is what happened in the window.
	Sum Instrument = "sum"
	// UpDownCounter is a cumulative sum that may fall, for amounts that add up over workers.
	UpDownCounter Instrument = "updowncounter"
	// Histogram is a cumulative histogram with explicit bounds.
	Histogram Instrument = "histogram"
)

// Metric declares one metric.
type Metric struct {
	Name        string
	Instrument  Instrument
	Unit        string   // UCUM
	Attributes  []string // point attributes; a point may leave one out where the description says so
	Component   string   // type of the component that emits it
	Description string
}

// All returns the whole table, ordered by component and then as declared. A metric that several components emit
// (llm.source.missing) is in it once, with the first.
func All() []Metric {
	var all []Metric
	seen := map[string]bool{}
	for _, m := range slices.Concat(tables()...) {
		if !seen[m.Name] {
			all = append(all, m)
			seen[m.Name] = true
		}
	}
	return all
}

// tables are the metrics of all components.
func tables() [][]Metric {
	return [][]Metric{
		EngineMetrics(), ProcessMetrics(), KVEventMetrics(), StepMetrics(), PhaseMetrics(), GPUMetrics(), NIXLMetrics(), AdviceMetrics(),
		KVFragmentationMetrics(), DisaggregationMetrics(),
	}
}

// Index returns ms by name.
func Index(ms []Metric) map[string]Metric {
	byName := make(map[string]Metric, len(ms))
	for _, m := range ms {
		byName[m.Name] = m
	}
	return byName
}
