package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

// recordings holds pages of a real vLLM of the release that is spoken.
const recordings = "../../../tests/engines/recordings/vllm-" + VLLMVersion + "-cpu"

// TestPagesHaveTheStructureOfRecordedOnes compares families, order, HELP, TYPE, labels and bounds.
func TestPagesHaveTheStructureOfRecordedOnes(t *testing.T) {
	for variant, page := range map[string]func(t *testing.T, f Facts, works bool) Page{
		"": func(t *testing.T, f Facts, works bool) Page { return newBook(t, NameVLLM, f) },
		"-smallcache": func(t *testing.T, f Facts, works bool) Page { // --kv-cache-metrics, --enable-mfu-metrics
			f.ResidencySample, f.Effort = 1, everything().Effort
			return newBook(t, NameVLLM, f)
		},
		"-dp2": func(t *testing.T, f Facts, works bool) Page { // two engines, two API servers
			f.APIServers, f.Ranks = 2, 2
			g := f
			g.Rank = 1
			first, second := newBook(t, NameVLLM, f), newBook(t, NameVLLM, g)
			joint, err := Join(first, second)
			if err != nil {
				t.Fatal(err)
			}
			if works {
				feed(first)
				feed(second)
			}
			return joint
		},
	} {
		t.Run("vllm"+variant, func(t *testing.T) {
			pages, err := filepath.Glob(filepath.Join(recordings+variant, "metrics-*.prom"))
			if err != nil || len(pages) == 0 {
				t.Fatalf("no pages in %s (%v)", recordings+variant, err)
			}
			for _, path := range pages {
				recorded, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				want := parse(t, recorded, VLLMContentType)
				f := facts()
				f.MaxModelTokens = longestContext(want)
				comparePages(t, path, read(t, page(t, f, !strings.HasSuffix(path, "-000.prom"))), want) // the first is from before any request
			}
		})
	}
}

// longestContext is a context length that gives the token histograms as many finite bounds (1, 2, 5, 10 ...) as those of a page.
func longestContext(p parsed) int {
	bounds := 0
	first := p.families["vllm:request_prompt_tokens"].series
	for _, l := range first {
		if l.Get("le") != "" && l.Get("le") != "+Inf" && l.Get("engine") == first[0].Get("engine") {
			bounds++
		}
	}
	limit := []int{1, 2, 5}[(bounds-1)%3]
	for range (bounds - 1) / 3 {
		limit *= 10
	}
	return limit
}

// leftOut are the families of the Python process and its HTTP server.
func leftOut(name string) bool {
	return strings.HasPrefix(name, "python_") || strings.HasPrefix(name, "http_") ||
		(strings.HasPrefix(name, "process_") && name != "process_start_time_seconds")
}

func comparePages(t *testing.T, path string, got, want parsed) {
	t.Helper()
	order := slices.DeleteFunc(slices.Clone(want.order), leftOut)
	if !slices.Equal(got.order, order) {
		t.Errorf("%s: families\n got %v\nwant %v", path, got.order, order)
		return
	}
	for _, name := range order {
		g, w := got.families[name], want.families[name]
		if g.kind != w.kind || g.help != w.help {
			t.Errorf("%s: %s: got %s %q, want %s %q", path, name, g.kind, g.help, w.kind, w.help)
		}
		if gs, ws := anonymous(g.series), anonymous(w.series); !slices.Equal(gs, ws) {
			t.Errorf("%s: %s: series\n got %q\nwant %q", path, name, gs, ws)
		}
	}
}

// anonymous names series without what differs between deployments: the model, and the settings of the cache.
func anonymous(series []labels.Labels) []string {
	out := make([]string, len(series))
	for i, l := range series {
		info := l.Get("__name__") == "vllm:cache_config_info"
		l.Range(func(x labels.Label) {
			if x.Name == "model_name" || info && x.Name != "engine" && x.Name != "__name__" {
				out[i] += " " + x.Name
			} else {
				out[i] += fmt.Sprintf(" %s=%q", x.Name, x.Value)
			}
		})
	}
	return out
}
