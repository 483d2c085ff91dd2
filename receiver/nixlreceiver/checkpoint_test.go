package nixlreceiver

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// memory is a storage client.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	fail   error // of a batch
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key], nil
}

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

func (m *memory) Batch(ctx context.Context, ops ...*storage.Operation) (err error) {
	if m.fail != nil {
		return m.fail
	}
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value, err = m.Get(ctx, op.Key)
		case storage.Set:
			err = m.Set(ctx, op.Key, op.Value)
		case storage.Delete:
			err = m.Delete(ctx, op.Key)
		}
	}
	return err
}

func (m *memory) Close(context.Context) error { return nil }

func (m *memory) checkpoint() *checkpoint {
	return &checkpoint{client: m, logger: zap.NewNop(), loaded: make(map[nixl.FileID]record)}
}

// crash ends the collector without a word, and starts another.
func (r *rig) crash(kept *memory) {
	r.fleet.close()
	if kept == nil {
		r.begin(nil)
		return
	}
	r.begin(kept.checkpoint())
}

func (r *rig) transfers() (count float64, start time.Time) {
	p := r.told().of(signal.NIXLTransferCount, signal.AttrNetDirection, "transmit")
	require.Len(r.t, p, 1)
	return p[0].value, p[0].start
}

func TestCountersGoOnAfterARestartOfTheCollector(t *testing.T) {
	for _, mode := range []Mode{ModeConsume, ModeAuto, ModeObserve} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = mode })
			kept := &memory{values: make(map[string][]byte)}
			r.begin(kept.checkpoint())
			w := newWriter(t, r.dir, "a", 256)
			r.run(10, 1, w)
			began := r.now
			for range 50 { // of 63 that fit
				w.transfer(true)
			}
			r.survey()
			r.after(time.Minute)
			r.fleet.saved.save(t.Context(), r.fleet)
			owned := r.fleet.agents[0].ring.Owned()
			assert.Equal(t, mode != ModeObserve, owned)
			r.crash(kept)
			w.transfer(true)
			r.survey()
			r.poll()
			count, start := r.transfers()
			assert.Equal(t, 51.0, count, "each once")
			assert.Equal(t, began.UTC(), start)
			assert.Equal(t, owned, r.fleet.agents[0].ring.Owned(), "a ring that was ours is so at once")
		})
	}
}

// TestACrashBetweenReadingAndTelling: what was read after the last save is read again from a ring that is observed, and is missing
// from one that is consumed; nothing is ever counted twice.
func TestACrashBetweenReadingAndTelling(t *testing.T) {
	for mode, want := range map[Mode]float64{ModeObserve: 3, ModeConsume: 2} {
		r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = mode })
		kept := &memory{values: make(map[string][]byte)}
		r.begin(kept.checkpoint())
		w := newWriter(t, r.dir, "a", 256)
		r.run(10, 1, w)
		w.transfer(true)
		r.look()
		r.fleet.saved.save(t.Context(), r.fleet)
		w.transfer(true)
		r.poll()
		r.crash(kept)
		w.transfer(true)
		r.survey()
		r.poll()
		count, _ := r.transfers()
		assert.Equal(t, want, count, mode)
	}
}

func TestWithoutStorageCountersBeginAnew(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	w := newWriter(t, r.dir, "a", 256)
	r.run(10, 1, w)
	w.transfer(true)
	r.look()
	r.crash(nil)
	r.now = r.now.Add(time.Minute)
	w.transfer(true)
	r.survey()
	r.poll()
	count, start := r.transfers()
	assert.Equal(t, 1.0, count)
	assert.Equal(t, r.now.UTC(), start, "which the start time says")
}

// TestAStorageThatFailsIsTriedAgain: what is to be kept, and what is to be dropped, comes with the next save.
func TestAStorageThatFailsIsTriedAgain(t *testing.T) {
	kept := &memory{values: make(map[string][]byte), fail: errors.New("full")}
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	r.begin(kept.checkpoint())
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	w.transfer(true)
	r.look()
	r.fleet.saved.save(t.Context(), r.fleet)
	assert.Empty(t, kept.values)
	kept.fail = nil
	r.fleet.saved.save(t.Context(), r.fleet)
	assert.Len(t, kept.values, 1)
	require.NoError(t, os.Remove(w.path))
	w.end()
	r.stop(10)
	r.after(lookAgain)
	require.Empty(t, r.fleet.agents)
	kept.fail = errors.New("full")
	r.fleet.saved.save(t.Context(), r.fleet)
	kept.fail = nil
	r.fleet.saved.save(t.Context(), r.fleet)
	assert.Empty(t, kept.values)
}

func TestAnotherSchemaIsDroppedWithAWord(t *testing.T) {
	kept := &memory{values: make(map[string][]byte)}
	r := newRig(t, nil)
	for i := range 3 {
		w := newWriter(t, r.dir, string(rune('a'+i)), 64)
		kept.values[key(w.id())] = []byte(`{"Schema":2}`)
	}
	core, logs := observer.New(zapcore.InfoLevel)
	c := kept.checkpoint()
	c.logger = zap.New(core)
	r.begin(c)
	r.look()
	require.Len(t, logs.All(), 1)
	assert.Equal(t, map[string]any{"rings": int64(3), "schema": int64(1)}, logs.All()[0].ContextMap())
}

func TestAnotherLifeDoesNotInherit(t *testing.T) {
	kept := &memory{values: make(map[string][]byte)}
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	r.begin(kept.checkpoint())
	w := newWriter(t, r.dir, "a", 256)
	r.run(10, 1, w)
	w.transfer(true)
	r.look()
	r.fleet.saved.save(t.Context(), r.fleet)
	r.fleet.close()
	w.end()
	again := newWriter(t, r.dir, "a", 256)
	r.run(10, 99, again) // the same number, another process
	again.transfer(true)
	r.begin(kept.checkpoint())
	r.survey()
	r.poll()
	count, _ := r.transfers()
	assert.Equal(t, 1.0, count)

	for key := range kept.values {
		kept.values[key] = []byte(`{"Schema":2}`)
	}
	r.crash(kept)
	assert.NotEmpty(t, r.look().of(signal.NIXLAgentUp), "another schema is dropped")
	again.end()
	r.stop(10)
	r.after(r.cfg.StaleAfter + 10*time.Second)
	r.fleet.saved.save(t.Context(), r.fleet)
	assert.Empty(t, kept.values, "the dead are not kept")
}

// TestAFullRingAfterACrash: the record is behind the ring's own position, which in a full ring looks like far ahead of it.
func TestAFullRingAfterACrash(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	kept := &memory{values: make(map[string][]byte)}
	r.begin(kept.checkpoint())
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	for range 2 {
		w.transfer(true)
	}
	r.look()
	r.fleet.saved.save(t.Context(), r.fleet)
	for range 2 {
		w.transfer(true)
	}
	r.poll()
	r.crash(kept)
	for range 20 { // of which 15 fit
		w.transfer(true)
	}
	r.survey()
	r.poll()
	count, _ := r.transfers()
	assert.Equal(t, 17.0, count, "2 that were saved and 15 that waited")
}
