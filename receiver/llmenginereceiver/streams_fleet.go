package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// leastFleetCoverage is of the workers of a fleet; under it nothing is said of duplicates and routing.
	leastFleetCoverage = 0.9
	// leastOverlapBlocks a worker, without one that two of them hold, are taken for hashes that do not compare.
	leastOverlapBlocks = 256
)

// Reasons why duplicates are withheld.
const (
	reasonCoverage  = "coverage"
	reasonNoOverlap = "no_overlap"
)

// join makes a worker part of the view of its fleet, "" for none.
func (s *streams) join(w *streamWorker, fleet string) {
	if w.kv == nil || w.fleet == fleet {
		return
	}
	if w.fleet != "" {
		w.kv.join(nil)
		s.r.fleets.leave(w.fleet, w)
	}
	if w.fleet = fleet; fleet != "" {
		w.kv.join(s.r.fleets.join(fleet, w, s.r.cfg.Streams.KVEvents.MemoryLimit/fleetShare))
	}
}

// merge writes what the fleet's merged view says: routing misses of the worker, and duplicates on a resource of the fleet, which one
// worker does for all.
func (s *streams) merge(md pmetric.Metrics, out *pointWriter, w *streamWorker, snapshot *kvSnapshot, resource pcommon.Resource, now time.Time) {
	name, _ := resource.Attributes().Get(signal.AttrFleetName)
	s.join(w, name.Str())
	if w.fleet == "" {
		return
	}
	view, workers, speaks := s.r.fleets.of(w.fleet, w)
	workers = max(workers, view.Workers, s.r.cfg.Streams.KVEvents.ExpectedWorkers)
	if workers < 2 {
		return
	}
	covered := float64(view.Known) / float64(workers)
	if covered >= leastFleetCoverage {
		snapshot.routed(out)
	}
	if speaks {
		s.duplicates(s.begin(md, fleetResource(resource), now), w, view, covered)
	}
}

// duplicates writes what workers hold twice. Without any common block nobody knows whether their hashes compare: vLLM seeds them at random
// unless PYTHONHASHSEED is set.
func (s *streams) duplicates(out *pointWriter, w *streamWorker, view kvcache.View, covered float64) {
	out.number(signal.Coverage, signal.AttrEstimate, signal.EstimateKVDuplicates).SetDoubleValue(covered)
	switch {
	case covered < leastFleetCoverage:
		w.withheld[reasonCoverage]++
	case view.Blocks == view.Distinct && view.Blocks >= leastOverlapBlocks*uint64(view.Workers):
		w.withheld[reasonNoOverlap]++
	case view.Blocks > 0:
		out.number(signal.KVDuplicates, "", "").SetIntValue(int64(view.DuplicateTokens))
		out.number(signal.KVDuplicateRatio, "", "").SetDoubleValue(1 - float64(view.Distinct)/float64(view.Blocks))
	}
	for _, reason := range []string{reasonCoverage, reasonNoOverlap} {
		if n := w.withheld[reason]; n > 0 {
			p := out.number(signal.EstimateWithheld, signal.AttrEstimate, signal.EstimateKVDuplicates)
			p.Attributes().PutStr(signal.AttrReason, reason)
			p.SetIntValue(int64(n))
		}
	}
}

// fleetResource is what a fleet's workers have in common.
func fleetResource(worker pcommon.Resource) pcommon.Resource {
	r := pcommon.NewResource()
	for _, name := range []string{signal.AttrServiceName, signal.AttrFleetName, signal.AttrModel} {
		if v, ok := worker.Attributes().Get(name); ok {
			v.CopyTo(r.Attributes().PutEmpty(name))
		}
	}
	return r
}
