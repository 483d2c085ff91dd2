package derive

import (
	"iter"
	"maps"
	"sync"
)

// Held is the state of all that was seen, workers or agents, by what tells them apart. When Limit is reached the new is turned away and the
// old stays: to evict under pressure would lose everybody's past in turn. It is safe for concurrent use.
type Held[K comparable, V any] struct {
	Limit int

	mu    sync.RWMutex
	byKey map[K]*V
}

// Find returns what is held under a key, nil for nothing.
func (h *Held[K, V]) Find(key K) *V {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.byKey[key]
}

// Get returns what is held under a key, made by create at first sight. It returns nil when there is no room.
func (h *Held[K, V]) Get(key K, create func() *V) *V {
	if found := h.Find(key); found != nil {
		return found
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if found := h.byKey[key]; found != nil {
		return found
	}
	if len(h.byKey) >= h.Limit {
		return nil
	}
	one := create()
	h.put(key, one)
	return one
}

// Full reports whether there is no room for another.
func (h *Held[K, V]) Full() bool { return h.Len() >= h.Limit }

// Put holds one, in the place of another of the same key. It does not look at the limit.
func (h *Held[K, V]) Put(key K, one *V) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(key, one)
}

func (h *Held[K, V]) put(key K, one *V) {
	if h.byKey == nil {
		h.byKey = map[K]*V{}
	}
	h.byKey[key] = one
}

// Each calls visit for each of this moment and forgets those for which it returns true, unless another is in its place by then.
func (h *Held[K, V]) Each(visit func(*V) (forget bool)) {
	for key, one := range h.All() {
		if visit(one) {
			h.forget(key, one)
		}
	}
}

func (h *Held[K, V]) forget(key K, one *V) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byKey[key] == one {
		delete(h.byKey, key)
	}
}

// Clear forgets all.
func (h *Held[K, V]) Clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.byKey)
}

// All returns what is held at this moment.
func (h *Held[K, V]) All() map[K]*V {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return maps.Clone(h.byKey)
}

// Len is how many are held.
func (h *Held[K, V]) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.byKey)
}

// Snapshots are those of all that is held at the moment they are asked for, by their keys in a storage, as package snapshots takes them.
func (h *Held[K, V]) Snapshots(key func(K) string, snapshot func(*V) ([]byte, error)) iter.Seq2[string, func() ([]byte, error)] {
	return func(yield func(string, func() ([]byte, error)) bool) {
		for id, one := range h.All() {
			if !yield(key(id), func() ([]byte, error) { return snapshot(one) }) {
				return
			}
		}
	}
}
