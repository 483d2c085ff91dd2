// Package stream puts on the wire what engines publish beside their metrics page: KV cache events and forward passes over
// ZeroMQ, and one OTLP span a request. It knows nothing of the simulator: callers hand it plain structs.
//
// The wire forms were read in vLLM 0.32.0, SGLang 0.5.23, Dynamo 1.6.1 and TensorRT-LLM main (commit 13599e9); every encoder
// names its source. Listeners bind to loopback unless the endpoint says otherwise.
package stream // import "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
