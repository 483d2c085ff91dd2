package rig

import (
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// worker is one of a fleet, whichever gateway passed on what its agent tells of it.
type worker struct{ fleet, name string }

func workerOf(resource pcommon.Resource) worker {
	fleet, _ := resource.Attributes().Get("llm.fleet.name")
	name, _ := resource.Attributes().Get("service.instance.id")
	return worker{fleet.Str(), name.Str()}
}

// attribute remembers the ends of the windows of which an agent told where a worker's time went.
func (w *Written) attribute(resource pcommon.Resource, scope pcommon.InstrumentationScope, metric pmetric.Metric) {
	if !strings.Contains(scope.Name(), "phaseattribution") || metric.Name() != "llm.phase.worker.time" || metric.Type() != pmetric.MetricTypeSum {
		return
	}
	of := workerOf(resource)
	for _, p := range metric.Sum().DataPoints().All() {
		if at := p.Timestamp().AsTime(); !p.Flags().NoRecordedValue() && !slices.Contains(w.attributed[of], at) {
			w.attributed[of] = append(w.attributed[of], at)
		}
	}
}

// Resumed is in how many windows of data a worker was heard of after a moment, beside the one in which that began, until its agent told where its
// time went; false while it has not. Windows in which nobody scraped the worker do not count: how often that is, is the machine's affair. A worker that
// is given to an agent as one of several fleets is told of in one of them.
func (w *Written) Resumed(name string, since time.Time, window time.Duration) (windows int, is bool) {
	var in worker
	var told time.Time
	for of, ends := range w.attributed {
		if at := earliest(ends, since); of.name == name && !at.IsZero() && (told.IsZero() || at.Before(told)) {
			in, told = of, at
		}
	}
	heard := map[time.Time]bool{}
	for of, times := range w.heard {
		if of.fleet != in.fleet || of.worker != in.name {
			continue
		}
		for _, at := range times {
			if at.After(since) && at.Before(told) {
				heard[at.Truncate(window)] = true
			}
		}
	}
	return len(heard) - 1, len(heard) > 0
}
