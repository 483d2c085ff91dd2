// Package snapshots keeps what was learnt of workers and fleets over a restart of the collector, in a storage extension. What another version of the
// collector kept in another form is dropped, and said so once; what a worker learnt that does not come back is deleted after a day.
package snapshots // import "github.com/otelcol-inference/otelcol-inference/internal/snapshots"

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// KeptFor is how long a snapshot of a worker that does not come back is kept.
const KeptFor = 24 * time.Hour

const indexKey = "index"

// Keeper keeps a snapshot of each worker, or of whatever else has a key. A nil Keeper keeps nothing.
type Keeper struct {
	client storage.Client
	logger *zap.Logger
	schema int
	limit  int // of workers kept
	every  time.Duration
	failed atomic.Bool
	other  atomic.Bool // a snapshot of another schema was dropped

	mu    sync.Mutex
	saved time.Time        // last
	index map[string]int64 // when the worker of that key was saved last, unix seconds
}

// Settings of a Keeper. All are needed but Storage, without which nothing is kept.
type Settings struct {
	Storage *component.ID // of the extension
	Kind    component.Kind
	Self    component.ID
	Schema  int // the version of the snapshots' form; they have it in a field "Schema"
	Limit   int // of workers kept
	Logger  *zap.Logger
	Every   time.Duration // between two that SaveDue writes
	Now     time.Time     // by the clock of this machine
}

// Open begins to keep.
func Open(ctx context.Context, host component.Host, set Settings) (*Keeper, error) {
	if set.Storage == nil {
		return nil, nil
	}
	client, err := Client(ctx, host, *set.Storage, set.Kind, set.Self)
	if err != nil {
		return nil, err
	}
	k := &Keeper{client: client, logger: set.Logger, schema: set.Schema, limit: set.Limit, every: set.Every, saved: set.Now,
		index: map[string]int64{}}
	raw, err := client.Get(ctx, indexKey)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &k.index)
	}
	k.say(err)
	return k, nil
}

// Key is that of a worker, from what tells it apart from others.
func Key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("worker/%x", sum[:16])
}

// say logs a failure of the storage once until it works again.
func (k *Keeper) say(err error) {
	if was := k.failed.Swap(err != nil); was != (err != nil) {
		if err != nil {
			k.logger.Warn("what was learnt is not kept", zap.Error(err))
		} else {
			k.logger.Info("what was learnt is kept again")
		}
	}
}

// Load gives a worker its snapshot back, if there is one of this schema.
func (k *Keeper) Load(ctx context.Context, key string, take func(raw []byte) error) {
	if k == nil {
		return
	}
	raw, err := k.client.Get(ctx, key)
	k.say(err)
	if err != nil || raw == nil {
		return
	}
	var head struct{ Schema int }
	if err := json.Unmarshal(raw, &head); err != nil || head.Schema != k.schema {
		k.drop(fmt.Errorf("schema must be %d (got %d)", k.schema, head.Schema))
		return
	}
	if err := take(raw); err != nil {
		k.drop(err)
	}
}

// drop says once that snapshots are of no use.
func (k *Keeper) drop(err error) {
	if !k.other.Swap(true) {
		k.logger.Warn("what another version of the collector learnt is dropped", zap.Error(err))
	}
}

// Save writes the snapshots of workers, by their keys, and deletes those of workers that have been gone for long. now is the clock of
// this machine.
func (k *Keeper) Save(ctx context.Context, now time.Time, workers iter.Seq2[string, func() ([]byte, error)]) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var ops []*storage.Operation
	saved := make(map[string]int64, len(k.index))
	for key, snapshot := range workers {
		if text, err := snapshot(); err == nil {
			ops = append(ops, storage.SetOperation(key, text))
			saved[key] = now.Unix()
		}
	}
	for key, at := range k.index {
		switch _, here := saved[key]; {
		case here:
		case now.Unix()-at < int64(KeptFor.Seconds()) && len(saved) < k.limit:
			saved[key] = at
		default:
			ops = append(ops, storage.DeleteOperation(key))
		}
	}
	index, err := json.Marshal(saved)
	if err == nil {
		err = k.client.Batch(ctx, append(ops, storage.SetOperation(indexKey, index))...)
	}
	k.say(err)
	if err == nil {
		k.index = saved
	}
}

// SaveDue is Save when it is time for it again.
func (k *Keeper) SaveDue(ctx context.Context, now time.Time, workers iter.Seq2[string, func() ([]byte, error)]) {
	if k == nil || !k.due(now) {
		return
	}
	k.Save(ctx, now, workers)
}

func (k *Keeper) due(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.saved) < k.every {
		return false
	}
	k.saved = now
	return true
}

// Close ends it.
func (k *Keeper) Close(ctx context.Context) error {
	if k == nil {
		return nil
	}
	return k.client.Close(ctx)
}
