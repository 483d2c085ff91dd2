package exposition

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/stretchr/testify/require"
)

// constructs are pages with what the two formats allow, and with what breaks them.
func constructs() []string {
	return []string{
		"", "\n\n", "#", "# EOF", "# EOF\n", "# a comment\n", "# HELP vllm:a A \\\\ and a \\n.\n# TYPE vllm:a gauge\n# UNIT vllm:a_seconds seconds\nvllm:a 1\n",
		"vllm:a", "vllm:a{", "vllm:a{engine=\"", "vllm:a{engine=\"0\",", "vllm:a{engine=\"0\"}", "vllm:a{engine=\"0\"} ", "vllm:a{engine} 1\n", "# TYPE vllm:a\n", "# TYPE vllm:a what\n",
		"{\"vllm:num_requests_running\"} 1\n", "{\"vllm:num_requests_running\",engine=\"0\"} 1\n", "vllm:num_requests_running{\"a b\"=\"c\"} 1\n",
		"vllm:num_requests_running 1 1 1\n", "vllm:num_requests_running 1 1700000000000\n", "vllm:num_requests_running 1 1700000000.5\n",
		"vllm:num_requests_running{engine=\"\\n\\\\\\\"\"} 1\n", "vllm:num_requests_running{engine=\"a\nb\"} 1\n", "vllm:num_requests_running{engine=\"\xff\"} 1\n",
		"vllm:num_requests_running{engine=\"0\",} 1\n", "vllm:num_requests_running { engine = \"0\" , model_name = \"m\" } 1\n", "\tvllm:num_requests_running\t1\n",
		"vllm:num_requests_running{engine=\"0\"} 1\nvllm:num_requests_running{engine=\"0\"} 2\n", "vllm:num_requests_running{engine=\"0\",engine=\"1\"} 1\n",
		"vllm:num_requests_running NaN\n", "vllm:num_requests_running +Inf\n", "vllm:num_requests_running -inf\n", "vllm:num_requests_running 0x1p4\n",
		"vllm:num_requests_running 1_000\n", "vllm:num_requests_running 1e\n", "vllm:num_requests_running -0\n", "vllm:num_requests_running 1", "vllm:num_requests_running 1\r\n",
		"vllm:iteration_tokens_total_bucket{le=\"nan\"} 1\n", "vllm:iteration_tokens_total_bucket 1\n", "vllm:iteration_tokens_total_bucket{le=\"\"} 1\n",
		"vllm:iteration_tokens_total_bucket{le=\"2\"} 1\nvllm:iteration_tokens_total_bucket{le=\"1\"} 2\nvllm:iteration_tokens_total_bucket{le=\"+Inf\"} 1\n",
		"vllm:iteration_tokens_total_bucket{le=\"1\"} 1e300\nvllm:iteration_tokens_total_count 1e300\n", "vllm:iteration_tokens_total{quantile=\"0.5\"} 1\n",
		"# TYPE vllm:iteration_tokens_total histogram\nvllm:iteration_tokens_total_bucket{le=\"1\"} 1 # {trace_id=\"a\"} 0.5 1700000000\n# EOF\n",
		"# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total 1\r\n", "# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total 1 # {} 1\nvllm:prompt_tokens_created 1e9\n# EOF\nrest",
		"vllm:prompt_tokens_total{} 1\nvllm:prompt_tokens_created{} -1\n", "\x00\nvllm:prompt_tokens_total 1e400\n", "vllm:prompt_tokens_total 1\n\x00vllm:prompt_tokens_total 2\n",
		"# TYPE vllm:lora_requests_info info\nvllm:lora_requests_info{running_lora_adapters=\"a,b\",max_lora=\"4\"} 1.7e9\n", "# TYPE vllm:a stateset\nvllm:a{vllm:a=\"on\"} 1\n# EOF\n",
		"process_start_time_seconds 1e400\nvllm:prompt_tokens_total 1\n", "sglang:num_running_reqs{dp_rank=\"0\",tp_rank=\"1\"} 1\nvllm:num_requests_running 1\nllamacpp:tokens_predicted_total 1\n",
	}
}

// FuzzScrape feeds two pages of anything to one book: no panic, no number that is none, no start after its end.
func FuzzScrape(f *testing.F) {
	pages, err := filepath.Glob("testdata/*.prom")
	require.NoError(f, err)
	for _, path := range pages {
		page, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(page, page, false)
		f.Add(page, page[:len(page)/2], true)
	}
	for _, page := range constructs() {
		f.Add([]byte(page), []byte(tokens(1)), false)
		f.Add([]byte(page), []byte(tokens(1)), true)
	}
	f.Fuzz(func(t *testing.T, one, two []byte, openMetrics bool) {
		b := newBook(t, func(s *Settings) { s.MaxSeries = 200 })
		for i, page := range [][]byte{one, two, one} {
			at := start().Add(time.Duration(i) * time.Second)
			md, report, err := b.Scrape(body(string(page)), openMetrics, at, "")
			if err != nil {
				md = b.Down(at)
			}
			require.LessOrEqual(t, report.SeriesRemembered, 200+1)
			require.LessOrEqual(t, report.BrokenLines, maxBrokenLines)
			checkSound(t, md)
		}
	})
}

// seen is a sink that writes down the series of a page.
type seen struct{ all []string }

func (s *seen) series(raw []byte, value float64, _ textparse.Parser) {
	s.all = append(s.all, fmt.Sprintf("%s %x", raw, math.Float64bits(value)))
}

func (s *seen) declare([]byte, string) {}
func (s *seen) help([]byte)            {}
func (s *seen) end()                   {}

// FuzzParse holds parse against Prometheus' parser. A page that this reads without an error gives the same series in the same order;
// one with broken lines gives those before the first of them, and then more.
func FuzzParse(f *testing.F) {
	for _, page := range constructs() {
		f.Add([]byte(page), false)
		f.Add([]byte(page), true)
		f.Add([]byte(tokens(1)+page+tokens(2)), false)
	}
	f.Fuzz(func(t *testing.T, page []byte, openMetrics bool) {
		peer := &seen{}
		p := textparse.NewPromParser(body(string(page)), labels.NewSymbolTable(), false)
		if openMetrics {
			p = textparse.NewOpenMetricsParser(body(string(page)), labels.NewSymbolTable())
		}
		entry, err := p.Next()
		for ; err == nil; entry, err = p.Next() {
			if entry == textparse.EntrySeries {
				raw, _, value := p.Series()
				peer.series(raw, value, p)
			}
		}
		own := &seen{}
		broken, parseError := parse(body(string(page)), openMetrics, own)
		require.LessOrEqual(t, len(peer.all), len(own.all))
		require.True(t, slices.Equal(peer.all, own.all[:len(peer.all)]), "%q, not %q", own.all, peer.all)
		// A zero byte ends the text for the parser without an error.
		if errors.Is(err, io.EOF) && (openMetrics || !bytes.Contains(page, []byte{0})) {
			require.NoError(t, parseError)
			require.Zero(t, broken)
			require.Len(t, own.all, len(peer.all))
		}
	})
}

// FuzzLayout holds a book that knows the layout of its pages against one that parses each.
func FuzzLayout(f *testing.F) {
	for _, page := range constructs() {
		f.Add([]byte(page), []byte(page), false)
		f.Add([]byte(tokens(1)+other+page), []byte(tokens(20)+other+page), false)
	}
	for _, next := range []string{
		tokens(1) + other, strings.TrimSuffix(tokens(5), "\n"), tokens(5) + "rest", tokens(5) + "# EOF\n", " " + tokens(5), tokens(5) + "\n",
		strings.Replace(tokens(5), " 5", " 5 1700000000000", 1), strings.Replace(tokens(5), " 5", " 5e3 # {} 1", 1), strings.Replace(tokens(5), " 5", " NaN", 1),
		strings.Replace(tokens(5), " 5", "\t+5.5e-1", 1), strings.Replace(tokens(5), " 5", " 5\r", 1), strings.Replace(tokens(5), " 5", " ", 1),
		strings.Replace(tokens(5), " 5", " 1e999", 1), strings.Replace(tokens(5), " 5", " 0x5", 1), strings.Replace(tokens(5), "\"m\"", "\"n\"", 1),
	} {
		f.Add([]byte(tokens(3)), []byte(next), false)
		f.Add([]byte(tokens(3)+"# EOF\n"), []byte(next+"# EOF\n"), true)
	}
	f.Fuzz(func(t *testing.T, one, two []byte, openMetrics bool) {
		knows, parses := newBook(t), newBook(t)
		for i, page := range [][]byte{one, one, two, two, one} {
			at := start().Add(time.Duration(i) * time.Second)
			parses.layout.learnt(false)
			want, wantReport, wantErr := parses.Scrape(body(string(page)), openMetrics, at, "")
			got, report, err := knows.Scrape(body(string(page)), openMetrics, at, "")
			require.Equal(t, wantErr, err)
			require.Equal(t, wantReport, report)
			if err == nil {
				require.Equal(t, text(want), text(got))
			}
		}
	})
}

func TestLayoutOfARecordedPage(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(recordings, "vllm-0.32.0-cpu", "metrics-*.prom"))
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	b := newBook(t)
	read := 0
	for i, path := range pages {
		page := readPage(t, path)
		if b.layout.read(page, false, b.scrape) {
			read++
		}
		_, _, err := b.Scrape(page, false, start().Add(time.Duration(i)*time.Second), "")
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, read, len(pages)-3, "the page has other series before the first request, and once more when there is a new kind of them")
}
