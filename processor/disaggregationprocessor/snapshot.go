package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
)

// schema is the version of fleetSnapshot. Another one is dropped.
const schema = 1

// fleetSnapshot is what is kept of a fleet over a restart of the collector: what takes ten minutes and more to conclude. Costs and the workload are
// known again after a minute or two, and sums begin anew, with a new start.
type fleetSnapshot struct {
	Schema  int
	At      int64 // data time of the last window's end
	Adviser serving.Adviser
	Record  serving.ForecastRecord
}

func (p *disaggregation) openSnapshots(ctx context.Context, host component.Host) (*snapshots.Keeper, error) {
	return snapshots.Open(ctx, host, snapshots.Settings{
		Storage: p.cfg.Storage, Kind: component.KindProcessor, Self: p.id, Schema: schema, Limit: p.cfg.MaxFleets, Logger: p.logger,
		Every: p.cfg.SnapshotInterval, Now: p.clock.Now(),
	})
}

// learnt is what is kept of all fleets.
func (f *fleets) learnt() iter.Seq2[string, func() ([]byte, error)] {
	return func(yield func(string, func() ([]byte, error)) bool) {
		f.mu.RLock()
		all := maps.Clone(f.byName)
		f.mu.RUnlock()
		for name, one := range all {
			if !yield(snapshots.Key(name), one.snapshot) {
				return
			}
		}
	}
}

// errUnsettled is why there is no snapshot yet.
var errUnsettled = errors.New("the fleet's topology is not known yet")

// snapshot is what was learnt of the fleet. Until it has settled there is none, and what was kept before stays in the storage.
func (f *fleet) snapshot() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.adviser.Known() {
		return nil, errUnsettled
	}
	return json.Marshal(fleetSnapshot{Schema: schema, At: f.closed, Adviser: f.adviser, Record: f.record})
}

// restore takes a snapshot back, of a fleet that nobody else knows yet. Nothing rests on it before the fleet has settled.
func (f *fleet) restore(raw []byte) error {
	var k fleetSnapshot
	if err := json.Unmarshal(raw, &k); err != nil {
		return err
	}
	if !k.Adviser.Known() {
		return errUnsettled
	}
	if last := k.Adviser.Latest(); k.At <= 0 || last > k.At {
		return fmt.Errorf("at must be at least 1 and the latest time of the adviser (got %d, latest %d)", k.At, last)
	}
	f.kept = &k
	return nil
}

// resume is told when a fleet has settled, before its topology is looked at: what the adviser concluded holds on, if it is of the time just before. One
// that was away for longer would have been forgotten.
func (f *fleet) resume(now int64) {
	k := f.kept
	if k == nil {
		return
	}
	f.kept = nil
	if pause := time.Duration(f.started - k.At); pause < -settling || pause > f.cfg.MaxStale {
		f.logger.Info("what was learnt of a fleet is of another time and dropped",
			zap.String("fleet", f.name), zap.Duration("pause", pause), zap.Duration("max_stale", f.cfg.MaxStale))
		return
	}
	f.adviser = k.Adviser
	f.adviser.Rest(time.Duration(now - k.At))
	f.record.Follow(k.Record)
}
