package disaggregationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor"

import (
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

func workerInputs() derive.Inputs { return derive.NewInputs(counterOf, gaugeOf) }

// counterOf returns how points of the metric are told apart, nil where none is a counter.
func counterOf(metric string) derive.Pick {
	switch metric {
	case signal.TTFT:
		return derive.Always(inTTFT)
	case signal.ITL:
		return derive.Always(inITL)
	case signal.TPOT:
		return derive.Always(inTPOT)
	case signal.IterationTokens:
		return derive.Always(inStepTokens)
	case signal.ComputedTokens:
		return derive.Always(inComputed)
	case signal.TokensGenerated:
		return derive.Always(inGenerated)
	case signal.PhaseTime:
		return derive.ByText(signal.AttrPhase, func(phase string) int {
			if phase == signal.PhasePrefill {
				return inPrefillTime
			}
			return -1
		})
	case signal.RequestTokens:
		return derive.ByText(signal.AttrTokenType, lengthInput)
	case signal.TokensPrompt:
		return derive.ByText(signal.AttrTokenSource, promptInput)
	}
	if pick := transferInput(metric); pick != nil {
		return pick
	}
	return stepInput(metric)
}

func lengthInput(kind string) int {
	switch kind {
	case signal.TokenTypeInput:
		return inInput
	case signal.TokenTypeOutput:
		return inOutput
	}
	return -1
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
func transferInput(metric string) derive.Pick {
	received := func(input int) derive.Pick {
		return derive.ByText(signal.AttrIODirection, func(direction string) int {
			if direction == signal.IOSend {
				return -1
			}
			return input
		})
	}
	switch metric {
	case signal.KVTransferTime:
		return received(inMoveTime)
	case signal.KVTransferSize:
		return received(inMoveBytes)
	case signal.KVTransferPostTime:
		return received(inMovePost)
	case signal.KVTransferPieces:
		return received(inMovePieces)
	case signal.KVTransferFailures:
		return derive.ByText(signal.AttrFailure, func(failure string) int {
			if failure == signal.FailureExpired {
				return inMoveExpired
			}
			return inMoveFailed
		})
	}
	return nil
}

// stepInput takes the steps of one phase from forward passes.
func stepInput(metric string) derive.Pick {
	of := func(prefill, decode int) derive.Pick {
		return derive.ByText(signal.AttrComposition, func(composition string) int {
			switch composition {
			case signal.PhasePrefill:
				return prefill
			case signal.PhaseDecode:
				return decode
			}
			return -1
		})
	}
	switch metric {
	case signal.StepCount:
		return of(inStepCountPrefill, inStepCountDecode)
	case signal.StepTime:
		return of(inStepTimePrefill, inStepTimeDecode)
	case signal.StepPrefillTokens:
		return of(inStepTokensPrefill, -1)
	case signal.StepDecodeSequences:
		return of(-1, inStepSequences)
	}
	return nil
}

// gaugeOf does so for gauges.
func gaugeOf(metric string) derive.Pick {
	switch metric {
	case signal.Running:
		return derive.Always(inRunning)
	case signal.Waiting:
		return derive.Always(inWaiting)
	case signal.KVCapacityTokens:
		return derive.Always(inKVCapacity)
	}
	return nil
}
