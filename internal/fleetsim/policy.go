package fleetsim

import "fmt"

// Scheduling names how prompts and decodes share the steps.
type Scheduling string

// Schedulings.
const (
	Chunked      Scheduling = "chunked"       // decodes first, prompts in pieces that fill the budget (vLLM V1; Sarathi)
	WholePrompts Scheduling = "whole_prompts" // decodes first, a prompt in one step or not yet (vLLM with chunking switched off)
	PrefillFirst Scheduling = "prefill_first" // steps of whole prompts as long as any can be admitted, else decodes (vLLM V0; Orca)
)

// validate checks a pool's scheduling once its longest context is known.
func (s Scheduling) validate(budget, longest int) error {
	switch s {
	case "", Chunked:
		return nil
	case WholePrompts, PrefillFirst:
		if budget < longest {
			return fmt.Errorf("max_num_batched_tokens: must be at least max_model_tokens %d with scheduling %s, is %d", longest, s, budget)
		}
		return nil
	}
	return fmt.Errorf("scheduling: must be %s, %s or %s, is %q", Chunked, WholePrompts, PrefillFirst, string(s))
}
