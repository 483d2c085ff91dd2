// Package promql writes PromQL over the vocabulary. Metrics and labels are named by the constants of internal/signal and translated
// as the collector's exporters do it, so that a rename, a changed unit or a lost attribute is an error here and not an empty panel.
package promql // import "github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/otlptranslator"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Vocabulary knows the metrics that queries may name. Mistakes of queries (a metric that is not there, a rate of a gauge, a label
// that the metric does not have) are collected in Err, so that declarations stay expressions.
type Vocabulary struct {
	metrics   map[string]signal.Metric
	resources map[string][]string // by component: attributes of its resources
	own       map[string]bool     // metrics whose names are given as Prometheus has them
	errs      []error
}

// NewVocabulary is the distribution's vocabulary and the collector's own metrics.
func NewVocabulary() *Vocabulary {
	v := &Vocabulary{metrics: signal.Index(signal.All()), resources: resources(), own: map[string]bool{}}
	for _, m := range SelfMetrics() {
		v.metrics[m.Name], v.own[m.Name] = m, true
	}
	return v
}

// Err tells every mistake that was made so far.
func (v *Vocabulary) Err() error { return errors.Join(v.errs...) }

func (v *Vocabulary) fail(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

// Label is what an attribute is called in Prometheus.
func (v *Vocabulary) Label(attribute string) string {
	// The collector joins what would begin with an underscore and keeps the rest; none of ours begins so.
	namer := otlptranslator.LabelNamer{UTF8Allowed: false}
	label, err := namer.Build(attribute)
	if err != nil {
		v.fail("label %q: %w", attribute, err)
	}
	return label
}

// Name is what a metric is called in Prometheus, without the _bucket, _sum and _count of a histogram. It is the translation
// UnderscoreEscapingWithSuffixes, which both exporters have by default.
func (v *Vocabulary) Name(metric string) string { return v.name(v.metric(metric)) }

func (v *Vocabulary) name(m signal.Metric) string {
	if v.own[m.Name] || m.Name == "" {
		return m.Name
	}
	kinds := map[signal.Instrument]otlptranslator.MetricType{
		signal.Gauge: otlptranslator.MetricTypeGauge, signal.Sum: otlptranslator.MetricTypeMonotonicCounter,
		signal.UpDownCounter: otlptranslator.MetricTypeNonMonotonicCounter, signal.Histogram: otlptranslator.MetricTypeHistogram,
	}
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	name, err := namer.Build(otlptranslator.Metric{Name: m.Name, Unit: m.Unit, Type: kinds[m.Instrument]})
	if err != nil {
		v.fail("metric %q: %w", m.Name, err)
	}
	return name
}

// metric looks a metric up; with instruments it must be one of these.
func (v *Vocabulary) metric(name string, instruments ...signal.Instrument) signal.Metric {
	m, ok := v.metrics[name]
	if !ok {
		v.fail("metric %q: not in the vocabulary", name)
		return signal.Metric{}
	}
	if len(instruments) > 0 && !slices.Contains(instruments, m.Instrument) {
		v.fail("metric %q: must be one of %q here, is a %s", name, instruments, m.Instrument)
	}
	return m
}

// has says whether a point of m, or its resource, may have the attribute.
func (v *Vocabulary) has(m signal.Metric, attribute string) bool {
	return slices.Contains(m.Attributes, attribute) || slices.Contains(v.resources[m.Component], attribute)
}

// resources lists by component the attributes of its resources that queries may use. They are labels because the exporters are
// configured so (resource_constant_labels).
func resources() map[string][]string {
	worker := []string{
		signal.AttrServiceInstanceID, signal.AttrServiceName, signal.AttrEngineName, signal.AttrModel, signal.AttrFleetName,
		signal.AttrHostName, signal.AttrRole,
	}
	agent := []string{
		signal.AttrHostName, signal.AttrNIXLAgentName, signal.AttrNIXLAgentSlot, signal.AttrNIXLSource, signal.AttrNIXLLayout,
	}
	return map[string][]string{
		"llm_engine":        worker,
		"phase_attribution": worker,
		"kv_fragmentation":  worker,
		// Of fleets and agents. A worker that is chosen does not narrow what is told of its fleet.
		"disaggregation": append([]string{signal.AttrFleetName}, agent...),
		"advice":         {signal.AttrFleetName, signal.AttrServiceInstanceID, signal.AttrHostName},
		"nvml":           {signal.AttrHostName, signal.AttrHWID, signal.AttrHWName, signal.AttrHWModel},
		"nixl":           agent,
		Self:             {"instance"},
	}
}
