package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"go.opentelemetry.io/collector/component"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
)

// schema is the version of workerSnapshot. Another one is dropped.
const schema = 2

// workerSnapshot is what is kept of one worker over a restart of the collector: the fits alone. Sums are not kept: they add up to elapsed
// time, and the time of the restart was not seen, so that they begin anew with a new start.
type workerSnapshot struct {
	Schema   int
	Engine   map[string]string // told configuration, by attribute
	Steps    *serving.Splitter
	Passes   *serving.PassSplitter
	Deployed string          `json:",omitempty"` // of Roofline
	Roofline json.RawMessage `json:",omitempty"`
	Pricers  [2 * pricerSets][gpuAmounts]*json.RawMessage
}

func (p *phaseAttribution) openSnapshots(ctx context.Context, host component.Host) (*snapshots.Keeper, error) {
	return snapshots.Open(ctx, host, snapshots.Settings{
		Storage: p.cfg.Storage, Kind: component.KindProcessor, Self: p.id, Schema: schema, Limit: p.cfg.MaxWorkers, Logger: p.logger,
		Every: p.cfg.SnapshotInterval, Now: p.clock.Now(),
	})
}

// learnt is what is kept of all workers.
func (p *phaseAttribution) learnt() iter.Seq2[string, func() ([]byte, error)] {
	return p.workers.Snapshots(derive.WorkerID.Key, (*worker).snapshot)
}

// snapshot is what was learnt of the worker.
func (w *worker) snapshot() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := workerSnapshot{Schema: schema, Engine: w.engine.texts(), Steps: w.tiers.steps, Passes: w.tiers.passes}
	if w.tiers.roofline != nil {
		text, err := json.Marshal(w.tiers.roofline)
		if err != nil {
			return nil, err
		}
		k.Roofline, k.Deployed = text, w.tiers.deployed.Fingerprint()
	}
	for set := range w.spending.pricers {
		for i, p := range w.spending.pricers[set] {
			if p == nil {
				continue
			}
			text, err := json.Marshal(p)
			if err != nil {
				return nil, err
			}
			raw := json.RawMessage(text)
			k.Pricers[set][i] = &raw
		}
	}
	return json.Marshal(k)
}

// restore takes a snapshot back. After an error the worker has learnt nothing.
func (w *worker) restore(raw []byte) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		if err != nil {
			w.tiers.forget(0)
			w.spending.forget()
		}
	}()
	k := workerSnapshot{Steps: w.tiers.steps, Passes: w.tiers.passes}
	if err := json.Unmarshal(raw, &k); err != nil {
		return err
	}
	if k.Steps == nil || k.Passes == nil {
		return fmt.Errorf("fits of both tiers must be there")
	}
	for set := range k.Pricers {
		for i, text := range k.Pricers[set] {
			if text == nil {
				continue
			}
			p := newPricer(i)
			if err := json.Unmarshal(*text, p); err != nil {
				return err
			}
			w.spending.pricers[set][i] = p
		}
	}
	w.engine = configuredAs(k.Engine)
	w.tiers.kept, w.tiers.keptOf = k.Roofline, k.Deployed
	w.tiers.resume()
	w.deploy()
	return nil
}
