package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/window"
)

// The counters of a worker that the estimators read.
const (
	inStepTokens = iota
	inTTFT
	inITL
	inQueueTime
	inPrefillTime
	inDecodeTime
	inGenerated
	inComputed   // prompt tokens computed here
	inPrompt     // all prompt tokens, where the engine does not tell their source
	inPromptSize // computed prompt tokens per finished request
	inTPOT
	inPromptLength // of finished requests, cached tokens included
	inOutputLength
	inReused        // prompt tokens that were not computed here
	inMixedDuration // of engine steps with both phases
	inBusyPrefill   // s that the engine itself counted by phase
	inBusyDecode
	inBusyMixed
	inSteps       // the first of stepFields for each of stepCompositions
	inputCounters = inSteps + stepFields*stepCompositions
)

// What is summed over the engine steps of a composition.
const (
	stepCount = iota
	stepTime
	stepPrefillTokens
	stepPrefillContext
	stepSequences
	stepContext
	stepFields
)

// The compositions of engine steps.
const (
	stepsPrefill = iota
	stepsDecode
	stepsMixed
	stepCompositions
)

// The gauges of a worker that the estimators read.
const (
	inRunning = iota
	inKVUsage
	inKVCapacity // tokens
	inWaiting
	inputGauges
)

// counterOf returns which input a point of the metric is, or -1.
func counterOf(metric string, attributes pcommon.Map) int {
	if field := stepFieldOf(metric); field >= 0 {
		if c := composition(attributes); c >= 0 {
			return inSteps + c*stepFields + field
		}
		return -1
	}
	switch metric {
	case signal.IterationTokens:
		return inStepTokens
	case signal.TTFT:
		return inTTFT
	case signal.ITL:
		return inITL
	case signal.QueueTime:
		return inQueueTime
	case signal.TokensGenerated:
		return inGenerated
	case signal.ComputedTokens:
		return inPromptSize
	case signal.PhaseTime:
		switch text(attributes, signal.AttrPhase) {
		case signal.PhasePrefill:
			return inPrefillTime
		case signal.PhaseDecode:
			return inDecodeTime
		}
	case signal.TokensPrompt:
		switch text(attributes, signal.AttrTokenSource) {
		case "":
			return inPrompt
		case signal.TokenSourceLocalCompute:
			return inComputed
		default:
			return inReused
		}
	case signal.TPOT:
		return inTPOT
	case signal.RequestTokens:
		switch text(attributes, signal.AttrTokenType) {
		case signal.TokenTypeInput:
			return inPromptLength
		case signal.TokenTypeOutput:
			return inOutputLength
		}
	case signal.PhaseBusyTime:
		switch text(attributes, signal.AttrPhase) {
		case signal.PhasePrefill:
			return inBusyPrefill
		case signal.PhaseDecode:
			return inBusyDecode
		case signal.PhaseMixed:
			return inBusyMixed
		}
	case signal.StepDuration:
		if composition(attributes) == stepsMixed {
			return inMixedDuration
		}
	}
	return -1
}

// stepFieldOf returns which sum over engine steps the metric is, or -1.
func stepFieldOf(metric string) int {
	switch metric {
	case signal.StepCount:
		return stepCount
	case signal.StepTime:
		return stepTime
	case signal.StepPrefillTokens:
		return stepPrefillTokens
	case signal.StepPrefillKVTokens:
		return stepPrefillContext
	case signal.StepDecodeSequences:
		return stepSequences
	case signal.StepDecodeKVTokens:
		return stepContext
	}
	return -1
}

// composition returns which composition of engine steps a point speaks of, or -1.
func composition(attributes pcommon.Map) int {
	switch text(attributes, signal.AttrComposition) {
	case signal.PhasePrefill:
		return stepsPrefill
	case signal.PhaseDecode:
		return stepsDecode
	case compositionMixed:
		return stepsMixed
	}
	return -1
}

// compositionMixed is the value of llm.step.composition for steps with both phases.
const compositionMixed = "mixed"

// stepsOf reads the window's engine steps.
func stepsOf(win window.Window) serving.Passes {
	of := func(composition int) serving.Steps {
		v := func(field int) float64 { return win.Totals[inSteps+composition*stepFields+field].Sum }
		return serving.Steps{
			Count: v(stepCount), Time: v(stepTime), PrefillTokens: v(stepPrefillTokens), PrefillContext: v(stepPrefillContext),
			Sequences: v(stepSequences), Context: v(stepContext),
		}
	}
	return serving.Passes{Prefill: of(stepsPrefill), Decode: of(stepsDecode), Mixed: of(stepsMixed)}
}

// known reports whether a metric is an input at all, so that the points of the others are not looked at.
func known(metric string) bool {
	switch metric {
	case signal.IterationTokens, signal.TTFT, signal.ITL, signal.QueueTime, signal.TokensGenerated, signal.ComputedTokens, signal.PhaseTime,
		signal.TokensPrompt, signal.TPOT, signal.RequestTokens, signal.StepDuration, signal.PhaseBusyTime:
		return true
	}
	return stepFieldOf(metric) >= 0
}

// gaugeOf returns which input gauge the metric is, or -1.
func gaugeOf(metric string) int {
	switch metric {
	case signal.Running:
		return inRunning
	case signal.KVUtilization:
		return inKVUsage
	case signal.KVCapacityTokens:
		return inKVCapacity
	case signal.Waiting:
		return inWaiting
	}
	return -1
}
