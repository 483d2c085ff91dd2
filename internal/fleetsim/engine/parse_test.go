package engine

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// parsed is a page as Prometheus's own parser reads it.
type parsed struct {
	order    []string // families
	families map[string]*parsedFamily
	values   map[string]float64 // by series, written as name{a="b",c="d"} with sorted labels
}

type parsedFamily struct {
	kind, help string
	series     []labels.Labels // in order
}

// parse reads a page and refuses what no page may be: a line that the parser does not take, a series twice or outside its family,
// a histogram that is not cumulative or whose parts contradict each other.
func parse(t testing.TB, body []byte, mediaType string) parsed {
	t.Helper()
	p, err := textparse.New(body, mediaType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	page := parsed{families: make(map[string]*parsedFamily), values: make(map[string]float64)}
	current := ""
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, body)
		}
		switch entry {
		case textparse.EntryHelp:
			name, help := p.Help()
			current = string(name)
			if page.families[current] != nil {
				t.Fatalf("family %s twice", current)
			}
			page.order = append(page.order, current)
			page.families[current] = &parsedFamily{help: string(help)}
		case textparse.EntryType:
			name, kind := p.Type()
			if string(name) != current {
				t.Fatalf("TYPE of %s behind HELP of %s", name, current)
			}
			page.families[current].kind = string(kind)
		case textparse.EntrySeries:
			_, _, v := p.Series()
			var l labels.Labels
			p.Labels(&l)
			page.add(t, current, l, v)
		}
	}
	page.checkHistograms(t)
	return page
}

func (p *parsed) add(t testing.TB, family string, l labels.Labels, v float64) {
	t.Helper()
	if !strings.HasPrefix(l.Get("__name__"), family) {
		t.Fatalf("series %s in family %s", l, family)
	}
	f := p.families[family]
	f.series = append(f.series, l)
	key := seriesKey(l)
	if _, twice := p.values[key]; twice {
		t.Fatalf("series %s twice", key)
	}
	p.values[key] = v
}

// seriesKey writes a series as it would stand on a page.
func seriesKey(l labels.Labels) string {
	var list []label
	l.Range(func(x labels.Label) {
		if x.Name != "__name__" {
			list = append(list, label{x.Name, x.Value})
		}
	})
	return l.Get("__name__") + labelText(list, true)
}

// checkHistograms checks that buckets are cumulative, that the last equals the count and that the sum lies where they allow it.
func (p *parsed) checkHistograms(t testing.TB) {
	t.Helper()
	for name, f := range p.families {
		if f.kind != "histogram" {
			continue
		}
		last := make(map[string]float64) // bucket seen last, by the labels beside le
		bound := make(map[string]float64)
		for _, l := range f.series {
			if l.Get("__name__") != name+"_bucket" {
				continue
			}
			rest := labels.NewBuilder(l).Del("le").Set("__name__", name).Labels()
			key, le := seriesKey(rest), boundOf(t, l.Get("le"))
			v := p.values[seriesKey(l)]
			if before, ok := bound[key]; v < last[key] || ok && le <= before {
				t.Errorf("%s: bucket %g has %g behind %g with %g", key, le, v, before, last[key])
			}
			last[key], bound[key] = v, le
		}
		for key, v := range last {
			if !math.IsInf(bound[key], 1) {
				t.Errorf("%s: last bound is %g", key, bound[key])
			}
			if count, ok := p.values[strings.Replace(key, name, name+"_count", 1)]; !ok || count != v {
				t.Errorf("%s: last bucket %g, count %g", key, v, count)
			}
			if sum, ok := p.values[strings.Replace(key, name, name+"_sum", 1)]; !ok || v == 0 && sum != 0 {
				t.Errorf("%s: sum %g of %g", key, sum, v)
			}
		}
	}
}

func boundOf(t testing.TB, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("bound: %v", err)
	}
	return v
}

// read parses the page of a book.
func read(t testing.TB, p Page) parsed {
	t.Helper()
	return parse(t, pageOf(t, p), p.ContentType())
}

// value is a series' value; it must be there.
func (p parsed) value(t testing.TB, series string) float64 {
	t.Helper()
	v, ok := p.values[series]
	if !ok {
		name, _, _ := strings.Cut(series, "{")
		t.Errorf("the page lacks %s; of %s it has %v", series, name, p.named(name))
	}
	return v
}

func (p parsed) named(name string) []string {
	var out []string
	for key := range p.values {
		if n, _, _ := strings.Cut(key, "{"); n == name {
			out = append(out, key)
		}
	}
	return slices.Sorted(slices.Values(out))
}

// expect checks values of series.
func (p parsed) expect(t testing.TB, want map[string]float64) {
	t.Helper()
	for _, series := range slices.Sorted(maps.Keys(want)) {
		if got := p.value(t, series); math.Abs(got-want[series]) > 1e-9*math.Max(math.Abs(got), 1) {
			t.Errorf("%s: got %g, want %g", series, got, want[series])
		}
	}
}

// shapes describe the families of a page without their values: name, kind and the names of the labels of the first series.
func (p parsed) shapes() []string {
	var out []string
	for _, name := range p.order {
		f := p.families[name]
		var names []string
		if len(f.series) > 0 {
			f.series[0].Range(func(l labels.Label) {
				if l.Name != "__name__" && l.Name != "le" {
					names = append(names, l.Name)
				}
			})
		}
		out = append(out, fmt.Sprintf("%s %s %s", name, f.kind, strings.Join(names, ",")))
	}
	return out
}
