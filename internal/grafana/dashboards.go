// Package grafana declares the dashboards and the alert rules that are shipped for Prometheus and Grafana. They name metrics by the
// constants of internal/signal; internal/grafana/generate writes the files, tests/grafana runs every query against a real Prometheus.
package grafana // import "github.com/otelcol-inference/otelcol-inference/internal/grafana"

import (
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Window is the range of rates in dashboards: Grafana fits it to the scrape interval and the resolution.
const Window = "$__rate_interval"

// Dashboards declares every dashboard. The error tells all queries that do not fit the vocabulary.
func Dashboards() ([]board.Dashboard, error) {
	s := promql.Scope{Vocabulary: promql.NewVocabulary(), Window: Window, Variables: []promql.Variable{
		{Attribute: signal.AttrFleetName, Name: "fleet"},
		{Attribute: signal.AttrModel, Name: "model"},
		{Attribute: signal.AttrServiceInstanceID, Name: "worker"},
		{Attribute: signal.AttrHostName, Name: "host"},
	}}
	all := []board.Dashboard{
		overview(s), phases(s), kv(s), transfers(s), disaggregation(s), gpus(s), collector(s),
	}
	choices := variables(s)
	for i := range all {
		all[i].Variables = choices
	}
	return all, s.Err()
}

// variables are the choices of every dashboard. Each narrows the next.
func variables(s promql.Scope) []board.Variable {
	up := s.Name(signal.Up)
	fleet, model, worker, host := s.Label(signal.AttrFleetName), s.Label(signal.AttrModel), s.Label(signal.AttrServiceInstanceID), s.Label(signal.AttrHostName)
	hosts := fmt.Sprintf("%s|%s|%s", up, s.Name(signal.HWStatus), s.Name(signal.NIXLAgents))
	return []board.Variable{
		{Name: "fleet", Label: "Fleet", Query: fmt.Sprintf("label_values(%s, %s)", up, fleet)},
		{Name: "model", Label: "Model", Query: fmt.Sprintf(`label_values(%s{%s=~"$fleet"}, %s)`, up, fleet, model)},
		{Name: "worker", Label: "Worker", Query: fmt.Sprintf(`label_values(%s{%s=~"$fleet", %s=~"$model"}, %s)`, up, fleet, model, worker)},
		{Name: "host", Label: "Host", Query: fmt.Sprintf(`label_values({__name__=~"%s"}, %s)`, hosts, host)},
	}
}

// by names attributes to group by.
func by(attributes ...string) []string { return attributes }

// one is a panel's only query.
func one(expression, legend string) []board.Query {
	return []board.Query{{Expr: expression, Legend: legend}}
}

// quiet is a panel's only query, of which a healthy fleet has nothing.
func quiet(expression, legend, why string) []board.Query {
	return []board.Query{{Expr: expression, Legend: legend, Quiet: why}}
}

// percentiles are p50, p90 and p99 of a histogram.
func percentiles(s promql.Scope, metric string) []board.Query {
	var queries []board.Query
	for _, q := range []float64{0.5, 0.9, 0.99} {
		queries = append(queries, board.Query{Expr: s.Quantile(q, metric, nil), Legend: fmt.Sprintf("p%.0f", 100*q)})
	}
	return queries
}

// objective is the strictest objective in force for a latency. Every legend that begins with "objective" is dashed.
func objective(s promql.Scope, latency string) board.Query {
	return board.Query{
		Expr:   s.Over("min", signal.Objective, s.Value(signal.Objective, promql.Is(signal.AttrObjective, latency)), signal.AttrQuantile),
		Legend: s.Legend("objective for quantile {" + signal.AttrQuantile + "}"),
	}
}

// perWorker is a series' name by worker.
func perWorker(s promql.Scope) string { return s.Legend("{" + signal.AttrServiceInstanceID + "}") }

// perPhase is a series' name by phase, which gives it the phase's colour.
func perPhase(s promql.Scope) string { return s.Legend("{" + signal.AttrPhase + "}") }
