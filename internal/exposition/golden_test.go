package exposition

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// dialects are the same for all books, as in a receiver.
var dialects = sync.OnceValues(dialect.Load)

var update = flag.Bool("update", false, "write the golden files anew")

// start is when the engines of testdata began, give or take seconds; scrapes are 100 s later.
func start() time.Time { return time.Unix(1_700_000_000, 0).UTC() }

func newBook(t testing.TB, change ...func(*Settings)) *Book {
	t.Helper()
	dialects, err := dialects()
	require.NoError(t, err)
	set := Settings{Dialects: dialects, Identity: Identity{Address: "10.0.0.7", Port: 8000}, MaxSeries: 20_000, Version: "1.2.3"}
	for _, f := range change {
		f(&set)
	}
	return NewBook(set)
}

// body returns a page with the room behind it that Scrape wants.
func body(page string) []byte {
	return append(make([]byte, 0, len(page)+1), page...)
}

func readPage(t testing.TB, path string) []byte {
	t.Helper()
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	return body(string(page))
}

func TestGolden(t *testing.T) {
	pages, err := filepath.Glob("testdata/*.prom")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), ".prom")
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			md, _, err := b.Scrape(readPage(t, page), name == "rust", start().Add(100*time.Second), "0.32.0")
			require.NoError(t, err)
			golden := strings.TrimSuffix(page, ".prom") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(text(md)), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), text(md))
		})
	}
}

func TestIdentityIsConfigurable(t *testing.T) {
	b := newBook(t, func(s *Settings) {
		s.Identity = Identity{Address: "::1", Port: 8000, Service: "chat", Fleet: "blue", Role: "prefill", Host: "node-7"}
	})
	md, _, err := b.Scrape(readPage(t, "testdata/v1.prom"), false, start().Add(time.Minute), "")
	require.NoError(t, err)
	got, _, _ := strings.Cut(text(md), "\n")
	assert.Equal(t, "resource {gen_ai.request.model=qwen host.name=node-7 llm.engine.name=vllm llm.engine.role=prefill "+
		"llm.fleet.name=blue server.address=::1 server.port=8000 service.instance.id=[::1]:8000 service.name=chat}", got)
	assert.Contains(t, text(md), "llm.engine.role.source=config llm.engine.role=prefill llm.engine.variant=v1} 1\n")
}
