package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// The counters of a worker that the estimators read.
const (
	inTTFT = iota
	inITL
	inTPOT
	inPrefillTime
	inStepTokens
	inInput     // lengths of prompts
	inOutput    // lengths of answers
	inComputed  // prompt lengths that were computed, per request
	inLocal     // prompt tokens computed here
	inHit       // found in a cache here
	inFetched   // fetched from another worker
	inGenerated // tokens
	inMoveTime  // of transfers
	inMoveBytes
	inMovePost
	inMovePieces
	inMoveFailed
	inMoveExpired
	inStepCountPrefill
	inStepTimePrefill
	inStepTokensPrefill
	inStepCountDecode
	inStepTimeDecode
	inStepSequences
	inputCounters
)

// The gauges of a worker that the estimators read.
const (
	inRunning = iota
	inWaiting
	inKVCapacity
	inputGauges
)

func workerInputs() derive.Inputs { return derive.Inputs{Counter: counterOf, Gauge: gaugeOf} }

// counterOf returns which input a point of the metric is, or -1.
func counterOf(metric string, attributes pcommon.Map) int {
	switch metric {
	case signal.TTFT:
		return inTTFT
	case signal.ITL:
		return inITL
	case signal.TPOT:
		return inTPOT
	case signal.IterationTokens:
		return inStepTokens
	case signal.ComputedTokens:
		return inComputed
	case signal.TokensGenerated:
		return inGenerated
	case signal.PhaseTime:
		if derive.Text(attributes, signal.AttrPhase) == signal.PhasePrefill {
			return inPrefillTime
		}
	case signal.RequestTokens:
		switch derive.Text(attributes, signal.AttrTokenType) {
		case signal.TokenTypeInput:
			return inInput
		case signal.TokenTypeOutput:
			return inOutput
		}
	case signal.TokensPrompt:
		return promptInput(derive.Text(attributes, signal.AttrTokenSource))
	}
	if i := transferInput(metric, attributes); i >= 0 {
		return i
	}
	return stepInput(metric, attributes)
}

func promptInput(source string) int {
	switch source {
	case "", signal.TokenSourceLocalCompute:
		return inLocal
	case signal.TokenSourceLocalHit:
		return inHit
	case signal.TokenSourceTransfer:
		return inFetched
	}
	return -1
}

// transferInput takes what an engine observes as the receiving side. What it says of sending is the same transfers once more.
func transferInput(metric string, attributes pcommon.Map) int {
	switch metric {
	case signal.KVTransferTime, signal.KVTransferSize, signal.KVTransferPostTime, signal.KVTransferPieces:
		if derive.Text(attributes, signal.AttrIODirection) == signal.IOSend {
			return -1
		}
	}
	switch metric {
	case signal.KVTransferTime:
		return inMoveTime
	case signal.KVTransferSize:
		return inMoveBytes
	case signal.KVTransferPostTime:
		return inMovePost
	case signal.KVTransferPieces:
		return inMovePieces
	case signal.KVTransferFailures:
		if derive.Text(attributes, signal.AttrFailure) == signal.FailureExpired {
			return inMoveExpired
		}
		return inMoveFailed
	}
	return -1
}

// stepInput takes the steps of one phase from forward passes.
func stepInput(metric string, attributes pcommon.Map) int {
	var prefill, decode int
	switch metric {
	case signal.StepCount:
		prefill, decode = inStepCountPrefill, inStepCountDecode
	case signal.StepTime:
		prefill, decode = inStepTimePrefill, inStepTimeDecode
	case signal.StepPrefillTokens:
		prefill, decode = inStepTokensPrefill, -1
	case signal.StepDecodeSequences:
		prefill, decode = -1, inStepSequences
	default:
		return -1
	}
	switch derive.Text(attributes, signal.AttrComposition) {
	case signal.PhasePrefill:
		return prefill
	case signal.PhaseDecode:
		return decode
	}
	return -1
}

// gaugeOf returns which input gauge the metric is, or -1.
func gaugeOf(metric string, _ pcommon.Map) int {
	switch metric {
	case signal.Running:
		return inRunning
	case signal.Waiting:
		return inWaiting
	case signal.KVCapacityTokens:
		return inKVCapacity
	}
	return -1
}
