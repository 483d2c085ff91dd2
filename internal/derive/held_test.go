package derive

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type one struct{ name string }

func made(name string) func() *one { return func() *one { return &one{name} } }

func TestTheNewIsTurnedAwayAndTheOldStays(t *testing.T) {
	h := Held[string, one]{Limit: 2}
	assert.Nil(t, h.Find("a"))
	first := h.Get("a", made("a"))
	require.NotNil(t, first)
	assert.Same(t, first, h.Get("a", made("another")))
	assert.False(t, h.Full())
	require.NotNil(t, h.Get("b", made("b")))
	assert.True(t, h.Full())
	assert.Nil(t, h.Get("c", made("c")))
	assert.Same(t, first, h.Find("a"))

	h.Put("a", &one{"later"})
	assert.Equal(t, "later", h.Find("a").name)
	assert.Equal(t, 2, h.Len())
	h.Clear()
	assert.Zero(t, h.Len())
}

// Another that took the place of a visited one meanwhile is not forgotten in its stead.
func TestEachForgetsWhomItVisited(t *testing.T) {
	h := Held[string, one]{Limit: 3}
	for _, name := range []string{"goes", "stays", "replaced"} {
		h.Get(name, made(name))
	}
	h.Each(func(o *one) bool {
		if o.name == "replaced" {
			h.Put("replaced", &one{"new"})
		}
		return o.name != "stays"
	})
	assert.Nil(t, h.Find("goes"))
	assert.NotNil(t, h.Find("stays"))
	assert.Equal(t, "new", h.Find("replaced").name)
}

func TestHeldByManyAtOnce(t *testing.T) {
	h := Held[int, one]{Limit: 50}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				if o := h.Get(i%60, made("x")); o != nil {
					h.Each(func(*one) bool { return i == 99 })
				}
				assert.LessOrEqual(t, h.Len(), 50)
			}
		})
	}
	all.Wait()
}

func TestSnapshotsByKey(t *testing.T) {
	h := Held[int, one]{Limit: 3}
	h.Get(1, made("a"))
	h.Get(2, made("b"))
	got := map[string]string{}
	for key, snapshot := range h.Snapshots(func(i int) string { return string(rune('0' + i)) }, func(o *one) ([]byte, error) { return []byte(o.name), nil }) {
		text, err := snapshot()
		require.NoError(t, err)
		got[key] = string(text)
	}
	assert.Equal(t, map[string]string{"1": "a", "2": "b"}, got)
	for range h.Snapshots(func(int) string { return "" }, nil) {
		break // who looks at one only
	}
}
