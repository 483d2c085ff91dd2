//go:build accept

package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPublicPagesHaveNoOtherFamilies: every family of the pages in DATA/expositions is on ours too, with the same kind and, label
// for label, the same labels, but for those that a simulation leaves out.
func TestPublicPagesHaveNoOtherFamilies(t *testing.T) {
	data := os.Getenv("DATA")
	if data == "" {
		t.Fatal("DATA must name the folder of the public data")
	}
	prefill := everything()
	prefill.Role = rolePrefill
	old := everything()
	old.Version = "0.11.0"
	for file, ours := range map[string]struct {
		name  string
		facts Facts
		omits map[string]string // labels that our gauges have besides, or families that are not simulated, and why
	}{
		"vllm-v1-dp2-1.prom":               {NameVLLM, everything(), nil},
		"vllm-v0.11-lmcache-1.prom":        {NameVLLM, old, map[string]string{"lmcache:": "another program"}},
		"sglang-prefill-1.prom":            {NameSGLang, prefill, map[string]string{"sglang:http_requests_active": "the HTTP server"}},
		"trtllm-1.x-representative-1.prom": {NameTensorRT, everything(), nil},
	} {
		t.Run(file, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(data, "expositions", file))
			if err != nil {
				t.Fatal(err)
			}
			b := newBook(t, ours.name, ours.facts)
			feed(b)
			mine := read(t, b)
			seen := 0
			for _, line := range strings.Split(string(body), "\n") {
				name, kind, ok := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " ")
				if !ok || !strings.HasPrefix(line, "# TYPE ") || omitted(name, ours.omits) {
					continue
				}
				seen++
				if f := mine.families[name]; f == nil || f.kind != kind {
					t.Errorf("%s %s: not on our page", name, kind)
				}
			}
			if seen == 0 && file != "vllm-v0.11-lmcache-1.prom" { // which has no TYPE lines for vLLM
				t.Error("no families compared")
			}
			compareSeries(t, string(body), mine, ours.omits)
		})
	}
}

func omitted(name string, omits map[string]string) bool {
	for prefix := range omits {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// compareSeries compares the label names of every series.
func compareSeries(t *testing.T, body string, mine parsed, omits map[string]string) {
	t.Helper()
	compared := 0
	for _, line := range strings.Split(body, "\n") {
		name, rest, ok := strings.Cut(line, "{")
		if !ok || strings.HasPrefix(line, "#") || omitted(name, omits) {
			continue
		}
		compared++
		found := mine.named(name)
		if len(found) == 0 {
			t.Errorf("%s: not on our page", name)
			continue
		}
		ours := found[0]
		for _, pair := range strings.Split(rest[:strings.LastIndex(rest, "}")], `",`) {
			key, _, _ := strings.Cut(pair, "=")
			if !strings.Contains(ours, key+`="`) {
				t.Errorf("%s: label %s is not on ours: %s", name, key, ours)
			}
		}
	}
	if compared == 0 {
		t.Error("no series compared")
	}
}
