// Package nixl reads the telemetry that the NVIDIA Inference Xfer Library (ai-dynamo/nixl) leaves in files, and sums it up.
//
// Two exporters exist, and an agent has one of them. A Ring is the BUFFER file: a single-producer, single-consumer ring of events
// without sequence numbers, without an account of what did not fit and, from 1.1 on, without times. A Store is the prometheus_mp file
// of cumulative counters, which any number of readers may look at. A Tally makes counters and histograms of the events of a ring.
//
// Layouts were read off the sources of ai-dynamo/nixl (tags 0.5.1 to v1.4.0 and main at 8770b655) and are held against files that
// the released wheels wrote, in tests/engines/nixl/recordings. Words are read in the byte order of the machine, which is
// little-endian wherever NIXL runs.
//
// The package knows nothing of OpenTelemetry.
package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"
