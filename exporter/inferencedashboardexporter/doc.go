// Package inferencedashboardexporter serves the single view of an LLM serving fleet: which phase, prefill or decode, holds it
// back, how sure that is, and the figures behind it. It keeps a bounded history of each worker in memory, judges the fleet once
// per update and serves an embedded page, a read-only JSON API and one event stream per page.
//
// It derives no phase estimate itself: it renders what the engines report and what phase_attribution derives. It is no store:
// a restart begins with an empty history, and nothing is queued or retried because the next scrape replaces the last one.
//
//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"
