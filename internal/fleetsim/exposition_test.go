package fleetsim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// recordings hold pages of a real vLLM of the release that is imitated, one engine core and one API server each (several API
// servers write their pages in another way).
func recordings() []string {
	base := "../../tests/engines/recordings/vllm-" + engine.VLLMVersion + "-cpu"
	return []string{base, base + "-smallcache"}
}

// family is what a page says about one metric family, values aside.
type family struct {
	kind, help string
	series     []string // sample name, label names and values that are not specific to a deployment; in order
}

// structure parses a page into its families in order.
func structure(t *testing.T, page []byte) (order []string, families map[string]*family) {
	t.Helper()
	p := textparse.NewPromParser(page, labels.NewSymbolTable(), false)
	families = map[string]*family{}
	get := func(name string) *family {
		if families[name] == nil {
			families[name] = &family{}
			order = append(order, name)
		}
		return families[name]
	}
	current := ""
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return order, families
		}
		if err != nil {
			t.Fatal(err)
		}
		switch entry {
		case textparse.EntryHelp:
			name, help := p.Help()
			current = string(name)
			get(current).help = string(help)
		case textparse.EntryType:
			name, kind := p.Type()
			if string(name) != current {
				t.Fatalf("TYPE of %s after HELP of %s", name, current)
			}
			get(current).kind = string(kind)
		case textparse.EntrySeries:
			var l labels.Labels
			p.Labels(&l)
			f := get(current)
			f.series = append(f.series, seriesShape(l))
		}
	}
}

// seriesShape names a series without what differs between deployments: model, engine, and the settings of the cache.
func seriesShape(l labels.Labels) string {
	var b strings.Builder
	b.WriteString(l.Get("__name__"))
	info := l.Get("__name__") == "vllm:cache_config_info"
	l.Range(func(x labels.Label) {
		switch {
		case x.Name == "__name__":
		case info || x.Name == "model_name" || x.Name == "engine":
			fmt.Fprintf(&b, " %s", x.Name)
		default:
			fmt.Fprintf(&b, " %s=%q", x.Name, x.Value)
		}
	})
	return b.String()
}

// left out on purpose: the Python process, the HTTP server, and what needs its own option.
func leftOut(name string) bool {
	return strings.HasPrefix(name, "python_") || strings.HasPrefix(name, "http_") || strings.HasPrefix(name, "vllm:kv_block_") ||
		(strings.HasPrefix(name, "process_") && name != "process_start_time_seconds")
}

func TestPageHasTheStructureOfRecordedOnes(t *testing.T) {
	for _, dir := range recordings() {
		pages, err := filepath.Glob(filepath.Join(dir, "metrics-*.prom"))
		if err != nil || len(pages) == 0 {
			t.Fatalf("no pages in %s (%v)", dir, err)
		}
		for _, path := range pages {
			recorded, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			comparePages(t, path, recorded)
		}
	}
}

// longestContext is a context length that gives the token histograms as many finite bounds (1, 2, 5, 10 ...) as those of a page.
func longestContext(families map[string]*family) int {
	bounds := -1 // without +Inf
	for _, s := range families["vllm:request_prompt_tokens"].series {
		if strings.Contains(s, " le=") {
			bounds++
		}
	}
	limit := []int{1, 2, 5}[(bounds-1)%3]
	for range (bounds - 1) / 3 {
		limit *= 10
	}
	return limit
}

func comparePages(t *testing.T, path string, recorded []byte) {
	t.Helper()
	wantOrder, want := structure(t, recorded)
	cfg := small(Request{PromptTokens: 20, OutputTokens: 4})
	cfg.Pools[0].MaxModelTokens = longestContext(want)
	f := start(t, cfg)
	finish(t, f)
	gotOrder, got := structure(t, pageOf(t, f, 0))
	wantOrder = slices.DeleteFunc(wantOrder, leftOut)
	if !slices.Equal(gotOrder, wantOrder) {
		t.Errorf("%s: families\n got %v\nwant %v", path, gotOrder, wantOrder)
		return
	}
	for _, name := range wantOrder {
		g, w := got[name], want[name]
		if g.kind != w.kind || g.help != w.help {
			t.Errorf("%s: %s: got %s %q, want %s %q", path, name, g.kind, g.help, w.kind, w.help)
		}
		if !slices.Equal(g.series, w.series) {
			t.Errorf("%s: %s: series\n got %q\nwant %q", path, name, g.series, w.series)
		}
	}
}

func TestPageIsWrittenAsThePythonClientDoes(t *testing.T) {
	cfg := small(Request{PromptTokens: 20, OutputTokens: 4})
	cfg.StartTime = time.Unix(1732500000, 0)
	f := start(t, cfg)
	finish(t, f)
	page := string(pageOf(t, f, 0))
	model := f.ServedModel()
	for _, want := range []string{
		"# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7325e+09\n",
		"# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total{engine=\"0\",model_name=\"" + model + "\"} 20.0\n",
		"# TYPE vllm:prompt_tokens_created gauge\nvllm:prompt_tokens_created{engine=\"0\",model_name=\"" + model + "\"} 1.7325e+09\n",
		"vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"" + model + "\"} 1.0\n",
		"vllm:iteration_tokens_total_bucket{engine=\"0\",le=\"32.0\",model_name=\"" + model + "\"} 4.0\n",
		"vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.001\",model_name=\"" + model + "\"} 0.0\n",
		"vllm:iteration_tokens_total_bucket{engine=\"0\",le=\"+Inf\",model_name=\"" + model + "\"} 4.0\nvllm:iteration_tokens_total_count",
		"vllm:iteration_tokens_total_sum{engine=\"0\",model_name=\"" + model + "\"} 24.0\n",
		"num_gpu_blocks=\"" + fmt.Sprint(f.Pool(0).KVBlocks) + "\"",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
