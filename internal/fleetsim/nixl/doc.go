// Package nixl leaves NIXL telemetry behind as the NVIDIA Inference Xfer Library (ai-dynamo/nixl) does, without the library.
//
// Two exporters exist, as in NIXL, and an agent has one of them: a Ring is the BUFFER file, a single-producer, single-consumer
// event ring that a reader empties; a Store is the prometheus_mp file of cumulative counters that any number of readers may look
// at. Both sit behind the staging queue of the agent, which Flush drains at NIXL's interval on the caller's clock.
//
// Layouts and orders are those of the releases named at each Layout. They were read off the sources of ai-dynamo/nixl (tags 0.5.1
// to v1.4.0 and main at 8770b655) and are held against files that the released wheels wrote; tests/engines/nixl has these
// recordings and how to make them anew.
//
// Words are written in the byte order of the machine, as the library does: little-endian wherever NIXL runs.
package nixl
