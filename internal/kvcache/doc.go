// Package kvcache reduces the events of an engine's KV cache to what can be added up: blocks stored, removed and resident, how long
// they stayed, at which LRU stack depth they were used again, and why a stored block had not been there.
//
// It is plain Go on one goroutine per Index and knows nothing of OpenTelemetry or of the wire. Memory is bounded: an Index never
// holds more than its limit, it recycles what was evicted longest ago, then samples, and at last refuses and counts.
package kvcache // import "github.com/otelcol-inference/otelcol-inference/internal/kvcache"
