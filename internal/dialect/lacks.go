package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Lack says why an engine cannot give an input, so that nobody looks for the flag.
type Lack struct {
	Source string // value of llm.source
	Why    string
}

// Reasons that hold for several engines.
const (
	lackEvents    = "publishes no changes of its cache"
	lackPasses    = "publishes no records of its steps"
	lackResidency = "keeps no record of how long blocks stay; its KV events tell it"
	lackBlocks    = "keeps no record of how long blocks stay, and publishes no changes of its cache"
	lackEffort    = "makes no estimate of its operations and memory traffic"
	lackTransfer  = "moves no KV between workers"
	lackEngine    = "the engine that the worker runs tells it; its own flags are under its name"
)

func sglangLacks() []Lack { return []Lack{{signal.SourceKVResidency, lackResidency}} }

// tensorRTLacks: the queue of steps is NVIDIA/TensorRT-LLM#12908.
func tensorRTLacks() []Lack {
	return []Lack{
		{signal.SourceForwardPasses, "hands each record of a step out once, to a program in its process: Dynamo, which relays them"},
		{signal.SourceKVResidency, lackResidency}, {signal.SourceEffort, lackEffort},
	}
}

func dynamoLacks() []Lack {
	return []Lack{
		{signal.SourceKVEvents, lackEngine}, {signal.SourceKVResidency, lackEngine}, {signal.SourceEffort, lackEngine}, {signal.SourceNIXL, lackEngine},
	}
}

func tgiLacks() []Lack {
	return []Lack{
		{signal.SourceKVEvents, lackEvents}, {signal.SourceForwardPasses, lackPasses}, {signal.SourceKVResidency, lackBlocks},
		{signal.SourceEffort, lackEffort}, {signal.SourceNIXL, lackTransfer},
	}
}

// llamaCppLacks: tools/server/README.md of llama.cpp lists what its server has.
func llamaCppLacks() []Lack {
	return append(tgiLacks(), Lack{signal.SourceTraces, "exports no traces"})
}

// lmdeployLacks: disaggregated serving of LMDeploy migrates KV with DLSlime or Mooncake.
func lmdeployLacks() []Lack {
	return []Lack{
		{signal.SourceKVEvents, lackEvents}, {signal.SourceForwardPasses, lackPasses}, {signal.SourceKVResidency, lackBlocks},
		{signal.SourceEffort, lackEffort}, {signal.SourceNIXL, "moves KV with DLSlime or Mooncake"}, {signal.SourceTraces, "exports no traces"},
	}
}

func tritonLacks() []Lack {
	return []Lack{
		{signal.SourceKVEvents, "the backend keeps events for callers of its library; Triton serves none"},
		{signal.SourceForwardPasses, lackPasses}, {signal.SourceKVResidency, lackBlocks}, {signal.SourceEffort, lackEffort},
		{signal.SourceNIXL, "the backend's own transfers have no telemetry of NIXL"},
	}
}
