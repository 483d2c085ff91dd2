package main

import "strings"

// loop is a benchmark of something that runs all the time.
type loop struct {
	module    string // folder of its module in the repository
	pkg       string // in the module
	benchmark string // with its sub-benchmarks, as the testing package prints it
	// few, many are iterations of two runs whose difference is looked at: what a benchmark does before its loop does not count. What a
	// component does beside it by the clock does, and is up to ten million instructions on a busy machine: the difference should be 100 to
	// 300 million.
	few, many int
	// alone says that the benchmark does more between the iterations than in them, or needs what valgrind cannot run: only allocations
	// are looked at.
	alone bool
}

// name identifies the loop in the baseline and the table.
func (l loop) name() string { return l.pkg + " " + l.benchmark }

// binary is the name of the package's test binary.
func (l loop) binary() string { return l.pkg[strings.LastIndexByte(l.pkg, '/')+1:] + ".test" }

// loops are what is guarded.
func loops() []loop {
	return []loop{
		{pkg: "internal/exposition", benchmark: "Scrape/known_page", few: 20, many: 220},
		{pkg: "internal/exposition", benchmark: "Scrape/to_data_points", few: 20, many: 120},
		{pkg: "internal/kvevents", benchmark: "Decode/map", few: 20, many: 220},
		{pkg: "internal/kvevents", benchmark: "Decode/sglang", few: 20, many: 220},
		{pkg: "internal/kvevents", benchmark: "DecodeAndReduce/64k_live", alone: true},
		{pkg: "internal/kvcache", benchmark: "Fleet", few: 20, many: 300_020},
		{pkg: "internal/passes", benchmark: "Take/map", few: 100, many: 10100},
		{pkg: "internal/nixl", benchmark: "Drain/reader_and_tally", few: 10, many: 60},
		{pkg: "internal/window", benchmark: "ObserveAndClose", few: 100, many: 15100},
		{pkg: "receiver/nvmlreceiver", benchmark: "Sample/h100", alone: true},
		through("phase_attribution"), through("kv_fragmentation"), through("disaggregation"),
		{pkg: "processor/llmenginenormalizerprocessor", benchmark: "Normalise", few: 10, many: 60},
		{pkg: "connector/adviceconnector", benchmark: "Scrape", alone: true},
		{pkg: "exporter/inferencedashboardexporter", benchmark: "ConsumeMetrics/engine", few: 20, many: 12_020},
		beside("phase_attribution", 30_020), beside("kv_fragmentation", 30_020), beside("disaggregation", 3020),
		beside("llm_engine_normalizer", 3020), beside("advice", 2020),
	}
}

// beside is what a component does with points of what is no engine: the less that is, the more iterations.
func beside(component string, many int) loop {
	return loop{module: "tests", pkg: "guard", benchmark: "Foreign/" + component, few: 20, many: many}
}

// through is what a processor does with scrapes of engines, windows that close included.
func through(processor string) loop {
	return loop{module: "tests", pkg: "guard", benchmark: "Consume/" + processor, few: 5, many: 55}
}

// allocationRuns is over how many iterations allocations are averaged: what is made once does not show then.
const allocationRuns = 1000
