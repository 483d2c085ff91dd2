package exposition

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxBytesPerTarget bounds what one vLLM target costs while it is not being scraped.
const maxBytesPerTarget = 256 << 10

// TestMemoryOf200Targets scrapes 200 targets in turn and looks at what stays, and that it stays the same.
func TestMemoryOf200Targets(t *testing.T) {
	const targets = 200
	page := readPage(t, filepath.Join(recordings, "vllm-0.32.0-cpu", "metrics-006.prom"))
	books := make([]*Book, targets)
	shared := newBook(t).set // as the targets of one receiver share the dialects
	for i := range books {
		books[i] = NewBook(shared)
	}
	scrape := func(i int) {
		for _, b := range books {
			_, _, err := b.Scrape(page, false, start().Add(time.Duration(i)*time.Second), "")
			require.NoError(t, err)
		}
	}
	before := heap()
	scrape(0)
	once := heap() - before
	assert.Less(t, once/targets, int64(maxBytesPerTarget))
	for i := range 2 {
		scrape(i + 1)
	}
	assert.InDelta(t, once, heap()-before, 2<<20, "a scrape leaves nothing behind")
	t.Logf("%d bytes per target", once/targets)
	runtime.KeepAlive(books)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestKnownPageAllocatesForPointsOnly: what a scrape allocates is the parser and the data points, not the series.
func TestKnownPageAllocatesForPointsOnly(t *testing.T) {
	page := readPage(t, filepath.Join(recordings, "vllm-0.32.0-cpu", "metrics-006.prom"))
	b := newBook(t)
	b.now.at = 1
	b.scrape = 1
	_, err := parse(page, false, b)
	require.NoError(t, err)
	allocations := testing.AllocsPerRun(10, func() {
		_, err := parse(page, false, b)
		require.NoError(t, err)
	})
	assert.Less(t, allocations, 40.0, "for %d series", len(b.known))
}

// TestKnownLayoutAllocatesNothing: a page of which only the values changed is read without the parser.
func TestKnownLayoutAllocatesNothing(t *testing.T) {
	page := readPage(t, filepath.Join(recordings, "vllm-0.32.0-cpu", "metrics-006.prom"))
	b := newBook(t)
	_, _, err := b.Scrape(page, false, start(), "")
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		b.begin(b.now.at + 1)
		require.NoError(t, b.page(page, false))
	}))
}
