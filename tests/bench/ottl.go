package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// rename is what OTTL shall do with the families of a page, made from the table that our receiver reads.
type rename struct {
	drop    []string // conditions
	points  []string // statements on data points
	metrics []string // statements on metrics
}

// ottl writes the filter and transform processors that do with the community's components what llm_engine does with the page: drop
// what is not mapped, set fixed attributes, rename labels and metrics, convert units. It is kind to the peer: only families of this very
// page have statements, and facts in the labels of info families, which are metrics of their own, are left out.
func ottl(p *page) (processors string, err error) {
	set, err := dialect.Load()
	if err != nil {
		return "", err
	}
	r := rename{drop: []string{`not HasPrefix(name, "vllm:")`}}
	types := p.types()
	present := make(map[string]bool, len(types))
	for name := range types {
		present[strings.TrimSuffix(name, "_total")] = true
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if err := r.family(set, name, types[name], present); err != nil {
			return "", err
		}
	}
	r.points = append(r.points,
		`set(datapoint.attributes["gen_ai.request.model"], datapoint.attributes["model_name"])`, `delete_key(datapoint.attributes, "model_name")`)
	return fmt.Sprintf(`  filter:
    metrics:
      metric:
%s  transform:
    error_mode: propagate
    metric_statements:
      - context: datapoint
        statements:
%s      - context: metric
        statements:
%s`, items("        ", r.drop), items("          ", r.points), strings.TrimSuffix(items("          ", r.metrics), "\n")), nil
}

// family adds what becomes of one family of the page. A row that OTTL cannot do is an error, so that the peer never does less unseen.
func (r *rename) family(set *dialect.Set, name, kind string, present map[string]bool) error {
	d := set.Of(name)
	if d == nil || d.Engine() != dialect.EngineVLLM || !strings.HasPrefix(name, "vllm:") {
		return nil // dropped by its name
	}
	series := name
	if kind == "histogram" {
		series += "_sum"
	}
	match := d.Resolve(series, kind)
	f, alike := match.Alike()
	yields := alike && slices.ContainsFunc(f.YieldsTo, func(other string) bool { return present[other] })
	if match.Verdict != dialect.Known || alike && f.Kind == dialect.Info || yields {
		r.drop = append(r.drop, fmt.Sprintf(`name == %q`, name))
		return nil
	}
	if !alike || f.SumOnly || f.Blocks != dialect.AsIs {
		return fmt.Errorf("%s: no statements of OTTL for such a row", name)
	}
	where := fmt.Sprintf(" where metric.name == %q", name)
	for _, a := range f.Fixed {
		r.points = append(r.points, fmt.Sprintf(`set(datapoint.attributes[%q], %q)`, a.Key, a.Value)+where)
	}
	for _, l := range f.Labels {
		for _, from := range l.From {
			r.points = append(r.points,
				fmt.Sprintf(`set(datapoint.attributes[%q], datapoint.attributes[%q])`, l.To, from)+where,
				fmt.Sprintf(`delete_key(datapoint.attributes, %q)`, from)+where)
		}
		for _, old := range slices.Sorted(maps.Keys(l.Values)) {
			r.points = append(r.points, fmt.Sprintf(`set(datapoint.attributes[%q], %q)%s and datapoint.attributes[%[1]q] == %q`, l.To, l.Values[old], where, old))
		}
	}
	if factor := f.Scale.Apply(1); factor != 1 {
		r.metrics = append(r.metrics, fmt.Sprintf(`scale_metric(%v)`, factor)+where)
	}
	r.metrics = append(r.metrics, fmt.Sprintf(`set(metric.unit, %q)`, f.Metric.Unit)+where, fmt.Sprintf(`set(metric.name, %q)`, f.Metric.Name)+where)
	return nil
}

// items are the entries of a list in YAML.
func items(indent string, all []string) string {
	var b strings.Builder
	for _, text := range all {
		fmt.Fprintf(&b, "%s- '%s'\n", indent, strings.ReplaceAll(text, "'", "''"))
	}
	return b.String()
}
