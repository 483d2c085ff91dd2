package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"sync"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// tables are what is known of all engines, and what presets emit. They take half a megabyte, more than all else of a receiver with one
// engine, and are made when the first receiver is. It is safe for concurrent use, as is what it returns.
type tables struct {
	mu           sync.Mutex
	dialects     *dialect.Set
	vocabularies map[signal.Preset]*exposition.Vocabulary
}

func newTables() *tables {
	return &tables{vocabularies: make(map[signal.Preset]*exposition.Vocabulary)}
}

func (t *tables) of(p signal.Preset) (*dialect.Set, *exposition.Vocabulary, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dialects == nil {
		loaded, err := dialect.Load()
		if err != nil {
			return nil, nil, err
		}
		t.dialects = loaded
	}
	if t.vocabularies[p] == nil {
		t.vocabularies[p] = exposition.NewVocabulary(p)
	}
	return t.dialects, t.vocabularies[p], nil
}
