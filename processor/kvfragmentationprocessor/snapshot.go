package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"

	"go.opentelemetry.io/collector/component"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// schema is the version of workerSnapshot. Another one is dropped. Raise it when the inputs change.
const schema = 1

// workerSnapshot is what is kept of one worker over a restart of the collector: what takes a long look. Sums begin anew, with a new start,
// and the trail of a minute fills in a minute.
type workerSnapshot struct {
	Schema int
	At     int64 // data time of the last window's end
	Inputs int   // counters; of another number it is of another form
	Long   trailSnapshot
	Costs  [3]risingSnapshot
	Storm  serving.KVStorm
	Lowest serving.KVLowest
}

// trailSnapshot is a trail but for its constant.
type trailSnapshot struct {
	Seconds, Held, Running, Resident, Known, Waited float64
	Totals                                          map[int]window.Value // of counters that were seen
}

type risingSnapshot struct{ Sum, Over float64 }

func (p *kvFragmentation) openSnapshots(ctx context.Context, host component.Host) (*snapshots.Keeper, error) {
	return snapshots.Open(ctx, host, snapshots.Settings{
		Storage: p.cfg.Storage, Kind: component.KindProcessor, Self: p.id, Schema: schema, Limit: p.cfg.MaxWorkers, Logger: p.logger,
		Every: p.cfg.SnapshotInterval, Now: p.clock.Now(),
	})
}

// learnt is what is kept of all workers.
func (p *kvFragmentation) learnt() iter.Seq2[string, func() ([]byte, error)] {
	return p.workers.Snapshots(derive.WorkerID.Key, (*worker).snapshot)
}

// snapshot is what was learnt of the worker.
func (w *worker) snapshot() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.long
	k := workerSnapshot{
		Schema: schema, At: max(w.ended, w.kept), Inputs: counters, Storm: w.storm, Lowest: w.lowest,
		Long: trailSnapshot{
			Seconds: t.seconds, Held: t.held, Running: t.running, Resident: t.resident, Known: t.known, Waited: t.waited,
			Totals: map[int]window.Value{},
		},
	}
	for i, v := range t.totals {
		if !v.Empty() {
			k.Long.Totals[i] = v
		}
	}
	for i, r := range w.costs.all() {
		k.Costs[i] = risingSnapshot{r.sum, r.over}
	}
	return json.Marshal(k)
}

// restore takes a snapshot back. After an error the worker has learnt nothing.
func (w *worker) restore(raw []byte) error {
	var k workerSnapshot
	if err := json.Unmarshal(raw, &k); err != nil {
		return err
	}
	if err := k.check(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.long
	t.seconds, t.held, t.running, t.resident, t.known, t.waited = k.Long.Seconds, k.Long.Held, k.Long.Running, k.Long.Resident, k.Long.Known, k.Long.Waited
	for i, v := range k.Long.Totals {
		t.totals[i] = v
	}
	for i, r := range w.costs.all() {
		r.sum, r.over = k.Costs[i].Sum, k.Costs[i].Over
	}
	w.storm, w.lowest, w.kept = k.Storm, k.Lowest, k.At
	return nil
}

// check finds what cannot have been written.
func (k *workerSnapshot) check() error {
	if k.Inputs != counters {
		return fmt.Errorf("inputs must be %d (got %d)", counters, k.Inputs)
	}
	if k.At < 0 {
		return fmt.Errorf("at must be at least 0 (got %d)", k.At)
	}
	t := &k.Long
	all := []float64{t.Seconds, t.Held, t.Running, t.Resident, t.Known, t.Waited}
	for _, r := range k.Costs {
		all = append(all, r.Sum, r.Over)
	}
	for i, v := range t.Totals {
		if i < 0 || i >= counters {
			return fmt.Errorf("totals must be of inputs 0 to %d (got %d)", counters-1, i)
		}
		if len(v.Counts) > 0 && len(v.Counts) != len(v.Bounds)+1 || !slices.IsSorted(v.Bounds) {
			return fmt.Errorf("totals of input %d must have a count for each of %d bounds and one more (got %d)", i, len(v.Bounds), len(v.Counts))
		}
		all = append(append(all, v.Count), v.Counts...)
	}
	for _, v := range all {
		if !(v >= 0) || math.IsInf(v, 1) {
			return fmt.Errorf("amounts must be at least 0 (got %v)", v)
		}
	}
	return nil
}

// resume is told when the first window after a snapshot begins: what was learnt fades for as long as nobody looked. After a pause in which
// a silent worker would have been forgotten, storms and the least of the hour begin anew.
func (w *worker) resume(from int64) {
	pause := float64(from-w.kept) / 1e9
	w.kept = 0
	if pause < 0 || pause > w.cfg.MaxStale.Seconds() {
		w.storm, w.lowest = serving.KVStorm{}, serving.KVLowest{}
	}
	w.long.rest(max(0, pause))
	w.costs.fade(w.long.fade)
}
