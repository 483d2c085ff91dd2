// Package processmemoryextension keeps the collector itself small. It gives back, once everything has started, the pages of the program's
// own file that only starting needed, and may have garbage collected earlier than Go does.
//
//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
package processmemoryextension // import "github.com/otelcol-inference/otelcol-inference/extension/processmemoryextension"
