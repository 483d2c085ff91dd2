package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Attributes that the phase_attribution processor puts on spans of requests and on the children that it makes, beside AttrPhase,
// AttrCurrency and AttrEstimateMethod.
const (
	AttrPhaseIncludes     = "llm.phase.includes"      // what else is in the phase, where the engine does not tell the two apart
	AttrRequestEnergy     = "llm.request.energy"      // J of the worker's GPUs owed to the request or to its phase, idle energy left out
	AttrRequestCost       = "llm.request.cost"        // price of the GPU time owed to it, in AttrCurrency
	AttrRequestConfidence = "llm.estimate.confidence" // of the energy, or of GPU time where no energy is known
)

// PhaseTransfer is the value of AttrPhase for the KV cache moving between workers.
const PhaseTransfer = "transfer"
