// Package storagetest has a storage extension for tests.
package storagetest // import "github.com/otelcol-inference/otelcol-inference/internal/snapshots/storagetest"

import (
	"context"
	"maps"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Shelf is a storage extension in memory, its one client, and a host that has it. It outlives the collectors that use it.
type Shelf struct {
	component.StartFunc
	component.ShutdownFunc
	id component.ID

	mu     sync.Mutex
	values map[string][]byte
	fail   error
}

var _ storage.Extension = (*Shelf)(nil)

// NewShelf makes an empty one that a host has under a name.
func NewShelf(id component.ID) *Shelf { return &Shelf{id: id, values: make(map[string][]byte)} }

// GetExtensions makes it a host.
func (s *Shelf) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{s.id: s}
}

// GetClient returns the same client for all.
func (s *Shelf) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return s, nil
}

// Break lets all that follows fail, or none with nil.
func (s *Shelf) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Values is a copy of what it holds.
func (s *Shelf) Values() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values)
}

// Get is nil of what is not there.
func (s *Shelf) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key], s.fail
}

// Set writes one value.
func (s *Shelf) Set(ctx context.Context, key string, value []byte) error {
	return s.Batch(ctx, storage.SetOperation(key, value))
}

// Delete removes one value.
func (s *Shelf) Delete(ctx context.Context, key string) error {
	return s.Batch(ctx, storage.DeleteOperation(key))
}

// Batch does all of the operations, or none.
func (s *Shelf) Batch(_ context.Context, ops ...*storage.Operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = s.values[op.Key]
		case storage.Set:
			s.values[op.Key] = op.Value
		case storage.Delete:
			delete(s.values, op.Key)
		}
	}
	return nil
}

// Close leaves it as it is.
func (s *Shelf) Close(context.Context) error { return nil }
