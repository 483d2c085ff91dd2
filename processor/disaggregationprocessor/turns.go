package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"hash/fnv"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
)

// groupsPerEvaluation worker groups lengthen the time between evaluations by once itself: a rehearsal takes longer with each.
const groupsPerEvaluation = 16

// turn reports whether a further period between evaluations began. A fleet's periods begin at a moment of data time that its name
// decides: a gateway that starts knows all its fleets from the same window on, and would evaluate them all in one; and whichever gateway
// looks after a fleet, it is evaluated at the same times.
func (f *fleet) turn(now int64, t serving.Topology) bool {
	period := f.period(t)
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(f.name)) // cannot fail
	n := (now + int64(hash.Sum64()%uint64(period))) / period
	due := f.evaluated != 0 && n != f.evaluated
	f.evaluated = n
	return due
}

// period is the time between evaluations, ns.
func (f *fleet) period(t serving.Topology) int64 {
	return int64(f.cfg.EvaluateEvery) * int64(1+t.Groups()/groupsPerEvaluation)
}

// advise has the adviser consider an evaluation, which speaks for the time since the one before it.
func (f *fleet) advise(now int64, current serving.Topology, n *forecast) bool {
	speaksFor := min(f.period(current), int64(f.past.seconds*1e9))
	return f.adviser.Consider(serving.Evaluation{
		From: now - speaksFor, Now: now, Best: n.best.Topology, Surety: n.surety, Current: n.current.Goodput, Then: n.best.Goodput,
	}) && !f.record.Poor()
}
