// Package derive is what processors share that derive metrics from those that pass through: points are read into windows of data time,
// derived points are built with a resource of their own, and a processor runs in one pipeline only.
package derive // import "github.com/otelcol-inference/otelcol-inference/internal/derive"
