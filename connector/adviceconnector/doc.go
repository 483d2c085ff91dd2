//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package adviceconnector reads what is measured and derived of workers, fleets and transfer agents, and tells what is wrong and what to
// do: log events for what happens once (advice raised, updated, cleared, verified, a new verdict) and gauges for what holds.
//
// The rules are in internal/advice. The connector reads points, keeps time, and writes logs and metrics. It passes nothing through.
package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"
