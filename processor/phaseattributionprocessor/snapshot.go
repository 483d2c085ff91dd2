package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
)

// snapshots keep what was learnt of workers over a restart of the collector: the fits alone. Sums are not kept: they add up to elapsed
// time, and the time of the restart was not seen, so that they begin anew with a new start. A nil *snapshots keeps nothing.
type snapshots struct {
	client storage.Client
	logger *zap.Logger
	limit  int // of workers kept
	failed atomic.Bool
	other  atomic.Bool // a snapshot of another schema was dropped

	mu    sync.Mutex
	index map[string]int64 // when the worker of that key was saved last, unix seconds
}

const (
	// schema is the version of workerSnapshot. Another one is dropped.
	schema = 1
	// keptFor is how long a snapshot of a worker that does not come back is kept.
	keptFor  = 24 * time.Hour
	indexKey = "index"
)

// workerSnapshot is what is kept of one worker.
type workerSnapshot struct {
	Schema   int
	Engine   map[string]string // told configuration, by attribute
	Steps    *serving.Splitter
	Passes   *serving.PassSplitter
	Deployed string          `json:",omitempty"` // of Roofline
	Roofline json.RawMessage `json:",omitempty"`
	Pricers  [2 * pricerSets][gpuAmounts]*json.RawMessage
}

func openSnapshots(ctx context.Context, host component.Host, cfg *Config, self component.ID, logger *zap.Logger) (*snapshots, error) {
	if cfg.Storage == nil {
		return nil, nil
	}
	extension, ok := host.GetExtensions()[*cfg.Storage]
	if !ok {
		return nil, fmt.Errorf("storage must name an extension (got %s)", cfg.Storage)
	}
	keeper, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage must name a storage extension (got %s)", cfg.Storage)
	}
	client, err := keeper.GetClient(ctx, component.KindProcessor, self, "")
	if err != nil {
		return nil, fmt.Errorf("storage %s: %w", cfg.Storage, err)
	}
	s := &snapshots{client: client, logger: logger, limit: cfg.MaxWorkers, index: map[string]int64{}}
	raw, err := client.Get(ctx, indexKey)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &s.index)
	}
	s.say(err)
	return s, nil
}

// say logs a failure of the storage once until it works again.
func (s *snapshots) say(err error) {
	if was := s.failed.Swap(err != nil); was != (err != nil) {
		if err != nil {
			s.logger.Warn("what was learnt of workers is not kept", zap.Error(err))
		} else {
			s.logger.Info("what was learnt of workers is kept again")
		}
	}
}

// key is that of a worker in the storage.
func (id workerID) key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{id.engine, id.service, id.namespace, id.instance, id.host, id.model}, "\x00")))
	return fmt.Sprintf("worker/%x", sum[:16])
}

// restore gives a new worker back what was learnt of it.
func (s *snapshots) restore(ctx context.Context, id workerID, w *worker) {
	if s == nil {
		return
	}
	raw, err := s.client.Get(ctx, id.key())
	s.say(err)
	if err != nil || raw == nil {
		return
	}
	var head struct{ Schema int }
	if err := json.Unmarshal(raw, &head); err != nil || head.Schema != schema {
		s.drop(fmt.Errorf("schema must be %d (got %d)", schema, head.Schema))
		return
	}
	if err := w.restore(raw); err != nil {
		s.drop(err)
	}
}

// drop says once that snapshots are of no use.
func (s *snapshots) drop(err error) {
	if !s.other.Swap(true) {
		s.logger.Warn("what another version of the collector learnt of workers is dropped", zap.Error(err))
	}
}

// save writes the snapshots of workers, and deletes those of workers that have been gone for long. now is the clock of this machine.
func (s *snapshots) save(ctx context.Context, now time.Time, workers map[workerID]*worker) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ops []*storage.Operation
	saved := make(map[string]int64, len(s.index))
	for id, w := range workers {
		if text, err := w.snapshot(); err == nil {
			ops = append(ops, storage.SetOperation(id.key(), text))
			saved[id.key()] = now.Unix()
		}
	}
	for key, at := range s.index {
		switch _, here := saved[key]; {
		case here:
		case now.Unix()-at < int64(keptFor.Seconds()) && len(saved) < s.limit:
			saved[key] = at
		default:
			ops = append(ops, storage.DeleteOperation(key))
		}
	}
	index, err := json.Marshal(saved)
	if err == nil {
		err = s.client.Batch(ctx, append(ops, storage.SetOperation(indexKey, index))...)
	}
	s.say(err)
	if err == nil {
		s.index = saved
	}
}

func (s *snapshots) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.client.Close(ctx)
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
