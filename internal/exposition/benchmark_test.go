package exposition

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/stretchr/testify/require"
)

// BenchmarkScrape compares a scrape, from the bytes of a real vLLM page to data points, with what its parsing alone costs.
func BenchmarkScrape(b *testing.B) {
	page := readPage(b, filepath.Join(recordings, "vllm-0.32.0-cpu", "metrics-006.prom"))
	samples := countSamples(b, page)
	run := func(name string, scrape func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(page)))
			for i := 0; b.Loop(); i++ {
				scrape(i)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(samples), "ns/sample")
		})
	}
	book := newBook(b)
	run("to_data_points", func(i int) {
		_, _, err := book.Scrape(page, false, start().Add(time.Duration(i)*time.Second), "0.32.0")
		require.NoError(b, err)
	})
	run("known_page", func(int) {
		book.begin(book.now.at + 1)
		require.NoError(b, book.page(page, false))
	})
	run("first_scrape", func(int) {
		_, _, err := newBook(b).Scrape(page, false, start(), "0.32.0")
		require.NoError(b, err)
	})
	run("peer_textparse", func(int) { textparseSeries(b, page, false) })
	run("peer_textparse_labels", func(int) { textparseSeries(b, page, true) })
}

func textparseSeries(tb testing.TB, page []byte, withLabels bool) (n int) {
	p := textparse.NewPromParser(page, labels.NewSymbolTable(), false)
	var l labels.Labels
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			tb.Fatal(err)
		}
		if entry == textparse.EntrySeries {
			p.Series()
			if withLabels {
				p.Labels(&l)
			}
			n++
		}
	}
}

func countSamples(tb testing.TB, page []byte) int { return textparseSeries(tb, page, false) }
