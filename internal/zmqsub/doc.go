// Package zmqsub receives what engines publish over ZeroMQ: it subscribes, reconnects with a growing pause, and asks for the replay
// of messages that were lost. A message has three frames: a topic, a sequence number of 8 big-endian bytes, and a payload.
//
// It speaks ZMTP 3.0 itself, as far as a client without security needs it. The library at hand, zmq4 v0.17.0, allocates whatever a peer
// announces, queues without bound, and its handshake panics on a property that is cut off. Here a message is read into one buffer that
// is used again, grows as bytes arrive, and has a limit. There is no queue: a reader that is too slow lets the publisher drop at its
// high-water mark, which shows as a gap.
package zmqsub // import "github.com/otelcol-inference/otelcol-inference/internal/zmqsub"
