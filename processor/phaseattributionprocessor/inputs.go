package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/derive"
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

// inputs tells which counter or gauge a point is.
func inputs() derive.Inputs { return derive.NewInputs(counterOf, gaugeOf) }

// counterOf returns how points of the metric are told apart, nil where none is a counter.
func counterOf(metric string) derive.Pick {
	if field := stepFieldOf(metric); field >= 0 {
		return derive.ByText(signal.AttrComposition, func(name string) int {
			if c := composition(name); c >= 0 {
				return inSteps + c*stepFields + field
			}
			return -1
		})
	}
	switch metric {
	case signal.IterationTokens:
		return derive.Always(inStepTokens)
	case signal.TTFT:
		return derive.Always(inTTFT)
	case signal.ITL:
		return derive.Always(inITL)
	case signal.QueueTime:
		return derive.Always(inQueueTime)
	case signal.TokensGenerated:
		return derive.Always(inGenerated)
	case signal.ComputedTokens:
		return derive.Always(inPromptSize)
	case signal.PhaseTime:
		return derive.ByText(signal.AttrPhase, timeOf)
	case signal.TokensPrompt:
		return derive.ByText(signal.AttrTokenSource, promptOf)
	case signal.TPOT:
		return derive.Always(inTPOT)
	case signal.RequestTokens:
		return derive.ByText(signal.AttrTokenType, lengthOf)
	case signal.PhaseBusyTime:
		return derive.ByText(signal.AttrPhase, busyTimeOf)
	case signal.StepDuration:
		return derive.ByText(signal.AttrComposition, func(name string) int {
			if composition(name) == stepsMixed {
				return inMixedDuration
			}
			return -1
		})
	}
	return nil
}

func timeOf(phase string) int {
	switch phase {
	case signal.PhasePrefill:
		return inPrefillTime
	case signal.PhaseDecode:
		return inDecodeTime
	}
	return -1
}

func promptOf(source string) int {
	switch source {
	case "":
		return inPrompt
	case signal.TokenSourceLocalCompute:
		return inComputed
	}
	return inReused
}

func lengthOf(tokens string) int {
	switch tokens {
	case signal.TokenTypeInput:
		return inPromptLength
	case signal.TokenTypeOutput:
		return inOutputLength
	}
	return -1
}

func busyTimeOf(phase string) int {
	switch phase {
	case signal.PhasePrefill:
		return inBusyPrefill
	case signal.PhaseDecode:
		return inBusyDecode
	case signal.PhaseMixed:
		return inBusyMixed
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

// composition returns which composition of engine steps that is, or -1.
func composition(name string) int {
	switch name {
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

// gaugeOf does so for gauges, whose points add up.
func gaugeOf(metric string) derive.Pick {
	switch metric {
	case signal.Running:
		return derive.Always(inRunning)
	case signal.KVUtilization:
		return derive.Always(inKVUsage)
	case signal.KVCapacityTokens:
		return derive.Always(inKVCapacity)
	case signal.Waiting:
		return derive.Always(inWaiting)
	}
	return nil
}
