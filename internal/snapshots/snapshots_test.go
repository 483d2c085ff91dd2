package snapshots

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/snapshots/storagetest"
)

var began = time.Unix(1_700_000_000, 0)

func open(t *testing.T, shelf *storagetest.Shelf, schema int) (*Keeper, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	id := component.MustNewID("shelf")
	k, err := Open(t.Context(), shelf, Settings{
		Storage: &id, Kind: component.KindProcessor, Self: component.MustNewID("some"), Schema: schema, Limit: 3, Logger: zap.New(core),
	})
	require.NoError(t, err)
	return k, logs
}

// of are snapshots of workers, whose text is their own key.
func of(keys ...string) iter.Seq2[string, func() ([]byte, error)] {
	return func(yield func(string, func() ([]byte, error)) bool) {
		for _, key := range keys {
			if !yield(key, func() ([]byte, error) { return fmt.Appendf(nil, `{"Schema":1,"Of":%q}`, key), nil }) {
				return
			}
		}
	}
}

// load returns whose snapshot a worker got, "" for none.
func load(t *testing.T, k *Keeper, key string) string {
	t.Helper()
	var got struct{ Of string }
	k.Load(t.Context(), key, func(raw []byte) error { return json.Unmarshal(raw, &got) })
	return got.Of
}

func TestWhatIsSavedComesBack(t *testing.T) {
	shelf := storagetest.NewShelf(component.MustNewID("shelf"))
	k, _ := open(t, shelf, 1)
	assert.Empty(t, load(t, k, "a"))
	k.Save(t.Context(), began, of("a", "b"))
	require.NoError(t, k.Close(t.Context()))
	k, logs := open(t, shelf, 1)
	assert.Equal(t, "a", load(t, k, "a"))
	assert.Equal(t, "b", load(t, k, "b"))
	assert.Zero(t, logs.Len())
}

// TestWorkersThatAreGone: their snapshots are kept for a day from when they were last saved, over restarts, as far as there is room.
func TestWorkersThatAreGone(t *testing.T) {
	shelf := storagetest.NewShelf(component.MustNewID("shelf"))
	k, _ := open(t, shelf, 1)
	k.Save(t.Context(), began, of("a", "b"))
	k.Save(t.Context(), began.Add(KeptFor-time.Second), of("b"))
	k, _ = open(t, shelf, 1)
	assert.Equal(t, "a", load(t, k, "a"))
	k.Save(t.Context(), began.Add(KeptFor), of("b"))
	assert.Empty(t, load(t, k, "a"))
	k.Save(t.Context(), began.Add(KeptFor+time.Second), of("c", "d", "e"))
	assert.Empty(t, load(t, k, "b"), "there is room for three")
	assert.Len(t, shelf.Values(), 4, "three and the index")
}

func TestSavedAgainWhenItIsTime(t *testing.T) {
	shelf, id := storagetest.NewShelf(component.MustNewID("shelf")), component.MustNewID("shelf")
	k, err := Open(t.Context(), shelf, Settings{Storage: &id, Schema: 1, Limit: 3, Logger: zap.NewNop(), Every: time.Minute, Now: began})
	require.NoError(t, err)
	k.SaveDue(t.Context(), began.Add(59*time.Second), of("early"))
	k.SaveDue(t.Context(), began.Add(61*time.Second), of("due"))
	k.SaveDue(t.Context(), began.Add(120*time.Second), of("early"))
	assert.Equal(t, "due", load(t, k, "due"))
	assert.Empty(t, load(t, k, "early"))
	(*Keeper)(nil).SaveDue(t.Context(), began, of("nobody"))
}

func TestAnotherSchemaIsSaidOnce(t *testing.T) {
	shelf := storagetest.NewShelf(component.MustNewID("shelf"))
	k, _ := open(t, shelf, 1)
	k.Save(t.Context(), began, of("a", "b"))
	k, logs := open(t, shelf, 2)
	assert.Empty(t, load(t, k, "a"))
	assert.Empty(t, load(t, k, "b"))
	assert.Equal(t, 1, logs.FilterMessageSnippet("dropped").Len())
}

// TestABrokenStorage costs no more than a line when it breaks and one when it works again, and what was kept before stays known.
func TestABrokenStorage(t *testing.T) {
	shelf := storagetest.NewShelf(component.MustNewID("shelf"))
	k, logs := open(t, shelf, 1)
	k.Save(t.Context(), began, of("a"))
	shelf.Break(errors.New("no space"))
	assert.Empty(t, load(t, k, "a"))
	for range 5 {
		k.Save(t.Context(), began, of("a", "b"))
	}
	shelf.Break(nil)
	k.Save(t.Context(), began, of("b"))
	assert.Equal(t, "a", load(t, k, "a"))
	var said []string
	for _, line := range logs.All() {
		said = append(said, line.Message)
	}
	assert.Equal(t, []string{"what was learnt is not kept", "what was learnt is kept again"}, said)
}

func TestWithoutAStorageNothingIsKept(t *testing.T) {
	k, err := Open(t.Context(), componenttest.NewNopHost(), Settings{})
	require.NoError(t, err)
	k.Save(t.Context(), began, of("a"))
	assert.Empty(t, load(t, k, "a"))
	assert.NoError(t, k.Close(t.Context()))
}

func TestAStorageThatIsNone(t *testing.T) {
	id := component.MustNewID("other")
	_, err := Open(t.Context(), storagetest.NewShelf(component.MustNewID("shelf")), Settings{Storage: &id})
	assert.ErrorContains(t, err, "storage must name an extension (got other)")
}

func TestKeysAreToldApart(t *testing.T) {
	assert.NotEqual(t, Key("ab", ""), Key("a", "b"))
}
