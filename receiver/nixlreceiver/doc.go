// Package nixlreceiver reads the telemetry that NIXL leaves on a host, finds out whose it is, and compares it with what the host's
// links carried: every transfer of KV cache, and the road it took.
//
// It reads files. Rings are observed or, where nobody else reads them, emptied; see internal/nixl for what is in them. What NIXL does
// not tell, the transport above all, is inferred and labelled so.
//
//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"
